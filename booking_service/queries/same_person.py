"""Records that may be of one person, as the desk compares them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, true

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Language
from booking_service.models import (
    Booking,
    Membership,
    MembershipStatus,
    Patient,
    Plan,
)
from booking_service.queries import desk_search
from booking_service.queries.desk_visits import VISITS

_MOST: Final = 10
_CURRENT: Final = (MembershipStatus.PENDING, MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a person under one name and address."""

    patient_id: UUID
    name: str
    email: str
    phone: str
    locale: Language
    visits: int
    last_visit_at: datetime | None  # or the next one
    plan: str | None  # of the membership that runs

    def common(self, other: "Record") -> Sequence[str]:
        """Return in words what this record has in common with another one."""
        pairs = {
            "name": (self.name.casefold(), other.name.casefold()),
            "phone": (self.phone, other.phone),
            "email": (self.email, other.email),
        }
        return [word for word, (ours, theirs) in pairs.items() if ours == theirs]


@dataclass(frozen=True, slots=True)
class Person:
    """A patient's record, those that were merged into it, and those that may be the same person."""

    record: Record
    merged: Sequence[Record]
    alike: Sequence[Record]


def of_visit(booking_id: UUID, words: str = "") -> Person:
    """Return whose visit it is, and who may be the same: alike, or found by what was typed.

    Raises:
        NotFound: there is no such booking, or nobody has given their name for it yet.
    """
    patient = _patient_of(booking_id)
    fits = desk_search.people(words) if words else _is_like(patient)
    return Person(
        record=_records(Patient.id == patient.id)[0],
        merged=_records(Patient.merged_into_id == patient.id),
        alike=_records(_another(patient, fits)) if fits is not None else [],
    )


def is_alike(booking_id: UUID) -> bool:
    """Return whether another record has the name, the address or the number of a visit's patient.

    Raises:
        NotFound: as for `of_visit`.
    """
    patient = _patient_of(booking_id)
    return bool(db.session.scalar(select(exists().where(_another(patient, _is_like(patient))))))


def _patient_of(booking_id: UUID) -> Patient:
    of_booking = select(Patient).join(Booking, Booking.patient_id == Patient.id)
    patient = db.session.scalar(of_booking.where(Booking.id == booking_id))
    if patient is None:
        raise NotFound("There is no such visit.")
    return patient


def _another(patient: Patient, fits: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a record fits, is another one, and is of somebody who has a visit."""
    has_visits = exists().where(Booking.patient_id == Patient.id, Booking.status.in_(VISITS))
    return and_(
        fits,
        Patient.id != patient.id,
        Patient.merged_into_id.is_(None),
        Patient.erased_at.is_(None),
        has_visits,
    )


def _is_like(patient: Patient) -> ColumnElement[bool]:
    return or_(
        Patient.phone == patient.phone,
        Patient.email == patient.email,
        Patient.name_key == patient.name_key,
    )


def _records(which: ColumnElement[bool]) -> list[Record]:
    visits = (
        select(func.count().label("count"), func.max(Booking.starts_at).label("last_at"))
        # A merged record shows what came from it.
        .where(func.coalesce(Booking.merged_from_id, Booking.patient_id) == Patient.id)
        .where(Booking.status.in_(VISITS))
        .lateral()
    )
    plan = (
        select(Plan.name)
        .join(Membership, Membership.plan_id == Plan.id)
        .where(Membership.patient_id == Patient.id, Membership.status.in_(_CURRENT))
        .scalar_subquery()
    )
    rows = db.session.execute(
        select(Patient, visits.c.count, visits.c.last_at, plan)
        .join(visits, true())
        .where(which)
        .order_by(visits.c.last_at.desc().nulls_last(), Patient.id)
        .limit(_MOST)
    )
    return [
        Record(one.id, one.name, one.email, one.phone, one.locale, count, last_at, plan_name)
        for one, count, last_at, plan_name in rows
    ]
