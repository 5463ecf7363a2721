"""The only place that asks what time it is, and where the practice's day begins and ends."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def _system_time() -> datetime:
    return datetime.now(UTC)


# Tests travel in time by replacing the source; nobody else touches it.
source: Callable[[], datetime] = _system_time


def utc_now() -> datetime:
    """Return the current instant, timezone-aware, in UTC."""
    return source()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants at which a local day starts and ends, in UTC.

    A day is 23, 24 or 25 hours long: never add 24 hours to its start.
    """
    start = datetime.combine(day, time.min, tzinfo=zone)
    end = datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)


def next_morning(after: datetime, zone: ZoneInfo) -> datetime:
    """Return nine o'clock on the practice's next local day, in UTC."""
    morning = datetime.combine(local_day(after, zone) + timedelta(days=1), time(9), tzinfo=zone)
    return morning.astimezone(UTC)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """Return the date on the practice's wall calendar at an instant."""
    return at.astimezone(zone).date()
