"""Checkout: who books, what they agree to, Stripe's page, and what became of it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import (
    BookingServiceError,
    FieldError,
    GatewayUnavailable,
    HoldEnded,
    Invalid,
    TermsChanged,
)
from booking_service.gateways.payments import (
    Checkout,
    CheckoutOrder,
    CheckoutPage,
    CheckoutStatus,
    PaymentGateway,
)
from booking_service.languages import Language, Sentence, translate
from booking_service.links import Links
from booking_service.models import (
    TEXT_CONSENT_VERSION,
    Actor,
    Booking,
    BookingStatus,
    Offer,
    Patient,
    Payment,
    PaymentStatus,
    TermsAcceptance,
)
from booking_service.money import dollars
from booking_service.services import audit, bookings, patients, receipts, refunds

log: Final = logging.getLogger(__name__)

# Stripe refuses a page that ends sooner than 30 minutes from when the request arrives there.
_SHORTEST_PAGE: Final = timedelta(minutes=30, seconds=30)
# How long after its end a hold is the holds' own to let go.
_GRACE: Final = timedelta(minutes=1)
_SWEEP_AT_MOST: Final = 50  # each is two requests; a task has 45 seconds

# The two answers to money of another amount than the price; finance gives one.
return_mismatched: Final = receipts.return_mismatched
accept_mismatched: Final = receipts.accept_mismatched


@dataclass(frozen=True, slots=True)
class Consent:
    """What the patient agreed to on the last page before Stripe, and from where."""

    terms_version: int
    language: Language  # in which the terms were shown
    address: str
    user_agent: str
    save_card: bool
    texts: bool = False  # reminders by text message


def start(
    booking_id: UUID, consent: Consent, gateway: PaymentGateway, links: Links, lifetime: timedelta
) -> str:
    """Keep what was agreed to, open Stripe's page, and return its address.

    The hold lasts at least `lifetime` from now. Starting again while the page is open answers the
    same page, so that going back and forth never makes two ways to pay.

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
        booking.texts_agreed_at = utc_now() if consent.texts else None
        booking.texts_agreed_version = TEXT_CONSENT_VERSION if consent.texts else None
        booking.hold_until(utc_now() + lifetime)
        audit.record(
            session, Actor.patient(), "terms.accept", booking.id, offer=str(payment.offer_id)
        )
        order = _order(booking, payment, consent.language, links)
    page = _open_page(order, gateway)
    with transaction() as session:
        booking = locked(session, Booking, booking_id)
        payment = locked(session, Payment, order.payment_id)
        payment.stripe_checkout_session_id = page.id
        payment.checkout_url = page.url
        ended = booking.status is not BookingStatus.HELD
    if ended:
        gateway.expire_checkout(page.id)
        raise HoldEnded(Sentence("We had to let your time go. You haven't been charged."))
    return page.url


def _open_page(order: CheckoutOrder, gateway: PaymentGateway) -> CheckoutPage:
    try:
        return gateway.open_checkout(order)
    except GatewayUnavailable as error:
        sentence = Sentence(
            "The payment page can't be opened now. You haven't been charged. Please try again."
        )
        raise type(error)(sentence) from error


def confirm(session_id: str, gateway: PaymentGateway) -> None:
    """Ask Stripe what became of a payment page, and write it down.

    The return page, the webhook and the sweep all end here; whoever is second changes nothing.
    """
    bring_up_to_date(gateway.find_checkout(session_id), gateway)


def write_down(found: Checkout) -> None:
    """Bring a booking up to date with its payment page."""
    if found.booking_id is None:
        return  # another application's
    with transaction() as session:
        booking, payment = _lock(session, found.booking_id)
        if booking is None or payment is None:
            log.error("checkout of an unknown booking", extra={"code": found.id})
            if found.payment is not None:
                receipts.unknown(session, found.booking_id, found.payment)
        elif found.payment is not None:
            receipts.take(session, booking, payment, found.payment)
        elif payment.status is PaymentStatus.OPEN:
            _close(session, booking, payment, found)


