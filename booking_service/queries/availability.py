"""Free times, by the practice's local day.

The most asked question of the service: it reads columns, not objects, in four statements whatever
the number of days, and works the times out from them. Nothing is remembered between requests except
what depends on no booking, so an answer is never older than its question.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select, true

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Sentence
from booking_service.models import (
    LIVE,
    Booking,
    BookingKind,
    Practice,
    Practitioner,
    TimeOff,
    WorkingHours,
)
from booking_service.models.timetable import Absence, Shift, offered, window

_ONE_DAY: Final = timedelta(days=1)
_ALTERNATIVES: Final = 3
_NEAR: Final = timedelta(hours=6)
_SOONEST_DAYS: Final = 7


class Slot(NamedTuple):
    """A free span of one practitioner's time. A tuple: a month of them is thousands."""

    practitioner_id: UUID
    practitioner: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Day:
    """A local day: its free times, or why the whole practice is closed."""

    date: date
    slots: list[Slot]
    closed: str | None


class _Column(NamedTuple):
    """One practitioner and what is needed to work out their free times."""

    id: UUID
    name: str
    shifts: list[Shift]
    away: list[Absence]  # including when everybody is
    busy: list[Absence]  # bookings, in order; they never overlap


class _Closure(NamedTuple):
    span: Absence
    reason: str


def practitioners() -> Sequence[Practitioner]:
    """Return those who can be booked, in the order of the desk."""
    return db.session.scalars(
        select(Practitioner).where(Practitioner.is_bookable).order_by(Practitioner.position)
    ).all()


def free_days(
    first: date,
    days: int,
    practitioner_id: UUID | None = None,
    kind: BookingKind = BookingKind.FIRST,
) -> list[Day]:
    """Return the free times of local days, in order; of one practitioner, or of all.

    `kind` says how long a visit has to fit: a follow-up finds room where a first visit does not.
    """
    practice = the_practice()
    zone = practice.zone
    since, _ = day_bounds(first, zone)
    until, _ = day_bounds(first + timedelta(days=days), zone)
    length = practice.length_of(kind)
    last_end = until + length  # of a visit that begins before midnight
    closures, absences = _time_off(since, last_end)
    columns = _columns(since, last_end, practitioner_id, closures, absences)
    opens, closes = window(practice, utc_now())
    answer = []
    for day in (first + timedelta(days=number) for number in range(days)):
        slots = [
            Slot(column.id, column.name, start, start + length)
            for column in columns
            for start in _free(practice, column, day, kind)
            if opens <= start < closes
        ]
        # The sort is stable: practitioners stay in the order of the desk.
        slots.sort(key=_starts_at)
        answer.append(Day(day, slots, _closed(practice, columns, closures, day)))
    return answer


def soonest(count: int, practitioner_id: UUID | None = None) -> list[Slot]:
    """Return the next free times, at most `count`."""
    practice = the_practice()
    today = local_day(utc_now(), practice.zone)
    found: list[Slot] = []
    for week in range(0, practice.horizon_days + 1, _SOONEST_DAYS):
        for day in free_days(today + timedelta(days=week), _SOONEST_DAYS, practitioner_id):
            found += day.slots
        if len(found) >= count:
            break
    return found[:count]


def everything() -> list[Slot]:
    """Return every free time there is, in order."""
    practice = the_practice()
    days = free_days(local_day(utc_now(), practice.zone), practice.horizon_days + 1)
    return [slot for day in days for slot in day.slots]


def alternatives(practitioner_id: UUID, starts_at: datetime) -> list[Slot]:
    """Return what to offer instead of a taken time: the three nearest, in order of time.

    One of them is with the same practitioner, if that practitioner has a free time at all.
    """
    zone = the_practice().zone
    # Nearly always enough, and cheap when two hundred people lose the same race.
    first = local_day(starts_at - _NEAR, zone)
    last = local_day(starts_at + _NEAR, zone)
    slots = [
        slot
        for day in free_days(first, (last - first).days + 1)
        for slot in day.slots
        if abs(slot.starts_at - starts_at) <= _NEAR
    ]
    if len(slots) < _ALTERNATIVES or all(s.practitioner_id != practitioner_id for s in slots):
        slots = everything()
    slots.sort(key=lambda slot: abs(slot.starts_at - starts_at))
    same = [slot for slot in slots if slot.practitioner_id == practitioner_id][:1]
    others = [slot for slot in slots if slot not in same][: _ALTERNATIVES - len(same)]
    return sorted(same + others, key=_starts_at)


