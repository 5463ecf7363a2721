"""What a patient agrees to before Stripe, and the order of a payment page that follows from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.errors import TermsChanged
from booking_service.gateways.payments import CheckoutOrder
from booking_service.languages import Language, Sentence, translate
from booking_service.links import Links
from booking_service.models import (
    ON_SALE,
    TEXT_CONSENT_VERSION,
    Actor,
    Booking,
    Offer,
    Payment,
    TermsAcceptance,
)
from booking_service.money import dollars
from booking_service.services import audit
from booking_service.services.inserts import Row

# Stripe refuses a page that ends sooner than 30 minutes from when the request arrives there.
_SHORTEST_PAGE: Final = timedelta(minutes=30, seconds=30)

# Built once: to build such a statement takes longer than to run it.
_ACCEPT_ONCE: Final = (
    insert(TermsAcceptance)
    .on_conflict_do_nothing(index_elements=[TermsAcceptance.booking_id])
    .returning(TermsAcceptance.id)
)
_ASK: Final = insert(Payment)
_ASKED: Final = select(
    Payment.id, Payment.offer_id, Payment.amount_cents, Payment.currency, Payment.checkout_url
).where(Payment.booking_id == bindparam("booking_id"))


@dataclass(frozen=True, slots=True)
class Consent:
    """What the patient agreed to on the last page before Stripe, and from where."""

    terms_version: int
    language: Language  # in which the terms were shown
    address: str
    user_agent: str
    save_card: bool
    texts: bool = False  # reminders by text message


class Asked(NamedTuple):
    """The payment that is asked for, and where to pay it, if its page was opened."""

    payment_id: UUID
    offer_id: UUID
    amount_cents: int
    currency: str
    checkout_url: str | None


def agree(session: Session, booking: Booking, consent: Consent) -> Asked:
    """Keep what was agreed to, and return what is to be paid under those terms.

    Agreeing again while the page is open changes nothing that was agreed to.

    Raises:
        TermsChanged: another version of the offer is on sale than the one agreed to.
    """
    offer = session.scalars(ON_SALE).one()
    refuse_other_terms(offer, consent)
    accepted = acceptance(booking.id, offer, consent)
    if session.connection().scalar(_ACCEPT_ONCE, accepted) is None:
        known = session.execute(_ASKED, {"booking_id": booking.id}).one_or_none()
        if known is not None:
            return Asked(*known)
    asked = ask(offer)
    session.connection().execute(_ASK, payment(booking.id, asked))
    return asked


def write(
    session: Session, booking: Booking, asked: Asked, consent: Consent, links: Links
) -> CheckoutOrder:
    """Note what else was ticked, and return what Stripe's page is to say."""
    booking.save_card = consent.save_card
    if consent.texts != (booking.texts_agreed_at is not None):
        booking.texts_agreed_at, booking.texts_agreed_version = texts_agreed(consent)
    audit.write(session, noted(booking.id, asked))
    return order(booking.id, booking.hold_expires_at or utc_now(), asked, consent, links)


def refuse_other_terms(offer: Offer, consent: Consent) -> None:
    """Refuse what was agreed to if it is not what is on sale.

    Raises:
        TermsChanged: another version of the offer is on sale than the one agreed to.
    """
    if consent.terms_version != offer.version:
        raise TermsChanged(
            Sentence("The offer has changed. You haven't been charged; please read it again.")
        )


def ask(offer: Offer) -> Asked:
    """Return what is to be paid for an offer, with no page to pay it on yet."""
    return Asked(uuid4(), offer.id, offer.price_cents, offer.currency, None)


def payment(booking_id: UUID, asked: Asked) -> Row:
    """Return the payment that is asked for, still to be written."""
    return {
        "id": asked.payment_id,
        "booking_id": booking_id,
        "offer_id": asked.offer_id,
        "amount_cents": asked.amount_cents,
        "currency": asked.currency,
        "created_at": utc_now(),
    }


def acceptance(booking_id: UUID, offer: Offer, consent: Consent) -> Row:
    """Return the acceptance of the terms, still to be written."""
    shown = offer.texts(consent.language)
    return {
        "booking_id": booking_id,
        "offer_id": offer.id,
        "language": shown.language,
        "terms_hash": shown.terms_hash,
        "accepted_at": utc_now(),
        "address": consent.address,
        "user_agent": consent.user_agent[:400],
    }


def texts_agreed(consent: Consent) -> tuple[datetime | None, int | None]:
    """Return when reminders by text message were agreed to, and to which version of the words."""
    return (utc_now(), TEXT_CONSENT_VERSION) if consent.texts else (None, None)


def noted(booking_id: UUID, asked: Asked) -> Row:
    """Return the audit row of an acceptance, still to be written."""
    return audit.row(Actor.patient(), "terms.accept", booking_id, offer=str(asked.offer_id))


def order(
    booking_id: UUID, hold_ends: datetime, asked: Asked, consent: Consent, links: Links
) -> CheckoutOrder:
    """Return what Stripe's page is to say."""
    note = Sentence(
        "%(amount)s goes back to this card if you become a member "
        "at this visit, as the first-visit terms say.",
        amount=dollars(asked.amount_cents),
    )
    return CheckoutOrder(
        booking_id=booking_id,
        payment_id=asked.payment_id,
        amount_cents=asked.amount_cents,
        currency=asked.currency,
        save_card=consent.save_card,
        expires_at=max(hold_ends, utc_now() + _SHORTEST_PAGE),
        return_url=links.done(booking_id),
        back_url=links.review(booking_id),
        language=consent.language,
        title=translate(Sentence("First visit"), consent.language),
        note=translate(note, consent.language),
    )