def sweep(gateway: PaymentGateway) -> int:
    """Close and ask about pages that nobody has told us about; return how many there were.

    Those are the open ones of holds that ended. One that fails never stands in the way: it is
    logged, and each sweep takes them in another order.
    """
    forgotten = (
        select(Payment.stripe_checkout_session_id)
        .join(Booking, Booking.id == Payment.booking_id)
        .where(
            Payment.status == PaymentStatus.OPEN,
            Payment.stripe_checkout_session_id.is_not(None),
            (Booking.status == BookingStatus.EXPIRED)
            | (
                (Booking.status == BookingStatus.HELD)
                & (Booking.hold_expires_at < utc_now() - _GRACE)
            ),
        )
        .order_by(func.random())
        .limit(_SWEEP_AT_MOST)
    )
    with transaction() as session:
        pages = [page for page in session.scalars(forgotten) if page is not None]
    for page in pages:
        try:
            bring_up_to_date(gateway.expire_checkout(page), gateway)
        except BookingServiceError as error:
            log.warning("page not asked about", extra={"code": error.code})
    return len(pages)


def bring_up_to_date(found: Checkout, gateway: PaymentGateway) -> None:
    """Write down what a page is now, and what of its money went back already."""
    write_down(found)
    if found.payment is not None and found.payment.has_gone_back:
        # News of a refund that came before news of its payment fitted nothing then.
        for refund in gateway.refunds_of(found.payment.payment_intent_id):
            refunds.apply_news(refund.stripe_refund_id, gateway)


def _lock(session: Session, booking_id: UUID) -> tuple[Booking | None, Payment | None]:
    """Lock what a page is about, if we have it: patient, booking, payment."""
    known = session.get(Booking, booking_id)
    if known is None or known.patient_id is None:
        return None, None
    locked(session, Patient, known.patient_id)
    booking = locked(session, Booking, booking_id)
    payment = session.scalar(
        select(Payment).where(Payment.booking_id == booking.id).with_for_update()
    )
    return booking, payment


def _close(session: Session, booking: Booking, payment: Payment, found: Checkout) -> None:
    """Free the time of a page on which nothing was paid, and nothing can be any more."""
    if found.has_failed:
        payment.status = PaymentStatus.FAILED
    elif found.status is CheckoutStatus.EXPIRED:
        payment.status = PaymentStatus.EXPIRED
    else:
        return
    bookings.let_go(session, booking)


def _payment(session: Session, booking: Booking, consent: Consent) -> Payment:
    """Return the booking's payment, made under the offer the patient has just agreed to."""
    if booking.patient_id is None:
        detail = Sentence("Tell us who is coming first.")
        raise Invalid(FieldError("patient", "missing", detail))
    patient = session.get_one(Patient, booking.patient_id)
    patients.refuse_if_known(session, patient)
    offer = session.scalars(select(Offer).order_by(Offer.version.desc()).limit(1)).one()
    if consent.terms_version != offer.version:
        raise TermsChanged(
            Sentence("The offer has changed. You haven't been charged; please read it again.")
        )
    now = utc_now()
    shown = offer.texts(consent.language)
    session.execute(
        insert(TermsAcceptance)
        .values(
            booking_id=booking.id,
            offer_id=offer.id,
            language=shown.language,
            terms_hash=shown.terms_hash,
            accepted_at=now,
            address=consent.address,
            user_agent=consent.user_agent[:400],
        )
        .on_conflict_do_nothing(index_elements=[TermsAcceptance.booking_id])
    )
    payment = session.scalar(select(Payment).where(Payment.booking_id == booking.id))
    if payment is None:
        patient.locale = consent.language
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


def _order(booking: Booking, payment: Payment, language: Language, links: Links) -> CheckoutOrder:
    hold_ends: datetime = booking.hold_expires_at or utc_now()
    note = Sentence(
        "%(amount)s goes back to this card if you become a member "
        "at this visit, as the first-visit terms say.",
        amount=dollars(payment.amount_cents),
    )
    return CheckoutOrder(
        booking_id=booking.id,
        payment_id=payment.id,
        amount_cents=payment.amount_cents,
        currency=payment.currency,
        save_card=booking.save_card,
        expires_at=max(hold_ends, utc_now() + _SHORTEST_PAGE),
        return_url=links.done(booking.id),
        back_url=links.review(booking.id),
        language=language,
        title=translate(Sentence("First visit"), language),
        note=translate(note, language),
    )
