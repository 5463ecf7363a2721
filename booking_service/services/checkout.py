"""Checkout: who books, what they agree to, Stripe's page, and what became of it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import FieldError, HoldEnded, Invalid, TermsChanged
from booking_service.gateways.payments import (
    CardPayment,
    Checkout,
    CheckoutOrder,
    CheckoutStatus,
    PaymentGateway,
)
from booking_service.links import Links
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    CaseType,
    EntryKind,
    Offer,
    Patient,
    Payment,
    PaymentStatus,
    RefundReason,
    TermsAcceptance,
    Topic,
)
from booking_service.money import dollars
from booking_service.services import (
    audit,
    bookings,
    cases,
    ledger,
    outbox,
    patients,
    promises,
    refunds,
)
from booking_service.services.ledger import Movement

log: Final = logging.getLogger(__name__)

# Stripe refuses a page that ends sooner than 30 minutes from when the request arrives there.
_SHORTEST_PAGE: Final = timedelta(minutes=30, seconds=30)

# Which constraint said no, and so why the money goes back.
_REFUSALS: Final = {
    "ex_bookings_no_overlap": RefundReason.SLOT_LOST,
    "uq_bookings_one_first_visit": RefundReason.DUPLICATE_PAYMENT,
}


@dataclass(frozen=True, slots=True)
class Consent:
    """What the patient agreed to on the last page before Stripe, and from where."""

    terms_version: int
    address: str
    user_agent: str
    save_card: bool


def start(
    booking_id: UUID, consent: Consent, gateway: PaymentGateway, links: Links, lifetime: timedelta
) -> str:
    """Keep what was agreed to, open Stripe's page, and return its address.

    The hold lasts `lifetime` from now. Starting again while the page is open answers the same
    page, so that going back and forth never makes two ways to pay.

    Raises:
        HoldEnded: the time is not held any more.
        TermsChanged: another version of the offer is on sale than the one agreed to.
        NotANewPatient: the patient has had a first visit since the details were given.
        GatewayUnavailable: Stripe did not answer; nothing was charged, and the time stays held.
    """
    with transaction() as session:
        booking = bookings.held(session, booking_id)
        payment = _payment(session, booking, consent)
        if payment.checkout_url is not None:
            return payment.checkout_url
        booking.save_card = consent.save_card
        booking.hold_expires_at = utc_now() + lifetime
        audit.record(
            session, Actor.patient(), "terms.accept", booking.id, offer=str(payment.offer_id)
        )
        order = _order(booking, payment, links)
    page = gateway.open_checkout(order)
    with transaction() as session:
        booking = locked(session, Booking, booking_id)
        payment = locked(session, Payment, order.payment_id)
        payment.stripe_checkout_session_id = page.id
        payment.checkout_url = page.url
        ended = booking.status is not BookingStatus.HELD
    if ended:
        gateway.expire_checkout(page.id)
        raise HoldEnded("We had to let your time go. You haven't been charged.")
    return page.url


def confirm(session_id: str, gateway: PaymentGateway) -> None:
    """Ask Stripe what became of a payment page, and write it down.

    The return page, the webhook and the sweep all end here; whoever is second changes nothing.
    """
    write_down(gateway.find_checkout(session_id))


def write_down(found: Checkout) -> None:
    """Bring a booking up to date with its payment page."""
    if found.booking_id is None:
        return  # another application's
    with transaction() as session:
        booking = session.get(Booking, found.booking_id)
        if booking is None or booking.patient_id is None:
            log.error("checkout of an unknown booking", extra={"code": found.id})
            return
        locked(session, Patient, booking.patient_id)
        booking = locked(session, Booking, booking.id)
        payment = session.scalars(
            select(Payment).where(Payment.booking_id == booking.id).with_for_update()
        ).one()
        if found.payment is not None:
            _paid(session, booking, payment, found.payment)
        elif found.status is CheckoutStatus.EXPIRED and payment.status is PaymentStatus.OPEN:
            payment.status = PaymentStatus.EXPIRED
            let_go(booking)


def let_go(booking: Booking) -> None:
    """Free the time of a hold; a booking that was paid for stays."""
    if booking.status is BookingStatus.HELD:
        booking.move_to(BookingStatus.EXPIRED)


def _payment(session: Session, booking: Booking, consent: Consent) -> Payment:
    """Return the booking's payment, made under the offer the patient has just agreed to."""
    if booking.patient_id is None:
        raise Invalid(FieldError("patient", "missing", "Tell us who is coming first."))
    patient = session.get_one(Patient, booking.patient_id)
    patients.refuse_if_known(session, patient)
    offer = session.scalars(select(Offer).order_by(Offer.version.desc()).limit(1)).one()
    if consent.terms_version != offer.version:
        raise TermsChanged("The offer has changed. You haven't been charged; please read it again.")
    now = utc_now()
    session.execute(
        insert(TermsAcceptance)
        .values(
            booking_id=booking.id,
            offer_id=offer.id,
            terms_hash=offer.terms_hash,
            accepted_at=now,
            address=consent.address,
            user_agent=consent.user_agent[:400],
        )
        .on_conflict_do_nothing(index_elements=[TermsAcceptance.booking_id])
    )
    payment = session.scalar(select(Payment).where(Payment.booking_id == booking.id))
    if payment is None:
        payment = Payment(
            booking_id=booking.id,
            offer_id=offer.id,
            amount_cents=offer.price_cents,
            currency=offer.currency,
            created_at=now,
        )
        session.add(payment)
        session.flush()
    return payment


