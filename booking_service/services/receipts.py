"""Money that arrived. Each payment ends in exactly one place: the visit, the way back, or a case.

Whoever calls these has locked the patient, the booking and the payment, in that order.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, violated
from booking_service.errors import NotAllowed
from booking_service.gateways.payments import CardPayment
from booking_service.models import (
    VISITING,
    Actor,
    Booking,
    BookingStatus,
    Case,
    CaseType,
    EntryKind,
    Payment,
    PaymentStatus,
    Refund,
    RefundReason,
    Topic,
)
from booking_service.services import (
    audit,
    bookings,
    cases,
    freed_times,
    ledger,
    outbox,
    promises,
    refunds,
    times,
)
from booking_service.services.ledger import Movement

# How long the patient of a lost time may choose another before the money goes back by itself.
TO_CHOOSE: Final = timedelta(hours=24)

_CURRENCY: Final = "usd"  # what the ledger is kept in
_ONE_FIRST_VISIT: Final = "uq_bookings_one_first_visit"


def take(session: Session, booking: Booking, payment: Payment, card: CardPayment) -> None:
    """Write down what was paid, and give it its place. The same news again changes nothing.

    Another amount or currency than the price is kept as it is: a person decides about it.
    """
    if payment.status is PaymentStatus.PAID:
        if card.payment_intent_id == payment.stripe_payment_intent_id:
            _book_fee(session, payment, card)
        else:
            unknown(session, booking.id, card)
        return
    fits = (card.amount_cents, card.currency) == (payment.amount_cents, payment.currency)
    payment.status = PaymentStatus.PAID
    payment.paid_at = utc_now()
    payment.amount_cents = card.amount_cents
    payment.currency = card.currency
    payment.stripe_payment_intent_id = card.payment_intent_id
    payment.stripe_customer_id = card.customer_id
    payment.stripe_payment_method_id = card.payment_method_id
    payment.card_brand = card.card_brand
    payment.card_last4 = card.card_last4
    session.flush()
    if payment.currency == _CURRENCY:
        ledger.record_payment(session, payment)
    _book_fee(session, payment, card)
    if fits:
        place(session, booking, payment)
        return
    bookings.let_go(session, booking)
    cases.open_(
        session, CaseType.PAYMENT_MISMATCH, payment.id, card.payment_intent_id, card.amount_cents
    )


def unknown(session: Session, subject_id: UUID, card: CardPayment) -> None:
    """Leave money that fits nothing we have to a person, once."""
    pi = card.payment_intent_id
    seen = exists().where(
        Case.type == CaseType.PAYMENT_UNKNOWN, Case.subject_id == subject_id, Case.detail == pi
    )
    if not session.scalar(select(seen)):
        cases.open_(session, CaseType.PAYMENT_UNKNOWN, subject_id, pi, card.amount_cents)


def place(session: Session, booking: Booking, payment: Payment) -> None:
    """Give paid money its place: the visit, another time, or the way back.

    Paid after the hold ended is fine while the time is free and not over. The constraints decide.
    """
    if booking.status not in (BookingStatus.HELD, BookingStatus.EXPIRED):
        refunds.request(session, payment.id, RefundReason.CANCELLATION, Actor.system().name)
        return
    times.queue_up(session, booking.practitioner_id)
    if booking.ends_at > utc_now() and book(session, booking, payment, Actor.system()):
        return
    bookings.let_go(session, booking)
    if has_first_visit(session, booking):
        refunds.request(session, payment.id, RefundReason.DUPLICATE_PAYMENT, Actor.system().name)
    else:
        _offer_another_time(session, booking)


def book(session: Session, booking: Booking, payment: Payment, actor: Actor) -> bool:
    """Confirm a paid booking and begin its promise; return False when time or patient is taken."""
    try:
        with session.begin_nested():
            booking.move_to(BookingStatus.CONFIRMED)
            booking.confirmed_at = utc_now()
            booking.choose_until = None
            session.flush()
    except IntegrityError as error:
        if violated(error) not in (times.NO_OVERLAP, _ONE_FIRST_VISIT):
            raise
        session.refresh(booking)
        return False
    promises.open_(session, payment)
    freed_times.paid(session, booking)
    outbox.post(session, Topic.BOOKING_CONFIRMED, booking.id)
    audit.record(session, actor, "booking.confirm", booking.id, payment=str(payment.id))
    return True


def has_first_visit(session: Session, booking: Booking) -> bool:
    """Whether the patient has the first visit already, paid for otherwise."""
    other = exists().where(
        Booking.patient_id == booking.patient_id,
        Booking.id != booking.id,
        Booking.status.in_(VISITING),
    )
    return bool(session.scalar(select(other)))


def is_with_us(session: Session, payment: Payment) -> bool:
    """Whether a payment is here, whole: not sent back, nor asked for by the bank."""
    returned = exists().where(Refund.payment_id == payment.id)
    return (
        payment.status is PaymentStatus.PAID
        and payment.disputed_at is None
        and not session.scalar(select(returned))
        and ledger.still_owed(session, payment.id) == payment.amount_cents
    )


def return_mismatched(session: Session, payment_id: UUID) -> None:
    """Send back money of another amount or currency than the price; a person decided.

    Raises:
        NotAllowed: it was accepted before.
    """
    _, payment = _mismatched(session, payment_id)
    refunds.request(session, payment.id, RefundReason.SLOT_LOST, Actor.system().name)


def accept_mismatched(session: Session, payment_id: UUID) -> None:
    """Take another amount than the price for the visit: the promise is over what was paid.

    The visit is confirmed if its time is free; otherwise the patient chooses another.

    Raises:
        NotAllowed: it was decided before, is not with us, or came in a currency we keep no books
            in.
    """
    booking, payment = _mismatched(session, payment_id)
    if booking.choose_until is not None or not is_with_us(session, payment):
        raise NotAllowed("This money is not with us, or is spoken for. It cannot be accepted.")
    place(session, booking, payment)


def _offer_another_time(session: Session, booking: Booking) -> None:
    booking.choose_until = utc_now() + TO_CHOOSE
    outbox.post(session, Topic.SLOT_LOST, booking.id)
    audit.record(session, Actor.system(), "booking.slot_lost", booking.id)


def _mismatched(session: Session, payment_id: UUID) -> tuple[Booking, Payment]:
    booking_id = session.get_one(Payment, payment_id).booking_id
    booking = bookings.with_patient(session, booking_id)
    payment = locked(session, Payment, payment_id)
    if booking.status is not BookingStatus.EXPIRED:
        raise NotAllowed("This payment has its visit already.")
    return booking, payment


def _book_fee(session: Session, payment: Payment, card: CardPayment) -> None:
    """Book Stripe's fee as soon as Stripe has; on rare days that is later than the payment."""
    if payment.fee_cents is None and card.fee_cents:
        payment.fee_cents = card.fee_cents
        pi = card.payment_intent_id
        fee = Movement(EntryKind.PAYMENT_FEE, payment.id, pi, payment.id, pi)
        ledger.record_fee(session, fee, card.fee_cents)
