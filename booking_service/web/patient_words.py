"""How patients' pages and mails say numbers, near days and ways to the practice."""

import re
from datetime import date, datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import phonenumbers
from babel.dates import format_date
from flask import Blueprint
from flask_babel import gettext

from booking_service import calendar_file
from booking_service.clock import utc_now
from booking_service.languages import Language, Sentence
from booking_service.models import Practice
from booking_service.queries.patient_pages import PartOfDay
from booking_service.web import forms, languages
from booking_service.web.filters import capital, zone_name

# By the address in words: none of them learns more than where somebody is going.
_MAPS: Final = {
    "apple": ("https://maps.apple.com/", "daddr"),
    "google": ("https://www.google.com/maps/dir/?api=1", "destination"),
    "waze": ("https://waze.com/ul", "q"),
}
_ZONES: Final = {
    "ET": Sentence("Eastern (ET)"),
    "CT": Sentence("Central (CT)"),
    "MT": Sentence("Mountain (MT)"),
    "PT": Sentence("Pacific (PT)"),
}

_PARTS: Final = {
    PartOfDay.MORNING: Sentence("Morning"),
    PartOfDay.AFTERNOON: Sentence("Afternoon"),
    PartOfDay.EVENING: Sentence("Evening"),
}

# An indented line of a plain text goes on with the one before it.
_NEXT_PARAGRAPH: Final = re.compile(r"\n(?=\S)")


def register(bp: Blueprint) -> None:
    """Give every template these words."""
    here = (phone, way_in, directions, zone_words)
    for word in (*here, near_day, part_name, paragraphs, forms.pick_value):
        bp.add_app_template_filter(word)


def phone(number: str) -> str:
    """Return an E.164 number as people here write it: "(518) 555-0142"."""
    parsed = phonenumbers.parse(number)
    local = phonenumbers.PhoneNumberFormat.NATIONAL
    abroad = phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, local if parsed.country_code == 1 else abroad)


def near_day(at: datetime, zone: ZoneInfo, today: date) -> str:
    """Return the day as people say it from here: "Today", "Tomorrow", else the weekday."""
    day = at.astimezone(zone).date()
    near = {0: gettext("Today"), 1: gettext("Tomorrow")}
    return near.get((day - today).days) or capital(format_date(day, "EEEE", languages.current()))


def part_name(part: PartOfDay) -> str:
    """Return the name of a part of the day: "Morning"."""
    return languages.translated(_PARTS[part])


def zone_words(zone: ZoneInfo) -> str:
    """Return the zone in words: "Eastern (ET)"."""
    short = zone_name(utc_now(), zone)
    return languages.translated(_ZONES.get(short, short))


def way_in(practice: Practice) -> str:
    """Return how one gets in, in the language of the page where the practice has said it so."""
    is_spanish = languages.current() is Language.ES
    return (practice.directions_es if is_spanish else None) or practice.directions


def directions(practice: Practice, maps: str) -> str:
    """Return the address that shows the way in "apple", "google" or "waze" maps."""
    base, name = _MAPS[maps]
    joint = "&" if "?" in base else "?"
    return f"{base}{joint}{urlencode({name: calendar_file.place(practice)})}"


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a plain text, each on one line for the page to break."""
    return [" ".join(part.split()) for part in _NEXT_PARAGRAPH.split(text) if part.strip()]
