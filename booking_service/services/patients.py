"""Patients: whether the offer is still for them, and forgetting them."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import Exists, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import NotAllowed, NotANewPatient, NotFound, TooManyHolds
from booking_service.languages import Sentence
from booking_service.models import (
    LIVE,
    VISITING,
    Actor,
    AgreementSignature,
    Booking,
    BookingStatus,
    Membership,
    MembershipStatus,
    Patient,
    Payment,
    Refund,
    RefundStatus,
    SignedHow,
    TermsAcceptance,
    VisitNote,
    name_key,
)
from booking_service.services import audit, bookings, newcomers, people
from booking_service.services.patient_details import PatientDetails

_NO_PHONE: Final = "+10000000000"
_MOST_HOLDS: Final = 5  # with one address or number, not paid for
_ANY_NUMBER: Final = 2**31 - 1  # what the desk keeps is paid for
_NOT_NEW: Final = Sentence(
    "This offer is for a first visit. You haven't been charged. Please call us to book."
)

_TO_COME: Final = tuple(sorted(LIVE - {BookingStatus.COMPLETED}))
_CURRENT: Final = (MembershipStatus.PENDING, MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)
# Decided, and not settled for good: one that failed is still owed.
_UNDER_WAY: Final = tuple(
    set(RefundStatus)
    - {RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL, RefundStatus.SETTLED_OTHERWISE}
)


# Built once: to build such a statement takes longer than to run it.
_SAME_PERSON: Final = (Patient.name_key == bindparam("name_key")) & (
    (Patient.email == bindparam("email")) | (Patient.phone == bindparam("phone"))
)
_IS_KNOWN: Final = exists(Patient.id).where(
    _SAME_PERSON,
    exists().where(Booking.patient_id == Patient.person_id, Booking.status.in_(VISITING))
    | exists().where(Membership.patient_id == Patient.person_id),
)
_KNOWN: Final = select(_IS_KNOWN)
_THEY: Final = select(Patient.person_id).where(
    (Patient.email == bindparam("email")) | (Patient.phone == bindparam("phone"))
)
_THEIR_HOLDS: Final = select(Booking.hold_expires_at).where(
    # An array is made first, whatever the planner knows: it never goes through everybody's holds.
    Booking.patient_id == func.any(func.array(_THEY.scalar_subquery())),
    Booking.status == BookingStatus.HELD,
    Booking.hold_expires_at > bindparam("now"),
    Booking.id.is_distinct_from(bindparam("besides", type_=Booking.id.type)),
)
# Whether somebody may be kept is asked and done in one statement.
_STANDING: Final = select(
    _IS_KNOWN.label("is_known"), func.array(_THEIR_HOLDS.scalar_subquery()).label("hold_ends")
).cte("standing")
_COLUMNS: Final = ("id", "name", "name_key", "email", "phone", "locale")
_KEEP: Final = insert(Patient).from_select(
    _COLUMNS,
    select(*(bindparam(name, type_=getattr(Patient, name).type) for name in _COLUMNS)).where(
        ~_STANDING.c.is_known,
        func.cardinality(_STANDING.c.hold_ends) < bindparam("most_holds"),
    ),
)
_KEPT: Final = (
    _KEEP.on_conflict_do_update(
        index_elements=[Patient.name_key, Patient.email],
        # Only somebody without a visit comes this far: correcting a typing error is all it does.
        set_={name: _KEEP.excluded[name] for name in ("name", "phone", "locale")},
    )
    .returning(Patient.person_id.label("id"))
    .cte("kept")
)
_KEEP_IF_NEW: Final = select(
    _STANDING.c.is_known,
    _STANDING.c.hold_ends,
    select(_KEPT.c.id).scalar_subquery().label("patient_id"),
)


def set_details(booking_id: UUID, details: PatientDetails, lifetime: timedelta) -> None:
    """Say who a held time is for, and hold it for at least `lifetime` from now.

    Raises:
        HoldEnded: the time is not held any more.
        NotANewPatient: this person has had a first visit, or is a member.
        TooManyHolds: five times are kept for this address or number already, unpaid.
    """
    with transaction() as session:
        booking = bookings.held(session, booking_id)
        booking.patient_id = keep_holding(session, details, booking_id)
        booking.booked_by = details.booked_by
        booking.hold_until(utc_now() + lifetime)


def keep_holding(session: Session, details: PatientDetails, besides: UUID | None = None) -> UUID:
    """Keep who a time is held for, as part of the caller's transaction, and return their id.

    Args:
        session: the caller's.
        details: who is coming.
        besides: the booking of the time, if there is one already.

    Raises:
        NotANewPatient: this person has had a first visit, or is a member.
        TooManyHolds: five times are kept for this address or number already, unpaid.
    """
    # Counted, not locked: as many requests as the web answers at one instant may pass together.
    # It says nothing of who is a patient: only what is not paid for counts.
    return _keep(session, details, _MOST_HOLDS, besides)


def keep(session: Session, details: PatientDetails) -> UUID:
    """Keep who is coming, and return their id: the same person has one row.

    Raises:
        NotANewPatient: this person has had a first visit, or is a member.
    """
    return _keep(session, details, _ANY_NUMBER)


def _keep(
    session: Session, details: PatientDetails, most_holds: int, besides: UUID | None = None
) -> UUID:
    now = utc_now()
    wanted = {
        "id": uuid4(),
        "name": details.name,
        "name_key": name_key(details.name),
        "email": details.email,
        "phone": details.phone,
        "locale": details.locale,
        "now": now,
        "besides": besides,
        "most_holds": most_holds,
    }
    kept = session.connection().execute(_KEEP_IF_NEW, wanted).one()
    if len(kept.hold_ends) >= most_holds:
        raise TooManyHolds(most_holds, sorted(kept.hold_ends)[-most_holds] - now)
    if kept.is_known:
        raise NotANewPatient(_NOT_NEW)
    patient_id: UUID = kept.patient_id
    return patient_id


def refuse_if_known(session: Session, patient: Patient) -> None:
    """Refuse the offer to somebody who has used it: the same name with the same phone or e-mail.

    The answer says only what the offer is for. It never tells a stranger that an address or a
    number is known: both halves must be known already to get it.

    Raises:
        NotANewPatient: they have a first visit, past or to come, or a membership.
    """
    person = {"name_key": patient.name_key, "email": patient.email, "phone": patient.phone}
    if session.scalar(_KNOWN, person):
        raise NotANewPatient(_NOT_NEW)


def erase(patient_id: UUID, actor: Actor) -> None:
    """Forget who somebody is. What was paid, promised and returned stays, about nobody.

    Mails still to be sent to them are not sent, and the address waits for no time any more.
    Erasing twice is once.

    Raises:
        NotFound: there is no such patient.
        NotAllowed: a visit is still to come, a membership runs, or money is on its way.
    """
    with transaction() as session:
        if session.get(Patient, patient_id) is None:
            raise NotFound("There is no such patient.")
        patient = people.lock(session, patient_id)
        if patient.erased_at is not None:
            return
        for reason, is_so in _STILL_NEEDED.items():
            if session.scalar(select(is_so(patient.id))):
                raise NotAllowed(f"Not yet: {reason}.")
        records = session.scalars(select(Patient).where(Patient.person_id == patient.id))
        for record in records:
            _erase(session, record)
        theirs = select(Booking.id).where(Booking.patient_id == patient.id)
        session.execute(
            update(TermsAcceptance)
            .where(TermsAcceptance.booking_id.in_(theirs))
            .values(address="erased", user_agent="erased")
        )
        session.execute(
            update(AgreementSignature)
            .where(
                AgreementSignature.booking_id.in_(theirs),
                AgreementSignature.how == SignedHow.PHONE,
            )
            .values(signed_name="Erased", address="erased", user_agent="erased")
        )
        session.execute(
            update(Booking).where(Booking.patient_id == patient.id).values(booked_by=None)
        )
        session.execute(delete(VisitNote).where(VisitNote.booking_id.in_(theirs)))
        audit.record(session, actor, "patient.erase", patient.id)


def _erase(session: Session, patient: Patient) -> None:
    """Leave nothing in a record that says who it was."""
    newcomers.forget(session, patient.email)
    patient.name = patient.name_key = "Erased"
    # Nobody has this address, and no other row: the index of persons goes on holding.
    patient.email = f"{patient.id}@erased.invalid"
    patient.phone = _NO_PHONE
    patient.erased_at = utc_now()


def _has_visit_to_come(patient_id: UUID) -> Exists:
    return exists().where(Booking.patient_id == patient_id, Booking.status.in_(_TO_COME))


def _has_membership(patient_id: UUID) -> Exists:
    return exists().where(Membership.patient_id == patient_id, Membership.status.in_(_CURRENT))


def _has_money_on_its_way(patient_id: UUID) -> Exists:
    """Whether money may still go back: decided and not there yet, waiting, or disputed."""
    under_way = exists().where(Refund.payment_id == Payment.id, Refund.status.in_(_UNDER_WAY))
    return exists().where(
        Payment.booking_id == Booking.id,
        Booking.patient_id == patient_id,
        Payment.disputed_at.is_not(None) | Booking.choose_until.is_not(None) | under_way,
    )


# Why somebody cannot be forgotten yet, in words for the person who asked.
_STILL_NEEDED: Final[Mapping[str, Callable[[UUID], Exists]]] = {
    "a visit is still to come": _has_visit_to_come,
    "the membership has to end first": _has_membership,
    "money is on its way back": _has_money_on_its_way,
}
