"""Times a visit may be at: offered by the practice, and given to one patient at a time."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.errors import FieldError, Invalid
from booking_service.languages import Sentence
from booking_service.models import Practice, Practitioner, TimeOff, WorkingHours
from booking_service.models.timetable import is_offered

# What refuses a second live booking of a practitioner at one time.
NO_OVERLAP: Final = "ex_bookings_no_overlap"


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
    is_bookable = session.scalar(
        select(Practitioner.is_bookable)
        .where(Practitioner.id == practitioner_id)
        .with_for_update(key_share=True)
    )
    return bool(is_bookable)


def visit_length(session: Session, practitioner_id: UUID, starts_at: datetime) -> timedelta:
    """Return how long a visit at an offered time takes, and queue up for the practitioner.

    Raises:
        Invalid: it is not a time that is offered: past, too soon, too far, or outside hours.
    """
    if not queue_up(session, practitioner_id):
        detail = Sentence("Choose one of our doctors")
        raise Invalid(FieldError("practitioner_id", "unknown", detail))
    practice = session.scalars(select(Practice)).one()
    hours = session.scalars(
        select(WorkingHours).where(WorkingHours.practitioner_id == practitioner_id)
    ).all()
    time_off = session.scalars(
        select(TimeOff).where(
            (TimeOff.practitioner_id == practitioner_id) | TimeOff.practitioner_id.is_(None),
            TimeOff.ends_at > starts_at,
            TimeOff.starts_at < starts_at + practice.visit_length,
        )
    ).all()
    if not is_offered(practice, hours, time_off, starts_at, utc_now()):
        detail = Sentence("Choose one of the times shown")
        raise Invalid(FieldError("starts_at", "not_offered", detail))
    return practice.visit_length
