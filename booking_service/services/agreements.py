"""The membership agreement: signed by the patient, or on paper, and what a membership stands on."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import AgreementChanged, FieldError, Invalid, NotAllowed, NotSigned
from booking_service.languages import Language, Sentence
from booking_service.models import (
    NEWEST_AGREEMENT,
    Actor,
    AgreementSignature,
    AgreementVersion,
    Booking,
    Patient,
    Plan,
    Practice,
    Promise,
    SignedHow,
    SigningWindow,
    Topic,
    current_signature,
    has_started,
    signing_window,
)
from booking_service.services import audit, bookings, outbox
from booking_service.services.patient_details import read_name


class Ground(StrEnum):
    """What a start of a membership stands on."""

    SIGNATURE = "signature"  # the patient has signed for this plan
    PAPER = "paper"  # signed on paper; whoever starts the membership has seen it
    PROGRAM = "program"  # a program starts it, and answers for the signature itself


@dataclass(frozen=True, slots=True)
class Signing:
    """What the patient was shown, chose and typed, and from where."""

    plan_id: UUID
    price_cents: int  # a month, as it was shown
    version: int
    language: Language  # in which the text was shown
    name: str
    address: str
    user_agent: str


def sign(booking_id: UUID, signing: Signing) -> UUID:
    """Keep that the patient signed, and owe them a copy. Signing the same twice is once.

    Raises:
        Invalid: the name is none, or the plan is not on sale.
        AgreementChanged: another text or price applies than the one that was shown.
        NotAllowed: the patient is not visiting, or the membership has been started already.
    """
    name = read_name(signing.name)
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if not is_open(session, booking):
            raise NotAllowed(Sentence("The agreement can't be signed here now."))
        version = session.scalars(NEWEST_AGREEMENT).one()
        plan = _plan(session, signing.plan_id)
        if (version.version, plan.price_cents) != (signing.version, signing.price_cents):
            raise AgreementChanged(
                Sentence("The agreement has changed. Nothing was signed; please read it again.")
            )
        known = session.scalar(current_signature(booking_id))
        if known is not None and known.is_for(plan) and known.version_id == version.id:
            return known.id
        signature = _signature(session, booking, plan, version, signing.language)
        signature.signed_at = utc_now()
        signature.how = SignedHow.PHONE
        signature.signed_name = name
        signature.address = signing.address
        signature.user_agent = signing.user_agent[:400]
        _keep(session, signature, Actor.patient())
        outbox.post(session, Topic.AGREEMENT_SIGNED, signature.id)
        return signature.id


def vouch(
    session: Session, booking: Booking, plan: Plan, ground: Ground, actor: Actor, *, at: datetime
) -> UUID | None:
    """Return the signature that a membership of this plan stands on.

    Paper is noted as seen `at` that time. There is no signature when a program starts it: then the
    program answers for it, and the audit log says so.

    Raises:
        NotSigned: nobody has signed for this plan at its price, and nobody says it is on paper.
    """
    signature = session.scalar(current_signature(booking.id))
    if signature is not None and signature.is_for(plan):
        return signature.id
    if ground is Ground.PROGRAM:
        return None
    if ground is Ground.SIGNATURE:
        raise NotSigned(_how_to_mend(signature, plan))
    version = session.scalars(NEWEST_AGREEMENT).one_or_none()
    if version is None:
        raise NotSigned("No agreement is published yet. Ask the owner.")
    language = session.scalars(select(Patient.locale).where(Patient.id == booking.patient_id)).one()
    on_paper = _signature(session, booking, plan, version, language)
    on_paper.signed_at = at
    on_paper.how = SignedHow.PAPER
    on_paper.seen_by = actor.name
    _keep(session, on_paper, actor)
    return on_paper.id


def is_open(session: Session, booking: Booking) -> bool:
    """Whether the patient of a visit can sign now: there is a text, and no membership yet."""
    practice = session.scalars(select(Practice)).one()
    promise = session.scalar(select(Promise.status).where(Promise.booking_id == booking.id))
    if signing_window(booking, promise, practice.zone, utc_now()) is not SigningWindow.OPEN:
        return False
    has_text = session.scalar(select(AgreementVersion.id).limit(1)) is not None
    return has_text and not session.scalars(has_started(booking.patient_id)).one()


def _plan(session: Session, plan_id: UUID) -> Plan:
    plan = session.get(Plan, plan_id)
    if plan is None or not plan.is_on_sale:
        raise Invalid(FieldError("plan", "unknown", Sentence("Choose one of the plans")))
    return plan


def _signature(
    session: Session, booking: Booking, plan: Plan, version: AgreementVersion, language: Language
) -> AgreementSignature:
    """Begin a signature of a locked booking, the next of its visit."""
    last = select(func.coalesce(func.max(AgreementSignature.number), 0)).where(
        AgreementSignature.booking_id == booking.id
    )
    return AgreementSignature(
        booking_id=booking.id,
        number=session.scalars(last).one() + 1,
        plan_id=plan.id,
        price_cents=plan.price_cents,
        visits_a_month=plan.visits_a_month,
        version_id=version.id,
        language=language,
        text_hash=version.read_in(language).text_hash,
    )


def _keep(session: Session, signature: AgreementSignature, actor: Actor) -> None:
    session.add(signature)
    session.flush()
    audit.record(
        session,
        actor,
        "agreement.signed",
        signature.booking_id,
        signature=str(signature.id),
        plan=str(signature.plan_id),
        how=signature.how,
    )


def _how_to_mend(signature: AgreementSignature | None, plan: Plan) -> str:
    """Say why a membership of a plan can't be started, and what to do."""
    ask = f"Ask to sign for {plan.name} on the phone, or tick that it is signed on paper."
    if signature is None:
        return f"The agreement isn't signed yet. {ask}"
    if signature.plan_id == plan.id:
        return f"The price of {plan.name} has changed since it was signed. {ask}"
    return f"The agreement is signed for {signature.plan.name}. {ask}"