def the_practice() -> Practice:
    """Return the practice.

    Raises:
        NotFound: it has not been set up yet.
    """
    practice: Practice | None = db.session.scalar(select(Practice))
    if practice is None:
        raise NotFound(Sentence("The practice has not been set up yet."))
    return practice


def _columns(
    since: datetime,
    until: datetime,
    practitioner_id: UUID | None,
    closures: Iterable[_Closure],
    absences: dict[UUID, list[Absence]],
) -> list[_Column]:
    wanted = true() if practitioner_id is None else Practitioner.id == practitioner_id
    rows = db.session.execute(
        select(
            Practitioner.id,
            Practitioner.name,
            WorkingHours.weekday,
            WorkingHours.opens_minute,
            WorkingHours.closes_minute,
        )
        .join(WorkingHours, WorkingHours.practitioner_id == Practitioner.id)
        .where(Practitioner.is_bookable, wanted)
        .order_by(Practitioner.position, Practitioner.id)
    )
    everybody = [closure.span for closure in closures]
    busy = _busy(since, until)
    columns: dict[UUID, _Column] = {}
    for id_, name, weekday, opens, closes in rows:
        if id_ not in columns:
            away = everybody + absences.get(id_, [])
            columns[id_] = _Column(id_, name, [], away, busy.get(id_, []))
        columns[id_].shifts.append(Shift(weekday, opens, closes))
    return list(columns.values())


def _busy(since: datetime, until: datetime) -> dict[UUID, list[Absence]]:
    rows = db.session.execute(
        select(Booking.practitioner_id, Booking.starts_at, Booking.ends_at)
        .where(
            Booking.status.in_(sorted(LIVE)),
            # A visit is shorter than a day: this lets the index on starts_at answer.
            Booking.starts_at > since - _ONE_DAY,
            Booking.starts_at < until,
            Booking.ends_at > since,
        )
        .order_by(Booking.starts_at)
    )
    busy: dict[UUID, list[Absence]] = defaultdict(list)
    for id_, starts_at, ends_at in rows:
        busy[id_].append(Absence(starts_at, ends_at))
    return busy


def _time_off(since: datetime, until: datetime) -> tuple[list[_Closure], dict[UUID, list[Absence]]]:
    rows = db.session.execute(
        select(TimeOff.practitioner_id, TimeOff.starts_at, TimeOff.ends_at, TimeOff.reason)
        .where(TimeOff.starts_at < until, TimeOff.ends_at > since)
        .order_by(TimeOff.starts_at)
    )
    closures: list[_Closure] = []
    absences: dict[UUID, list[Absence]] = defaultdict(list)
    for id_, starts_at, ends_at, reason in rows:
        if id_ is None:
            closures.append(_Closure(Absence(starts_at, ends_at), reason))
        else:
            absences[id_].append(Absence(starts_at, ends_at))
    return closures, absences


def _free(practice: Practice, column: _Column, day: date, kind: BookingKind) -> Iterable[datetime]:
    starts = offered(practice, column.shifts, column.away, day, kind)
    if not column.busy:
        return starts
    return _without(starts, column.busy, practice.length_of(kind))


def _without(
    starts: Sequence[datetime], busy: Sequence[Absence], visit: timedelta
) -> Iterable[datetime]:
    """Yield those starts whose visit meets no booking; both are in order."""
    number = bisect_right(busy, starts[0], key=_ends_at) if starts else 0
    for start in starts:
        while number < len(busy) and busy[number].ends_at <= start:
            number += 1
        if number == len(busy) or start + visit <= busy[number].starts_at:
            yield start


def _closed(
    practice: Practice, columns: Iterable[_Column], closures: Iterable[_Closure], day: date
) -> str | None:
    """Return why nobody works on a day, when it is because the practice is closed."""
    starts, ends = day_bounds(day, practice.zone)
    that_day = [c for c in closures if c.span.starts_at < ends and starts < c.span.ends_at]
    spans = [closure.span for closure in that_day]
    if not that_day or any(offered(practice, column.shifts, spans, day) for column in columns):
        return None
    return that_day[0].reason


def _starts_at(slot: Slot) -> datetime:
    return slot.starts_at


def _ends_at(span: Absence) -> datetime:
    return span.ends_at
