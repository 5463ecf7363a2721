"""The membership agreement as patients sign it, and as it was signed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Language, Sentence
from booking_service.models import (
    NEWEST_AGREEMENT,
    AgreementSignature,
    Booking,
    Membership,
    Patient,
    Practice,
    Promise,
    SignedHow,
    SigningWindow,
    current_signature,
    has_started,
    signing_window,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """The signature of a visit that counts. The price is a month's, in US cents."""

    id: UUID
    plan_id: UUID
    plan: str
    visits_a_month: int
    price_cents: int  # as it was when it was signed
    version: int
    language: Language
    text: str
    text_hash: str
    how: SignedHow
    signed_at: datetime
    name: str | None  # as typed; none on paper
    address: str | None  # the network address it came from
    seen_by: str | None  # who saw the paper
    is_for_sale: bool  # the plan still is, at this price: a membership can be started from it


@dataclass(frozen=True, slots=True)
class ToSign:
    """What a patient is asked to sign, in one language, and whether it can be signed now."""

    window: SigningWindow
    patient: str
    locale: Language
    booked_by: str | None
    version: int | None  # none: no agreement is published yet
    text: str
    signed: Signed | None
    has_started: bool  # the membership; nothing is signed any more


def signed(booking_id: UUID) -> Signed | None:
    """Return what was signed at a visit last, or None when nothing was."""
    row = db.session.scalar(current_signature(booking_id).execution_options(populate_existing=True))
    return _signed(row) if row else None


def of_membership(membership: Membership) -> Signed | None:
    """Return the signature a membership stands on; None when a program started it without one."""
    row = db.session.scalar(
        select(AgreementSignature)
        .where(AgreementSignature.id == membership.signature_id)
        .options(joinedload(AgreementSignature.plan), joinedload(AgreementSignature.version))
        .execution_options(populate_existing=True)
    )
    return _signed(row) if row else None


def to_sign(booking_id: UUID, language: Language) -> ToSign:
    """Return what the patient of a visit may sign.

    Raises:
        NotFound: there is no such booking, or nobody has given their name for it yet.
    """
    row = db.session.execute(
        select(Booking, Patient, Promise.status)
        .join(Patient, Patient.id == Booking.patient_id)
        .outerjoin(Promise, Promise.booking_id == Booking.id)
        .where(Booking.id == booking_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(Sentence("There is no such booking."))
    booking, patient, promise = row
    zone = db.session.scalars(select(Practice)).one().zone
    newest = db.session.scalar(NEWEST_AGREEMENT)
    return ToSign(
        window=signing_window(booking, promise, zone, utc_now()),
        patient=patient.name,
        locale=patient.locale,
        booked_by=booking.booked_by,
        version=newest.version if newest else None,
        text=newest.read_in(language).text if newest else "",
        signed=signed(booking_id),
        has_started=db.session.scalars(has_started(patient.id)).one(),
    )


def locale(booking_id: UUID) -> Language | None:
    """Return the language somebody booked in, if they have said who they are."""
    return db.session.scalar(
        select(Patient.locale)
        .join(Booking, Booking.patient_id == Patient.id)
        .where(Booking.id == booking_id)
    )


def _signed(row: AgreementSignature) -> Signed:
    return Signed(
        id=row.id,
        plan_id=row.plan_id,
        plan=row.plan.name,
        visits_a_month=row.visits_a_month,
        price_cents=row.price_cents,
        version=row.version.version,
        language=row.language,
        text=row.version.read_in(row.language).text,
        text_hash=row.text_hash,
        how=row.how,
        signed_at=row.signed_at,
        name=row.signed_name,
        address=row.address,
        seen_by=row.seen_by,
        is_for_sale=row.plan.is_on_sale and row.is_for(row.plan),
    )
