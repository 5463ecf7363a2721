"""Holds: a time kept for somebody while they give their details and pay."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import BookingServiceError, SlotTaken
from booking_service.gateways.payments import PaymentGateway
from booking_service.models import (
    Actor,
    AuditRow,
    Booking,
    BookingStatus,
    Payment,
    PaymentStatus,
)
from booking_service.models.bookings import new_code
from booking_service.services import audit, bookings, checkout, times
from booking_service.services.inserts import Row, insert_together

log: Final = logging.getLogger(__name__)

_SWEEP_AT_MOST: Final = 100


def place(
    practitioner_id: UUID, starts_at: datetime, lifetime: timedelta, source: str | None
) -> UUID:
    """Hold a time for `lifetime` and return the booking.

    Raises:
        Invalid: it is not a time that is offered: past, too soon, too far, or outside hours.
        SlotTaken: somebody holds or has booked it. The database decides, so two patients tapping
            at the same instant cannot both win.
    """
    with refusing_what_is_taken(practitioner_id, starts_at), transaction() as session:
        booking = row(session, (practitioner_id, starts_at), lifetime, source)
        insert_together(session, (Booking, booking), (AuditRow, noted(booking["id"])))
    booking_id: UUID = booking["id"]
    return booking_id


@contextmanager
def refusing_what_is_taken(practitioner_id: UUID, starts_at: datetime) -> Iterator[None]:
    """Say of a time that the database refuses to give twice that somebody has it.

    Raises:
        SlotTaken: so it is.
    """
    try:
        yield
    except IntegrityError as error:
        if violated(error) == times.NO_OVERLAP:
            raise SlotTaken(practitioner_id, starts_at) from error
        raise


def row(
    session: Session, slot: tuple[UUID, datetime], lifetime: timedelta, source: str | None
) -> Row:
    """Return a booking that holds a time, still to be written; others wait for the caller's end.

    Raises:
        Invalid: it is not a time that is offered.
    """
    practitioner_id, starts_at = slot
    now = utc_now()
    return {
        "id": uuid4(),
        "code": new_code(),
        "practitioner_id": practitioner_id,
        "starts_at": starts_at,
        "ends_at": starts_at + times.visit_length(session, practitioner_id, starts_at),
        "created_at": now,
        "hold_expires_at": now + lifetime,
        "source": source,
    }


def noted(booking_id: UUID) -> Row:
    """Return the audit row of a time that is held."""
    return audit.row(Actor.patient(), "booking.hold", booking_id)


def extend(booking_id: UUID, lifetime: timedelta) -> None:
    """Hold a time for at least `lifetime` from now: the patient is still with us.

    Raises:
        HoldEnded: it is not held any more.
    """
    with transaction() as session:
        bookings.held(session, booking_id).hold_until(utc_now() + lifetime)


def release(booking_id: UUID, gateway: PaymentGateway) -> None:
    """Let a hold go: the patient wants another time, or its time has passed.

    Stripe's page is closed first, and only then is the time free: nobody can pay for a time that
    somebody else may take. When it turns out to have been paid just before, the booking is
    confirmed instead.
    """
    with transaction() as session:
        page = session.scalar(
            select(Payment.stripe_checkout_session_id).where(Payment.booking_id == booking_id)
        )
    if page is not None:
        checkout.write_down(gateway.expire_checkout(page))
        return
    with transaction() as session:
        booking = locked(session, Booking, booking_id)
        unpaid = session.scalar(
            select(Payment).where(Payment.booking_id == booking_id).with_for_update()
        )
        if unpaid is not None and unpaid.status is PaymentStatus.OPEN:
            unpaid.status = PaymentStatus.EXPIRED
        bookings.let_go(session, booking)


def sweep(gateway: PaymentGateway) -> int:
    """Let go of every hold whose time has passed, and return how many there were.

    One that cannot be let go now (Stripe does not answer) stays held until the next sweep, and
    never stands in the way of the others.
    """
    has_page = Payment.stripe_checkout_session_id.is_not(None)
    lapsed = (
        select(Booking.id)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .where(Booking.status == BookingStatus.HELD, Booking.hold_expires_at <= utc_now())
        # Those that need no answer of Stripe's go first: it may be slow today.
        .order_by(has_page, Booking.hold_expires_at)
        .limit(_SWEEP_AT_MOST)
    )
    with transaction() as session:
        booking_ids = session.scalars(lapsed).all()
    for booking_id in booking_ids:
        try:
            release(booking_id, gateway)
        except BookingServiceError as error:
            log.warning("hold kept", extra={"booking_id": booking_id, "code": error.code})
    return len(booking_ids)
