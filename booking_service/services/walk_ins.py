"""Walk-ins: a first visit booked and paid at the desk, under the same promise."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import local_day, utc_now
from booking_service.db import transaction, violated
from booking_service.errors import FieldError, Invalid, NotANewPatient, SlotTaken, TermsChanged
from booking_service.languages import Language
from booking_service.models import (
    ON_SALE,
    Actor,
    Booking,
    BookingStatus,
    Offer,
    Payment,
    PaymentStatus,
    PaymentTender,
    Practice,
    TermsAcceptance,
    Topic,
)
from booking_service.services import audit, holds, ledger, outbox, patients, promises, times
from booking_service.services.patient_details import PatientDetails

Slot = tuple[UUID, datetime]


@dataclass(frozen=True, slots=True)
class DeskPayment:
    """What the desk took: how, the number of its receipt, and the terms the patient was shown."""

    tender: PaymentTender
    reference: str
    terms_version: int


def book(
    slot: Slot,
    details: PatientDetails,
    paid: DeskPayment,
    actor: Actor,
) -> UUID:
    """Book a visit of today for somebody at the desk who has paid there; return the booking.

    The desk knows who is free: hours and lead time do not bind it, other bookings do.

    Args:
        slot: with whom, and from when.
        details: who it is for.
        paid: what the desk took.
        actor: who is at the desk.

    Raises:
        Invalid: no such practitioner, another day, or nothing that proves the payment.
        SlotTaken: the practitioner has an overlapping booking.
        NotANewPatient: this person has had a first visit.
        TermsChanged: another version of the offer is on sale than the one shown.
    """
    if paid.tender is PaymentTender.CARD:
        raise Invalid(FieldError("tender", "not_at_the_desk", "Choose cash or the terminal."))
    if not paid.reference.strip():
        raise Invalid(FieldError("reference", "missing", "Give the number of the receipt."))
    try:
        with transaction() as session:
            return _book(session, slot, details, paid, actor)
    except IntegrityError as error:
        if violated(error) == times.NO_OVERLAP:
            sentence = "That time was just booked. Choose another time, or give the money back."
            raise SlotTaken(*slot, sentence) from error
        if violated(error) == "uq_bookings_one_first_visit":
            raise NotANewPatient("This offer is for a first visit.") from error
        raise


def hold(slot: Slot, details: PatientDetails, lifetime: timedelta, actor: Actor) -> UUID:
    """Hold a time of today for somebody at the desk who pays on their own phone.

    There they agree to the terms and pay, as anybody who books online.

    Args:
        slot: with whom, and from when.
        details: who it is for.
        lifetime: how long they have until they are at Stripe's page.
        actor: who is at the desk.

    Raises:
        Invalid: no such practitioner, or another day.
        SlotTaken: the practitioner has an overlapping booking.
        NotANewPatient: this person has had a first visit.
        TooManyHolds: five times are kept for this address or number already, unpaid.
    """
    with holds.refusing_what_is_taken(*slot), transaction() as session:
        _refuse_another_day(session, slot)
        patient_id = patients.keep_holding(session, details)
        booking = _claim(session, slot, patient_id)
        booking.status = BookingStatus.HELD
        booking.held_by = actor.name
        booking.hold_until(booking.created_at + lifetime)
        session.add(booking)
        session.flush()
        audit.record(session, actor, "booking.hold", booking.id)
        return booking.id


def _book(
    session: Session,
    slot: Slot,
    details: PatientDetails,
    paid: DeskPayment,
    actor: Actor,
) -> UUID:
    _refuse_another_day(session, slot)
    offer = session.scalars(ON_SALE).one()
    if paid.terms_version != offer.version:
        raise TermsChanged("The offer has changed; show the patient the new terms.")
    booking = _claim(session, slot, patients.keep(session, details))
    booking.status = BookingStatus.CONFIRMED
    booking.confirmed_at = booking.created_at
    session.add(booking)
    session.flush()
    payment = _payment(session, booking, offer, paid, actor)
    ledger.record_payment(session, payment)
    promises.open_(session, payment)
    outbox.post(session, Topic.BOOKING_CONFIRMED, booking.id)
    audit.record(session, actor, "booking.walk_in", booking.id, tender=paid.tender)
    return booking.id


def _refuse_another_day(session: Session, slot: Slot) -> None:
    zone = session.scalars(select(Practice)).one().zone
    if local_day(slot[1], zone) != local_day(utc_now(), zone):
        raise Invalid(FieldError("starts_at", "not_today", "A walk-in is a visit of today."))


def _claim(session: Session, slot: Slot, patient_id: UUID) -> Booking:
    """Return a booking of a time, still to be added; others who want a time of it wait."""
    practitioner_id, starts_at = slot
    if not times.queue_up(session, practitioner_id):
        raise Invalid(FieldError("practitioner_id", "unknown", "Choose one of the doctors."))
    length = session.scalars(select(Practice)).one().visit_length
    return Booking(
        practitioner_id=practitioner_id,
        patient_id=patient_id,
        starts_at=starts_at,
        ends_at=starts_at + length,
        created_at=utc_now(),
        source="desk",
    )


def _payment(
    session: Session, booking: Booking, offer: Offer, paid: DeskPayment, actor: Actor
) -> Payment:
    """Write down what was paid, and that the terms were agreed to in front of the desk."""
    payment = Payment(
        booking_id=booking.id,
        offer_id=offer.id,
        status=PaymentStatus.PAID,
        amount_cents=offer.price_cents,
        currency=offer.currency,
        tender=paid.tender,
        reference=paid.reference.strip(),
        created_at=booking.created_at,
        paid_at=booking.created_at,
    )
    consent = TermsAcceptance(
        booking_id=booking.id,
        offer_id=offer.id,
        language=Language.EN,
        terms_hash=offer.terms_hash,
        accepted_at=booking.created_at,
        address="at the desk",
        user_agent=actor.name,
    )
    session.add_all((payment, consent))
    session.flush()
    return payment
