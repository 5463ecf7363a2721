"""Holds: a time kept for somebody while they give their details and pay."""

import logging
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import BookingServiceError, FieldError, Invalid, SlotTaken
from booking_service.gateways.payments import PaymentGateway
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    Payment,
    PaymentStatus,
    Practice,
    Practitioner,
    TimeOff,
    WorkingHours,
)
from booking_service.models.timetable import is_offered
from booking_service.services import audit, bookings, checkout

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
    now = utc_now()
    try:
        with transaction() as session:
            length = _visit_length(session, practitioner_id, starts_at)
            booking = Booking(
                practitioner_id=practitioner_id,
                starts_at=starts_at,
                ends_at=starts_at + length,
                created_at=now,
                hold_expires_at=now + lifetime,
                source=source,
            )
            session.add(booking)
            session.flush()
            audit.record(session, Actor.patient(), "booking.hold", booking.id)
    except IntegrityError as error:
        if violated(error) == "ex_bookings_no_overlap":
            raise SlotTaken(practitioner_id, starts_at) from error
        raise
    return booking.id


def extend(booking_id: UUID, lifetime: timedelta) -> None:
    """Hold a time for `lifetime` from now: the patient is still with us.

    Raises:
        HoldEnded: it is not held any more.
    """
    with transaction() as session:
        bookings.held(session, booking_id).hold_expires_at = utc_now() + lifetime


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
        checkout.let_go(booking)


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


def _visit_length(session: Session, practitioner_id: UUID, starts_at: datetime) -> timedelta:
    """Return how long a visit at an offered time takes, and queue up for the practitioner.

    Queueing on the practitioner's row keeps two holds of overlapping times from waiting for each
    other inside the constraint, which would end in a deadlock.
    """
    practitioner = session.scalar(
        select(Practitioner)
        .where(Practitioner.id == practitioner_id, Practitioner.is_bookable)
        .with_for_update(key_share=True)
    )
    if practitioner is None:
        raise Invalid(FieldError("practitioner_id", "unknown", "Choose one of our doctors"))
    practice = session.scalars(select(Practice)).one()
    hours = session.scalars(
        select(WorkingHours).where(WorkingHours.practitioner_id == practitioner_id)
    ).all()
    time_off = session.scalars(
        select(TimeOff).where(
            (TimeOff.practitioner_id == practitioner_id) | TimeOff.practitioner_id.is_(None),
            TimeOff.ends_at > starts_at,
            TimeOff.starts_at < starts_at + practice.visit_length,
        )
    ).all()
    if not is_offered(practice, hours, time_off, starts_at, utc_now()):
        raise Invalid(FieldError("starts_at", "not_offered", "Choose one of the times shown"))
    return practice.visit_length
