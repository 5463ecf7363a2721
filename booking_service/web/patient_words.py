"""How patients' pages and mails say numbers, near days and ways to the practice."""

import re
from datetime import date, datetime
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import phonenumbers
from flask import Blueprint

from booking_service import calendar_file
from booking_service.clock import utc_now
from booking_service.models import Practice
from booking_service.web import forms
from booking_service.web.filters import zone_name

# By the address in words: none of them learns more than where somebody is going.
_MAPS: Final = {
    "apple": ("https://maps.apple.com/", "daddr"),
    "google": ("https://www.google.com/maps/dir/?api=1", "destination"),
    "waze": ("https://waze.com/ul", "q"),
}
_ZONES: Final = {"ET": "Eastern", "CT": "Central", "MT": "Mountain", "PT": "Pacific"}

# An indented line of a plain text goes on with the one before it.
_NEXT_PARAGRAPH: Final = re.compile(r"\n(?=\S)")


def register(bp: Blueprint) -> None:
    """Give every template these words."""
    for word in (phone, near_day, zone_words, directions, paragraphs, forms.pick_value):
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
    near = {0: "Today", 1: "Tomorrow"}
    return near.get((day - today).days) or f"{day:%A}"


def zone_words(zone: ZoneInfo) -> str:
    """Return the zone in words: "Eastern (ET)"."""
    short = zone_name(utc_now(), zone)
    return f"{_ZONES[short]} ({short})" if short in _ZONES else short


def directions(practice: Practice, maps: str) -> str:
    """Return the address that shows the way in "apple", "google" or "waze" maps."""
    base, name = _MAPS[maps]
    joint = "&" if "?" in base else "?"
    return f"{base}{joint}{urlencode({name: calendar_file.place(practice)})}"


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of a plain text, each on one line for the page to break."""
    return [" ".join(part.split()) for part in _NEXT_PARAGRAPH.split(text) if part.strip()]
