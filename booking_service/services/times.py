"""Times a visit may be at: offered by the practice, and given to one patient at a time."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Interval, and_, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.errors import FieldError, Invalid
from booking_service.languages import Sentence
from booking_service.models import BookingKind, Practice, Practitioner, TimeOff, WorkingHours
from booking_service.models.timetable import Absence, Shift, is_offered

# What refuses a second live booking of a practitioner at one time.
NO_OVERLAP: Final = "ex_bookings_no_overlap"

# Built once: to build such a statement takes longer than to run it.
_BOOKABLE: Final = (
    select(Practitioner.is_bookable)
    .where(Practitioner.id == bindparam("practitioner_id"))
    .with_for_update(key_share=True)
)
_STARTS_AT: Final = bindparam("starts_at", type_=TimeOff.starts_at.type)
_MINUTE: Final = literal_column("interval '1 minute'", Interval)
# What `is_offered` reads of a practice.
_RULES: Final = (
    *("timezone", "visit_minutes", "follow_up_minutes", "grid_minutes", "lead_minutes"),
    "horizon_days",
)
_LONGEST: Final = func.greatest(Practice.visit_minutes, Practice.follow_up_minutes)
# The practice's rules, and every span of work beside every absence around a time: who never works
# offers nothing.
_WORK: Final = (
    select(
        *(getattr(Practice, name) for name in _RULES),
        WorkingHours.weekday,
        WorkingHours.opens_minute,
        WorkingHours.closes_minute,
        TimeOff.starts_at,
        TimeOff.ends_at,
    )
    .select_from(Practice)
    .outerjoin(WorkingHours, WorkingHours.practitioner_id == bindparam("practitioner_id"))
    .outerjoin(
        TimeOff,
        and_(
            (TimeOff.practitioner_id == WorkingHours.practitioner_id)
            | TimeOff.practitioner_id.is_(None),
            TimeOff.ends_at > _STARTS_AT,
            TimeOff.starts_at < _STARTS_AT + _LONGEST * _MINUTE,
        ),
    )
)


class Slot(NamedTuple):
    """A span of one practitioner's time."""

    practitioner_id: UUID
    starts_at: datetime
    ends_at: datetime


def queue_up(session: Session, practitioner_id: UUID) -> bool:
    """Wait for others who are taking a time of this practitioner; return whether patients may.

    Without the queue two who take overlapping times can wait for each other inside the
    constraint, which would end in a deadlock.
    """
    return bool(session.connection().scalar(_BOOKABLE, {"practitioner_id": practitioner_id}))


def visit_length(
    session: Session,
    practitioner_id: UUID,
    starts_at: datetime,
    kind: BookingKind = BookingKind.FIRST,
) -> timedelta:
    """Return how long a visit at an offered time takes, and queue up for the practitioner.

    Raises:
        Invalid: it is not a time that is offered: past, too soon, too far, or outside hours.
    """
    if not queue_up(session, practitioner_id):
        detail = Sentence("Choose one of our doctors")
        raise Invalid(FieldError("practitioner_id", "unknown", detail))
    asked = {"practitioner_id": practitioner_id, "starts_at": starts_at}
    rows = session.connection().execute(_WORK, asked).all()
    practice = Practice(**{name: getattr(rows[0], name) for name in _RULES})
    spans = (row for row in rows if row.weekday is not None)
    hours = {Shift(row.weekday, row.opens_minute, row.closes_minute) for row in spans}
    length = practice.length_of(kind)
    time_off = {Absence(row.starts_at, row.ends_at) for row in rows if row.starts_at}
    if not is_offered(practice, hours, time_off, starts_at, utc_now(), kind=kind):
        detail = Sentence("Choose one of the times shown")
        raise Invalid(FieldError("starts_at", "not_offered", detail))
    return length
