"""How money and time become words. Pages use these and nothing else."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from flask import Flask

from booking_service import money
from booking_service.clock import utc_now


def clock_time(at: datetime, zone: ZoneInfo) -> str:
    """Return a time of day: "9:20 AM"."""
    return at.astimezone(zone).strftime("%I:%M %p").lstrip("0")


def short_day(at: datetime | date, zone: ZoneInfo) -> str:
    """Return a day in lists: "Mon, Nov 23", with the year when it is not this one."""
    day = at.astimezone(zone).date() if isinstance(at, datetime) else at
    year = "" if day.year == utc_now().astimezone(zone).year else f", {day.year}"
    return f"{day:%a, %b} {day.day}{year}"


def long_day(at: datetime | date, zone: ZoneInfo) -> str:
    """Return a day where somebody decides: "Monday, November 23"."""
    day = at.astimezone(zone).date() if isinstance(at, datetime) else at
    year = "" if day.year == utc_now().astimezone(zone).year else f", {day.year}"
    return f"{day:%A, %B} {day.day}{year}"


def span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Return a range of times: "9:20-10:05 AM" with an en dash."""
    start, end = clock_time(starts_at, zone), clock_time(ends_at, zone)
    if start[-2:] == end[-2:]:
        start = start[:-3]
    return f"{start}\N{EN DASH}{end}"


def zone_name(at: datetime, zone: ZoneInfo) -> str:
    """Return the zone's short name as people say it all year: "ET" for EST and EDT."""
    name = at.astimezone(zone).tzname() or zone.key
    is_american = len(name) == len("EST") and name.endswith(("ST", "DT"))
    return name[0] + "T" if is_american else name


def register(app: Flask) -> None:
    """Give the templates their formatters."""
    app.jinja_env.filters.update(
        dollars=money.dollars,
        headline=money.headline,
        clock_time=clock_time,
        short_day=short_day,
        long_day=long_day,
        zone_name=zone_name,
    )
    app.jinja_env.globals.update(span=span)
