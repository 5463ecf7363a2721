"""People who have more than one record: locked as one, merged and separated."""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from booking_service.db import locked, transaction
from booking_service.errors import NotAllowed, NotFound
from booking_service.models import Actor, Booking, Membership, MembershipStatus, Patient
from booking_service.services import audit

_CURRENT: Final = (MembershipStatus.PENDING, MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)


def lock(session: Session, patient_id: UUID) -> Patient:
    """Lock a person, and return the record that counts.

    Visits of a record are somebody else's once it was merged, which may be while we wait for it:
    then the other record is locked, too. Nobody merges one that was merged, so that cannot go on.
    """
    patient = locked(session, Patient, patient_id)
    if patient.merged_into_id is None:
        return patient
    return locked(session, Patient, patient.merged_into_id)


def merge(kept_id: UUID, other_id: UUID, actor: Actor) -> None:
    """Give everything of one record to another of the same person. Merging twice is once.

    Name, address and number of the one that is kept count from now on. The other one stays, so that
    whoever comes with its name and address is known, and so that `separate` can take it back.

    Raises:
        NotFound: there is no such patient.
        NotAllowed: both have a membership; or one was merged with somebody else, or forgotten.
    """
    with transaction() as session:
        kept, other = _both(session, kept_id, other_id)
        if other.merged_into_id == kept.id:
            return
        _refuse_unless_mergeable(session, kept, other)
        whose = func.coalesce(Booking.merged_from_id, other.id)
        _hand_over(session, Booking.patient_id == other.id, kept.id, whose)
        session.execute(
            update(Patient)
            .where((Patient.id == other.id) | (Patient.merged_into_id == other.id))
            .values(merged_into_id=kept.id)
        )
        audit.record(session, actor, "patient.merge", kept.id, other=str(other.id))


def separate(other_id: UUID, actor: Actor) -> None:
    """Give a record back what was its own: they were two people. Separating twice is once.

    Raises:
        NotFound: there is no such patient.
        NotAllowed: they were forgotten, or merged with somebody else, meanwhile.
    """
    with transaction() as session:
        kept_id = _merged_into(session, other_id)
        if kept_id is None:
            return
        kept, other = _both(session, kept_id, other_id)
        if other.merged_into_id != kept.id:
            raise NotAllowed("Somebody changed these records just now. Look again.")
        if other.erased_at is not None:
            raise NotAllowed("This person was forgotten; there are no two records any more.")
        _hand_over(session, Booking.merged_from_id == other.id, other.id, None)
        other.merged_into_id = None
        audit.record(session, actor, "patient.separate", kept.id, other=str(other.id))


def _both(session: Session, kept_id: UUID, other_id: UUID) -> tuple[Patient, Patient]:
    """Lock two records, always in the same order.

    Raises:
        NotFound: there are no two such records.
    """
    found = session.scalars(
        select(Patient)
        .where(Patient.id.in_((kept_id, other_id)))
        .order_by(Patient.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    records = {record.id: record for record in found}
    if len(records) != len((kept_id, other_id)):
        raise NotFound("There are no two such patients.")
    return records[kept_id], records[other_id]


def _merged_into(session: Session, patient_id: UUID) -> UUID | None:
    patient = session.get(Patient, patient_id, populate_existing=True)
    if patient is None:
        raise NotFound("There is no such patient.")
    return patient.merged_into_id


def _refuse_unless_mergeable(session: Session, kept: Patient, other: Patient) -> None:
    if kept.merged_into_id is not None or other.merged_into_id is not None:
        raise NotAllowed("One of these records was merged with another one. Look again.")
    if kept.erased_at is not None or other.erased_at is not None:
        raise NotAllowed("One of these people was forgotten.")
    both = select(func.count()).where(
        Membership.patient_id.in_((kept.id, other.id)), Membership.status.in_(_CURRENT)
    )
    if session.scalar(both) == len((kept, other)):
        raise NotAllowed("Both have a membership. End one of them first, then merge.")


def _hand_over(
    session: Session,
    which: ColumnElement[bool],
    patient_id: UUID,
    merged_from: ColumnElement[UUID] | None,
) -> None:
    """Give visits to another record, the memberships that began at them, and their follow-ups."""
    moved = update(Booking).where(which).returning(Booking.id)
    given = {"patient_id": patient_id, "merged_from_id": merged_from}
    visits = session.scalars(moved.values(given)).all()
    theirs = update(Membership).where(Membership.booking_id.in_(visits)).returning(Membership.id)
    memberships = session.scalars(theirs.values(patient_id=patient_id)).all()
    follow_ups = update(Booking).where(Booking.membership_id.in_(memberships))
    session.execute(follow_ups.values(patient_id=patient_id))
