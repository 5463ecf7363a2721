"""The links of patients' own pages: asked for, sent again, and replaced."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import NotAllowed
from booking_service.models import (
    Actor,
    Booking,
    BookingKind,
    LinkRequest,
    OutboxMessage,
    Patient,
    Payment,
    PaymentStatus,
    Topic,
)
from booking_service.services import audit, bookings, outbox

# An address gets one mail with links in this time, however often it is typed.
_QUIET: Final = timedelta(minutes=10)
# What was paid for, or needs no payment; read beside its payment.
_HAS_PAGE: Final = (Payment.status == PaymentStatus.PAID) | (Booking.kind == BookingKind.FOLLOW_UP)
_REMEMBERED: Final = timedelta(days=30)  # how long after it a visit's link is still sent


def ask(email: str) -> None:
    """Owe an address the links of its visits.

    Whether there are any is found out by the worker: here a known and an unknown address are the
    same two rows. One that was asked for a short while ago is not asked for again.
    """
    asked = insert(LinkRequest).values(email=email).on_conflict_do_nothing()
    with transaction() as session:
        request_id = session.scalar(asked.returning(LinkRequest.id))
        if request_id is not None:
            outbox.post(session, Topic.VISITS_ASKED, request_id)


def asked_for(session: Session, request_id: UUID) -> Sequence[Booking]:
    """Return the visits of whoever has the address, unless they are long past; oldest first.

    Those are what was paid for, and the follow-ups of members.
    """
    asked = session.get_one(LinkRequest, request_id)
    return session.scalars(
        select(Booking)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .where(
            Booking.patient_id.in_(select(Patient.person_id).where(Patient.email == asked.email)),
            _HAS_PAGE,
            Booking.starts_at > utc_now() - _REMEMBERED,
        )
        .options(joinedload(Booking.patient))
        .order_by(Booking.starts_at)
        .execution_options(populate_existing=True)
    ).all()


def forget() -> int:
    """Forget the addresses that were dealt with a while ago, and return how many there were."""
    is_recent = exists().where(
        OutboxMessage.subject_id == LinkRequest.id,
        OutboxMessage.done_at.is_(None) | (OutboxMessage.done_at > utc_now() - _QUIET),
    )
    with transaction() as session:
        forgotten = session.scalars(delete(LinkRequest).where(~is_recent).returning(LinkRequest.id))
        return len(forgotten.all())


def send_again(booking_id: UUID, actor: Actor) -> None:
    """Mail a patient the link to a visit once more.

    Raises:
        NotAllowed: it is not paid for, so there is no page yet; or its patient was forgotten.
    """
    with transaction() as session:
        booking = _with_page(session, booking_id)
        _send(session, booking, actor, "booking.link_sent")


def replace(booking_id: UUID, actor: Actor) -> None:
    """Let the link to a visit, and all before it, open nothing any more, and mail a new one.

    Raises:
        NotAllowed: it is not paid for, so there is no page yet; or its patient was forgotten.
    """
    with transaction() as session:
        booking = _with_page(session, booking_id)
        booking.link_version += 1
        _send(session, booking, actor, "booking.link_replaced")


def _with_page(session: Session, booking_id: UUID) -> Booking:
    booking = bookings.with_patient(session, booking_id)
    visit = (
        select(Booking.id)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .where(Booking.id == booking.id, _HAS_PAGE)
    )
    if session.scalar(visit) is None:
        raise NotAllowed("Nobody has paid for this time, so there is no link yet.")
    if session.get_one(Patient, booking.patient_id).erased_at is not None:
        raise NotAllowed("This patient was forgotten, and so was the e-mail address.")
    return booking


def _send(session: Session, booking: Booking, actor: Actor, action: str) -> None:
    sent = audit.record(session, actor, action, booking.id, version=booking.link_version)
    outbox.post(session, Topic.LINK_SENT, sent)
