"""Finding anybody at the front desk: by name, phone, e-mail, booking code or card."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, UnaryExpression, and_, or_, select

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.db import db
from booking_service.models import Booking, Patient, Payment, Practice, name_key
from booking_service.queries.desk_visits import VISITS, WITH_PEOPLE, Visit, visits_of

_MOST: Final = 20  # of each group
_FEWEST_LETTERS: Final = 2
_FEWEST_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Found:
    """Who fits: today's visits by time, then those to come, soonest first, then the past ones."""

    zone: ZoneInfo
    today: Sequence[Visit]
    ahead: Sequence[Visit]
    past: Sequence[Visit]

    @property
    def everyone(self) -> list[Visit]:
        """All of them, in the order they are shown."""
        return [*self.today, *self.ahead, *self.past]


def find(words: str) -> Found | None:
    """Return the visits that fit what was typed, or None when that is too little to look for.

    Digits are the end of a phone number or a card's last four; a text with @ is the beginning of an
    e-mail address; anything else is a booking code or, word by word, parts of a name.
    """
    fitting = fits(words)
    if fitting is None:
        return None
    zone = db.session.scalars(select(Practice)).one().zone
    begins, ends = day_bounds(local_day(utc_now(), zone), zone)
    starts = Booking.starts_at
    return Found(
        zone=zone,
        today=_visits(and_(fitting, starts >= begins, starts < ends), starts.asc()),
        ahead=_visits(and_(fitting, starts >= ends), starts.asc()),
        past=_visits(and_(fitting, starts < begins), starts.desc()),
    )


def people(words: str) -> ColumnElement[bool] | None:
    """Return which patients fit what was typed, or None when that is too little to look for."""
    digits = _digits(words)
    if len(digits or words) < (_FEWEST_DIGITS if digits else _FEWEST_LETTERS):
        return None
    if digits:
        return Patient.phone.endswith(digits)
    if "@" in words:
        return Patient.email.startswith(words.lower(), autoescape=True)
    return and_(
        *(Patient.name_key.contains(part, autoescape=True) for part in name_key(words).split())
    )


def _digits(words: str) -> str:
    """Return the digits of a text that is a number, however it is written."""
    is_words = any(letter.isalpha() for letter in words)
    return "" if is_words else "".join(letter for letter in words if letter.isdigit())


def fits(words: str) -> ColumnElement[bool] | None:
    """Return which bookings fit what was typed, or None when that is too little to look for."""
    words = words.strip()
    they = people(words)
    if they is None:
        return None
    # Whoever has several records is found by each of them.
    is_theirs = Booking.patient_id.in_(select(Patient.person_id).where(they))
    if digits := _digits(words):
        with_card = select(Payment.booking_id).where(Payment.card_last4 == digits)
        return or_(is_theirs, Booking.id.in_(with_card))
    return or_(is_theirs, Booking.code.icontains(words, autoescape=True))


def _visits(fitting: ColumnElement[bool], order: UnaryExpression[datetime]) -> list[Visit]:
    bookings = db.session.scalars(
        select(Booking)
        .where(fitting, Booking.status.in_(VISITS))
        .options(*WITH_PEOPLE)
        .order_by(order, Booking.id)
        .limit(_MOST)
    ).all()
    return visits_of(bookings)
