"""Checkout: Stripe's page is opened, and what became of it is written down."""

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import (
    BookingServiceError,
    FieldError,
    GatewayUnavailable,
    HoldEnded,
    Invalid,
)
from booking_service.gateways.payments import (
    Checkout,
    CheckoutOrder,
    CheckoutStatus,
    PaymentGateway,
)
from booking_service.languages import Sentence
from booking_service.links import Links
from booking_service.models import Booking, BookingStatus, Patient, Payment, PaymentStatus
from booking_service.services import bookings, orders, patients, people, receipts, refunds
from booking_service.services.orders import Consent

log: Final = logging.getLogger(__name__)

# How long after its end a hold is the holds' own to let go.
_GRACE: Final = timedelta(minutes=1)
_SWEEP_AT_MOST: Final = 50  # each is two requests; a task has 45 seconds

# Built once: to build such a statement takes longer than to run it.
_LOCKED: Final = (
    select(Booking.id, Booking.status)
    .where(Booking.id == bindparam("held_id"))
    .with_for_update()
    .cte("locked")
)
_KEEP_PAGE: Final = (
    update(Payment)
    .where(Payment.booking_id == _LOCKED.c.id)
    .values(stripe_checkout_session_id=bindparam("page_id"), checkout_url=bindparam("page_url"))
    .returning(_LOCKED.c.status)
)

# The two answers to money of another amount than the price; finance gives one.
return_mismatched: Final = receipts.return_mismatched
accept_mismatched: Final = receipts.accept_mismatched


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
        patient = _who_comes(session, booking)
        asked = orders.agree(session, booking, consent)
        if asked.checkout_url is not None:
            return asked.checkout_url
        patient.locale = consent.language
        booking.hold_until(utc_now() + lifetime)
        order = orders.write(session, booking, asked, consent, links)
    return open_page(order, gateway)


def open_page(order: CheckoutOrder, gateway: PaymentGateway) -> str:
    """Open Stripe's page for a time that is held, keep it, and return its address.

    Raises:
        HoldEnded: the time was let go meanwhile; the page is closed again.
        GatewayUnavailable: Stripe did not answer; nothing was charged, and the time stays held.
    """
    try:
        page = gateway.open_checkout(order)
    except GatewayUnavailable as error:
        sentence = Sentence(
            "The payment page can't be opened now. You haven't been charged. Please try again."
        )
        raise type(error)(sentence) from error
    with transaction() as session:
        kept = {"held_id": order.booking_id, "page_id": page.id, "page_url": page.url}
        status = session.connection().scalar(_KEEP_PAGE, kept)
    if status is not BookingStatus.HELD:
        gateway.expire_checkout(page.id)
        raise HoldEnded(Sentence("We had to let your time go. You haven't been charged."))
    return page.url


def _who_comes(session: Session, booking: Booking) -> Patient:
    """Return whom a time is held for, if the offer is still for them.

    Raises:
        Invalid: nobody has said who is coming.
        NotANewPatient: they have had a first visit since they said so.
    """
    if booking.patient_id is None:
        detail = Sentence("Tell us who is coming first.")
        raise Invalid(FieldError("patient", "missing", detail))
    patient = session.get_one(Patient, booking.patient_id)
    patients.refuse_if_known(session, patient)
    return patient


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
    people.lock(session, known.patient_id)
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
