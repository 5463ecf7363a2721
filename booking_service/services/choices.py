"""Paid, and the time was gone: the patient chooses another or has the money back, never neither."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import NotAllowed, SlotTaken, TooLate
from booking_service.languages import Sentence
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    Payment,
    RefundReason,
)
from booking_service.money import dollars
from booking_service.services import audit, bookings, receipts, refunds, times

_SWEEP_AT_MOST: Final = 100


def choose(booking_id: UUID, practitioner_id: UUID, starts_at: datetime) -> None:
    """Book another time with the money that is here. Pressing twice is one choice.

    Raises:
        Invalid: it is not a time that is offered.
        SlotTaken: somebody was faster; nothing is lost, and another can be chosen.
        TooLate: the day to choose is over, and the money goes back.
        NotAllowed: there is nothing to choose, or the money is not here any more.
    """
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        payment = _payment(session, booking)
        if booking.status is BookingStatus.CONFIRMED and booking.starts_at == starts_at:
            return
        _refuse_unless_open(session, booking, payment)
        length = times.visit_length(session, practitioner_id, starts_at)
        booking.practitioner_id = practitioner_id
        booking.starts_at = starts_at
        booking.ends_at = starts_at + length
        if not receipts.book(session, booking, payment, Actor.patient()):
            sentence = Sentence(
                "That time was just booked. Your %(amount)s is still here: choose another time.",
                amount=dollars(payment.amount_cents),
            )
            raise SlotTaken(practitioner_id, starts_at, sentence)


def send_back(booking_id: UUID) -> None:
    """Send the money back now, as the patient asked. Pressing twice is once.

    Raises:
        NotAllowed: another time was chosen meanwhile.
    """
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if booking.status is not BookingStatus.EXPIRED:
            raise NotAllowed(
                Sentence("You have a visit. Cancel it first; then the money can go back.")
            )
        _send_back(session, booking, Actor.patient())


def sweep() -> int:
    """Send back what nobody chose a time for within a day; return how many were looked at."""
    over = (
        select(Booking.id)
        .where(Booking.choose_until <= utc_now())
        .order_by(Booking.choose_until)
        .limit(_SWEEP_AT_MOST)
    )
    with transaction() as session:
        booking_ids = session.scalars(over).all()
    for booking_id in booking_ids:
        with transaction() as session:
            booking = bookings.with_patient(session, booking_id)
            _send_back(session, booking, Actor.system())
    return len(booking_ids)


def _send_back(session: Session, booking: Booking, actor: Actor) -> None:
    if booking.choose_until is None:
        return  # somebody else decided first
    booking.choose_until = None
    payment = _payment(session, booking)
    refunds.request(session, payment.id, RefundReason.SLOT_LOST, actor.name)
    audit.record(session, actor, "booking.send_back", booking.id, payment=str(payment.id))


def _payment(session: Session, booking: Booking) -> Payment:
    return session.scalars(
        select(Payment)
        .where(Payment.booking_id == booking.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _refuse_unless_open(session: Session, booking: Booking, payment: Payment) -> None:
    if booking.status is not BookingStatus.EXPIRED or booking.choose_until is None:
        raise NotAllowed(
            Sentence("There is nothing to choose. Your page shows how your booking stands.")
        )
    amount = dollars(payment.amount_cents)
    if booking.choose_until <= utc_now():
        raise TooLate(
            Sentence(
                "The time to choose is over. Your %(amount)s goes back by itself.", amount=amount
            )
        )
    if not receipts.is_with_us(session, payment):
        raise NotAllowed(
            Sentence(
                "Your %(amount)s is not with us any more. Please call us to book.", amount=amount
            )
        )
    if receipts.has_first_visit(session, booking):
        raise NotAllowed(
            Sentence(
                "You have a first visit already. Have your %(amount)s sent back.", amount=amount
            )
        )
