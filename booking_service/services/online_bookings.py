"""A first visit booked in one call: time, patient and terms at once, and Stripe's page."""

import contextlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from booking_service.db import transaction
from booking_service.errors import BookingServiceError
from booking_service.gateways.payments import PaymentGateway
from booking_service.links import Links
from booking_service.models import ON_SALE, AuditRow, Booking, Payment, TermsAcceptance
from booking_service.services import checkout, holds, orders, patients
from booking_service.services.inserts import Row, insert_together
from booking_service.services.orders import Asked, Consent
from booking_service.services.patient_details import PatientDetails


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be booked, for whom, and under which terms."""

    practitioner_id: UUID
    starts_at: datetime
    details: PatientDetails
    consent: Consent
    source: str | None


class Held(NamedTuple):
    """A booking that waits for its payment, and where to pay for it."""

    id: UUID
    code: str
    hold_expires_at: datetime
    checkout_url: str


def book(wanted: Wanted, gateway: PaymentGateway, links: Links, lifetime: timedelta) -> Held:
    """Hold a time for `lifetime`, and return the booking and where to pay for it; or hold nothing.

    Raises:
        Invalid: it is not a time that is offered.
        SlotTaken: somebody holds or has booked it.
        NotANewPatient: this person has had a first visit, or is a member.
        TooManyHolds: five times are kept for this address or number already, unpaid.
        TermsChanged: another version of the offer is on sale than the one agreed to.
        GatewayUnavailable: Stripe did not answer; nothing was charged, and the time is free again.
    """
    with (
        holds.refusing_what_is_taken(wanted.practitioner_id, wanted.starts_at),
        transaction() as session,
    ):
        booking, asked = _write(session, wanted, lifetime)
    booking_id, ends = booking["id"], booking["hold_expires_at"]
    order = orders.order(booking_id, ends, asked, wanted.consent, links)
    try:
        return Held(booking_id, booking["code"], ends, checkout.open_page(order, gateway))
    except BookingServiceError:
        # What cannot be let go now is let go by the sweep.
        with contextlib.suppress(BookingServiceError):
            holds.release(booking_id, gateway)
        raise


def _write(session: Session, wanted: Wanted, lifetime: timedelta) -> tuple[Row, Asked]:
    """Write a booking and all that belongs to it, in one statement."""
    consent, slot = wanted.consent, (wanted.practitioner_id, wanted.starts_at)
    # The patient before the time: whoever locks both does it in this order.
    patient_id = patients.keep_holding(session, wanted.details)
    texts_agreed_at, texts_agreed_version = orders.texts_agreed(consent)
    booking = {
        **holds.row(session, slot, lifetime, wanted.source),
        "patient_id": patient_id,
        "booked_by": wanted.details.booked_by,
        "save_card": consent.save_card,
        "texts_agreed_at": texts_agreed_at,
        "texts_agreed_version": texts_agreed_version,
    }
    booking_id = booking["id"]
    offer = session.scalars(ON_SALE).one()
    asked = orders.ask(offer)
    insert_together(
        session,
        (Booking, booking),
        (TermsAcceptance, orders.acceptance(booking_id, offer, consent)),
        (Payment, orders.payment(booking_id, asked)),
        (AuditRow, holds.noted(booking_id)),
        (AuditRow, orders.noted(booking_id, asked)),
    )
    # Of two reasons the patient is told that the time is taken, so this comes after it.
    orders.refuse_other_terms(offer, consent)
    return booking, asked
