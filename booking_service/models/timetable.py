"""Which times a practitioner offers on a local day. Pure: it reads no clock and no database.

The wall clock rules: somebody works whenever the clock on the wall reads a time inside the working
hours. On the night the clocks go back that reading comes twice, and both are worked; on the night
they go forward some readings never come, and nobody works then.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from booking_service.clock import day_bounds, local_day
from booking_service.models.bookings import BookingKind
from booking_service.models.practice import Practice
from booking_service.models.schedule import TimeOff, WorkingHours

_SECOND: Final = timedelta(seconds=1)


class Shift(NamedTuple):
    """A span of one weekday in which somebody works, in minutes of the wall clock."""

    weekday: int  # Monday is 0
    opens_minute: int
    closes_minute: int


class Absence(NamedTuple):
    """A span in which somebody does not work."""

    starts_at: datetime
    ends_at: datetime


class _Pace(NamedTuple):
    visit: timedelta
    grid: timedelta
    past_midnight: (
        bool  # work goes on in the next day: a visit may begin in one and end in the other
    )


def offered(
    practice: Practice,
    hours: Iterable[WorkingHours | Shift],
    time_off: Iterable[TimeOff | Absence],
    day: date,
    kind: BookingKind = BookingKind.FIRST,
) -> list[datetime]:
    """Return when a visit to one practitioner may start on a local day, in UTC and in order.

    Bookings, lead time and horizon are not looked at. `hours` and `time_off` are those of the
    practitioner and of everybody; other weekdays and other days among them do no harm.
    """
    starts, ends = day_bounds(day, practice.zone)
    visit = practice.length_of(kind)
    hours = list(hours)
    shifts = {(h.opens_minute, h.closes_minute) for h in hours if h.weekday == day.weekday()}
    away = {
        Absence(off.starts_at, off.ends_at)
        for off in time_off
        if off.starts_at < ends + visit and starts < off.ends_at
    }
    tomorrow = (day + timedelta(days=1)).weekday()
    past_midnight = any(
        h.weekday == tomorrow
        and h.opens_minute == 0
        and timedelta(minutes=h.closes_minute) >= visit
        for h in hours
    )
    grid = timedelta(minutes=practice.grid_minutes)
    pace = _Pace(visit, grid, past_midnight)
    return list(_starts(practice.timezone, day, pace, frozenset(shifts), frozenset(away)))


def window(practice: Practice, now: datetime) -> tuple[datetime, datetime]:
    """Return from when, and until before when, a visit may start if it is booked now."""
    last_day = local_day(now, practice.zone) + timedelta(days=practice.horizon_days)
    _, closes = day_bounds(last_day, practice.zone)
    return now + timedelta(minutes=practice.lead_minutes), closes


def is_offered(
    practice: Practice,
    hours: Iterable[WorkingHours | Shift],
    time_off: Iterable[TimeOff | Absence],
    starts_at: datetime,
    now: datetime,
    *,
    kind: BookingKind = BookingKind.FIRST,
) -> bool:
    """Return whether one practitioner offers a visit at an instant, if it is booked now."""
    opens, closes = window(practice, now)
    if not opens <= starts_at < closes:
        return False
    day = local_day(starts_at, practice.zone)
    return starts_at in offered(practice, hours, time_off, day, kind)


# Every visitor asks for the same few days: three practitioners for a month are 90 answers.
@lru_cache(maxsize=2048)
def _starts(
    timezone: str,
    day: date,
    pace: _Pace,
    shifts: frozenset[tuple[int, int]],
    away: frozenset[Absence],
) -> tuple[datetime, ...]:
    zone, visit = ZoneInfo(timezone), pace.visit
    _, midnight = day_bounds(day, zone)
    return tuple(
        sorted(
            {
                start
                for opens, closes in shifts
                for start in _steps(_spans(opens, closes, day, zone), pace, midnight)
                if not any(off.starts_at < start + visit and start < off.ends_at for off in away)
            }
        )
    )


def _steps(
    spans: list[tuple[datetime, datetime]], pace: _Pace, midnight: datetime
) -> Iterator[datetime]:
    for since, until in spans:
        last = until if pace.past_midnight and until == midnight else until - pace.visit + _SECOND
        # Spans of one shift share one grid, which begins when the first of them opens.
        start = since + (spans[0][0] - since) % pace.grid
        while start < last:
            yield start
            start += pace.grid


def _spans(
    opens_minute: int, closes_minute: int, day: date, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """Return the spans of real time in which the wall clock reads a time inside the shift."""
    reading = datetime.combine(day, time.min, tzinfo=UTC)
    opens = reading + timedelta(minutes=opens_minute)
    closes = reading + timedelta(minutes=closes_minute)
    spans: list[tuple[datetime, datetime]] = []
    for since, until in _steady(day, zone):
        offset = _offset(since, zone)
        first, last = max(since, opens - offset), min(until, closes - offset)
        if first >= last:
            continue
        if spans and spans[-1][1] == first:
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _steady(day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Return a local day as spans in which the clocks do not change: one, or two on those days."""
    since, until = day_bounds(day, zone)
    if since >= until:
        return []  # a day the calendar skipped, as Samoa did on 30 December 2011
    if _offset(since, zone) == _offset(until - _SECOND, zone):
        return [(since, until)]
    before, after = since, until - _SECOND
    while after - before > _SECOND:
        middle = before + (after - before) // 2 // _SECOND * _SECOND
        if _offset(middle, zone) == _offset(since, zone):
            before = middle
        else:
            after = middle
    return [(since, after), (after, until)]


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    if offset is None:
        raise ValueError(f"{zone} has no offset")  # ZoneInfo always has one
    return offset
