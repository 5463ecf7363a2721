"""Reminders: which visits are soon, each reminded of once at the time it has."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import func

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.models import AuditRow, Booking, BookingStatus, Practice, Reminder, Topic
from booking_service.services import outbox

# Two messages about when a visit is are at least this far apart.
_QUIET: Final = timedelta(hours=4)
_SWEEP_AT_MOST: Final = 500


def sweep() -> int:
    """Owe a reminder of every visit that is near and was not told of lately; return how many.

    Whether it is still true is decided when it is sent. Sweeps may run side by side: the database
    takes each reminder once.
    """
    with transaction() as session:
        practice = session.scalars(select(Practice)).one()
        first, last = (
            timedelta(hours=hours)
            for hours in (practice.first_reminder_hours, practice.last_reminder_hours)
        )
        now = utc_now()
        # So late that the last reminder follows soon, the first says nothing new.
        day_before = _owe(session, Topic.VISIT_REMINDER, (now + last + _QUIET, now + first))
        soon = _owe(session, Topic.VISIT_SOON, (now, now + last))
        return day_before + soon


def _owe(session: Session, topic: Topic, between: tuple[datetime, datetime]) -> int:
    """Post the reminders of visits that start after the first and not after the second instant."""
    visits = (
        select(func.gen_random_uuid(), Booking.id, literal(topic.value), Booking.moves)
        .where(
            Booking.status == BookingStatus.CONFIRMED,
            Booking.starts_at > between[0],
            Booking.starts_at <= between[1],
            _was_not_told_lately(utc_now() - _QUIET),
            ~_is_owed(topic),
        )
        .order_by(Booking.starts_at)
        .limit(_SWEEP_AT_MOST)
    )
    new = (
        insert(Reminder)
        .from_select(["id", "booking_id", "topic", "moves"], visits)
        .on_conflict_do_nothing()
        .returning(Reminder.id)
    )
    reminders: Sequence[UUID] = session.scalars(new).all()
    for reminder_id in reminders:
        outbox.post(session, topic, reminder_id)
    return len(reminders)


def _is_owed(topic: Topic) -> ColumnElement[bool]:
    return exists().where(
        Reminder.booking_id == Booking.id,
        Reminder.topic == topic,
        Reminder.moves == Booking.moves,
    )


def _was_not_told_lately(since: datetime) -> ColumnElement[bool]:
    """Whether a visit was neither confirmed nor moved since."""
    moved = exists().where(
        AuditRow.subject_id == Booking.id, AuditRow.action == "booking.moved", AuditRow.at > since
    )
    return and_(Booking.confirmed_at <= since, ~moved)
