"""How money and time become words. Pages use these and nothing else."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from flask import Flask

from booking_service import money
from booking_service.clock import utc_now
from booking_service.languages import Language
from booking_service.web.languages import current


class Forms(NamedTuple):
    """How a language writes time, in the letters of Unicode's date patterns (CLDR)."""

    clock: str
    short_day: str
    long_day: str
    year: str


_FORMS: Final[Mapping[Language, Forms]] = {
    Language.EN: Forms("h:mm a", "EEE, MMM d", "EEEE, MMMM d", ", y"),
    # "9:20" and "a. m." stay on one line.
    Language.ES: Forms("h:mm\N{NO-BREAK SPACE}a", "EEE, d MMM", "EEEE d 'de' MMMM", " 'de' y"),
}


def clock_time(at: datetime, zone: ZoneInfo) -> str:
    """Return a time of day: "9:20 AM"."""
    return _time(at, zone, _FORMS[current()].clock)


def said_time(at: datetime, zone: ZoneInfo) -> str:
    """Return a time as a sentence says it: Spanish has an article, "las 9:20" but "la 1:20"."""
    written = clock_time(at, zone)
    if current() is Language.EN:
        return written
    return f"{'la' if _time(at, zone, 'h') == '1' else 'las'} {written}"


def short_day(at: datetime | date, zone: ZoneInfo) -> str:
    """Return a day in lists: "Mon, Nov 23", with the year when it is not this one."""
    return _day(at, zone, _FORMS[current()].short_day)


def long_day(at: datetime | date, zone: ZoneInfo) -> str:
    """Return a day where somebody decides: "Monday, November 23"."""
    return _day(at, zone, _FORMS[current()].long_day)


def weekday(day: date) -> str:
    """Return a day of the week in a few letters: "Mon"."""
    return format_date(day, "EEE", current())


def capital(text: str) -> str:
    """Return a text that begins a line: Spanish writes days in small letters elsewhere."""
    return text[:1].upper() + text[1:]


def span(starts_at: datetime, ends_at: datetime, zone: ZoneInfo) -> str:
    """Return a range of times: "9:20-10:05 AM" with an en dash."""
    same_half = _time(starts_at, zone, "a") == _time(ends_at, zone, "a")
    start = _time(starts_at, zone, "h:mm") if same_half else clock_time(starts_at, zone)
    return f"{start}\N{EN DASH}{clock_time(ends_at, zone)}"


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
        said_time=said_time,
        short_day=short_day,
        long_day=long_day,
        weekday=weekday,
        capital=capital,
        zone_name=zone_name,
    )
    app.jinja_env.globals.update(span=span)


def _time(at: datetime, zone: ZoneInfo, form: str) -> str:
    return format_time(at.astimezone(zone), form, zone, current())


def _day(at: datetime | date, zone: ZoneInfo, form: str) -> str:
    day = at.astimezone(zone).date() if isinstance(at, datetime) else at
    year = "" if day.year == utc_now().astimezone(zone).year else _FORMS[current()].year
    return format_date(day, form + year, current())
