"""One day at the front desk: who comes, to whom, and how far each visit is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.models import (
    Booking,
    BookingKind,
    BookingStatus,
    Practice,
    Practitioner,
    TimeOff,
    WorkingHours,
)
from booking_service.queries.desk_visits import (
    HELD_AT_THE_DESK,
    JOINED,
    VISITS,
    WITH_PEOPLE,
    DeskState,
    Visit,
    visits_of,
)

_NOT_COUNTED: Final = frozenset({DeskState.UNPAID, DeskState.CANCELLED})


@dataclass(frozen=True, slots=True)
class Off:
    """A span of the day in which a practitioner does not see patients, and why."""

    starts_at: datetime
    ends_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Column:
    """One practitioner's day. Hours are the open spans of the weekday, in order."""

    practitioner_id: UUID
    practitioner: str
    room: str
    hours: Sequence[tuple[datetime, datetime]]
    off: Sequence[Off]


@dataclass(frozen=True, slots=True)
class DayBoard:
    """A local day: columns in the desk's order, visits by time, and the day's tally."""

    date: date
    zone: ZoneInfo
    columns: Sequence[Column]
    visits: Sequence[Visit]
    first_visits: int  # all but the cancelled, and those still to be paid
    became_members: int
    refunded_cents: int  # of these visits, because of a membership


def day(date: date) -> DayBoard:
    """Return everything the desk shows of one day on the practice's calendar."""
    practice = db.session.scalars(select(Practice)).one()
    starts_at, ends_at = day_bounds(date, practice.zone)
    bookings = db.session.scalars(
        select(Booking)
        .where(
            Booking.starts_at >= starts_at,
            Booking.starts_at < ends_at,
            or_(Booking.status.in_(VISITS), HELD_AT_THE_DESK),
        )
        .options(*WITH_PEOPLE)
        .order_by(Booking.starts_at, Booking.id)
    ).all()
    visits = visits_of(bookings)
    return DayBoard(
        date=date,
        zone=practice.zone,
        columns=_columns(date, practice.zone, {booking.practitioner_id for booking in bookings}),
        visits=visits,
        first_visits=sum(
            visit.kind is BookingKind.FIRST and visit.state not in _NOT_COUNTED for visit in visits
        ),
        became_members=sum(visit.membership_status in JOINED for visit in visits),
        refunded_cents=sum(visit.returned_cents for visit in visits),
    )


def next_day_with_visits(after: date) -> date | None:
    """Return the next local day on which somebody is expected, if any is booked."""
    practice = db.session.scalars(select(Practice)).one()
    starts_at = db.session.scalar(
        select(Booking.starts_at)
        .where(
            Booking.starts_at >= day_bounds(after, practice.zone)[1],
            Booking.status == BookingStatus.CONFIRMED,
        )
        .order_by(Booking.starts_at)
        .limit(1)
    )
    return starts_at.astimezone(practice.zone).date() if starts_at else None


def _columns(date: date, zone: ZoneInfo, visited: set[UUID]) -> list[Column]:
    """Return the practitioners who can be booked, and any who have a visit that day anyway."""
    practitioners = db.session.scalars(
        select(Practitioner)
        .where(or_(Practitioner.is_bookable, Practitioner.id.in_(visited)))
        .order_by(Practitioner.position, Practitioner.name)
    ).all()
    midnight = datetime.combine(date, time.min, tzinfo=zone)
    hours: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for row in db.session.scalars(
        select(WorkingHours)
        .where(WorkingHours.weekday == date.weekday())
        .order_by(WorkingHours.opens_minute)
    ):
        # Minutes of the wall clock: added before the zone turns them into instants.
        opens = midnight + timedelta(minutes=row.opens_minute)
        closes = midnight + timedelta(minutes=row.closes_minute)
        hours.setdefault(row.practitioner_id, []).append((opens, closes))
    starts_at, ends_at = day_bounds(date, zone)
    off = db.session.scalars(
        select(TimeOff)
        .where(TimeOff.starts_at < ends_at, TimeOff.ends_at > starts_at)
        .order_by(TimeOff.starts_at)
    ).all()
    return [
        Column(
            practitioner_id=one.id,
            practitioner=one.name,
            room=one.room,
            hours=hours.get(one.id, []),
            off=[
                Off(max(row.starts_at, starts_at), min(row.ends_at, ends_at), row.reason)
                for row in off
                if row.practitioner_id in (None, one.id)
            ],
        )
        for one in practitioners
    ]