def _order(booking: Booking, payment: Payment, links: Links) -> CheckoutOrder:
    hold_ends: datetime = booking.hold_expires_at or utc_now()
    return CheckoutOrder(
        booking_id=booking.id,
        payment_id=payment.id,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        save_card=booking.save_card,
        expires_at=max(hold_ends, utc_now() + _SHORTEST_PAGE),
        return_url=links.done(booking.id),
        back_url=links.review(booking.id),
        note=f"{dollars(payment.amount_cents)} goes back to this card if you become a member "
        "at this visit, as the first-visit terms say.",
    )


def _paid(session: Session, booking: Booking, payment: Payment, card: CardPayment) -> None:
    if payment.status is PaymentStatus.PAID:
        _book_fee(session, payment, card)
        return
    if (card.amount_cents, card.currency) != (payment.amount_cents, payment.currency):
        cases.open_(
            session,
            CaseType.PAYMENT_MISMATCH,
            payment.id,
            card.payment_intent_id,
            card.amount_cents,
        )
        let_go(booking)
        return
    payment.status = PaymentStatus.PAID
    payment.paid_at = utc_now()
    payment.stripe_payment_intent_id = card.payment_intent_id
    payment.stripe_customer_id = card.customer_id
    payment.stripe_payment_method_id = card.payment_method_id
    payment.card_brand = card.card_brand
    payment.card_last4 = card.card_last4
    session.flush()
    ledger.record_payment(session, payment)
    _book_fee(session, payment, card)
    _give_the_time(session, booking, payment)


def _book_fee(session: Session, payment: Payment, card: CardPayment) -> None:
    """Book Stripe's fee as soon as Stripe has; on rare days that is later than the payment."""
    if payment.fee_cents is None and card.fee_cents:
        payment.fee_cents = card.fee_cents
        pi = card.payment_intent_id
        fee = Movement(EntryKind.PAYMENT_FEE, payment.id, pi, payment.id, pi)
        ledger.record_fee(session, fee, card.fee_cents)


def _give_the_time(session: Session, booking: Booking, payment: Payment) -> None:
    """Confirm a paid booking, or return the money when its time or its patient is taken.

    Paid after the hold ended is fine while the time is free. The constraints decide.
    """
    try:
        with session.begin_nested():
            booking.move_to(BookingStatus.CONFIRMED)
            booking.confirmed_at = utc_now()
            session.flush()
    except IntegrityError as error:
        reason = _REFUSALS.get(violated(error) or "")
        if reason is None:
            raise
        session.refresh(booking)
        let_go(booking)
        refunds.request(session, payment.id, reason, Actor.system().name)
        return
    promises.open_(session, payment)
    outbox.post(session, Topic.BOOKING_CONFIRMED, booking.id)
    audit.record(session, Actor.system(), "booking.confirm", booking.id, payment=str(payment.id))
