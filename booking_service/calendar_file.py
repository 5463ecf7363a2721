"""The visit as a calendar entry: a file, and links to the calendars people have.

Calendars are shared with families and employers. An entry says when and where, and nothing about
health; it holds no link to the patient's page, which would open to everybody who sees the entry.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from icalendar import Calendar, Event

from booking_service.clock import utc_now
from booking_service.languages import Language, Sentence, translate
from booking_service.models import BookingKind, Practice

_TITLES: Final = {
    BookingKind.FIRST: Sentence("First visit"),
    BookingKind.FOLLOW_UP: Sentence("Visit"),
}
_GOOGLE_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Entry:
    """One visit in a calendar. `sequence` grows by one each time the visit is moved."""

    booking_id: UUID
    code: str
    starts_at: datetime
    ends_at: datetime
    language: Language
    sequence: int = 0
    kind: BookingKind = BookingKind.FIRST

    @property
    def title(self) -> str:
        """What it is called, in its language."""
        return translate(_TITLES[self.kind], self.language)


def build(entry: Entry, practice: Practice) -> bytes:
    """Return an iCalendar file (RFC 5545); a later one of the same booking replaces it."""
    return _file(entry, practice, "PUBLISH")


def cancellation(entry: Entry, practice: Practice) -> bytes:
    """Return the file that takes the entry out of a calendar again (RFC 5546, METHOD:CANCEL)."""
    return _file(entry, practice, "CANCEL")


def _file(entry: Entry, practice: Practice, method: str) -> bytes:
    event = Event()
    event.add("uid", f"{entry.booking_id}@first-visit")
    event.add("sequence", entry.sequence)
    event.add("dtstamp", utc_now())
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("summary", entry.title)
    event.add("location", place(practice))
    event.add("description", _note(entry))
    if method == "CANCEL":
        event.add("status", "CANCELLED")
    calendar = Calendar()
    calendar.add("prodid", "-//First Visit//Booking//EN")
    calendar.add("version", "2.0")
    calendar.add("method", method)
    calendar.add_component(event)
    file: bytes = calendar.to_ical()
    return file


def google(entry: Entry, practice: Practice) -> str:
    """Return the address that offers the entry to Google Calendar."""
    starts_at, ends_at = (at.astimezone(UTC) for at in (entry.starts_at, entry.ends_at))
    query = {
        "action": "TEMPLATE",
        "text": entry.title,
        "dates": f"{starts_at:{_GOOGLE_TIME}}/{ends_at:{_GOOGLE_TIME}}",
        "ctz": practice.timezone,
        "location": place(practice),
        "details": _note(entry),
    }
    return f"https://calendar.google.com/calendar/render?{urlencode(query)}"


def outlook(entry: Entry, practice: Practice, host: str) -> str:
    """Return the address that offers the entry to Outlook.

    Args:
        entry: the visit.
        practice: where it is.
        host: "outlook.live.com" for private accounts, "outlook.office.com" for employers'.
    """
    query = {
        "rru": "addevent",
        "subject": entry.title,
        "startdt": entry.starts_at.astimezone(UTC).isoformat(),
        "enddt": entry.ends_at.astimezone(UTC).isoformat(),
        "location": place(practice),
        "body": _note(entry),
    }
    return f"https://{host}/calendar/0/action/compose?{urlencode(query)}"


def place(practice: Practice) -> str:
    """Return the address as maps and calendars find it."""
    return f"{practice.street}, {practice.city}"


def _note(entry: Entry) -> str:
    note = Sentence("Your code is %(code)s. Please arrive 10 minutes early.", code=entry.code)
    return translate(note, entry.language)
