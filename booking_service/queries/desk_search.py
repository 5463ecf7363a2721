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


def fits(words: str) -> ColumnElement[bool] | None:
    """Return what is asked of a booking, its patient and payment; None when it is too little."""
    words = words.strip()
    digits = "".join(letter for letter in words if letter.isdigit())
    if digits and not any(letter.isalpha() for letter in words):
        if len(digits) < _FEWEST_DIGITS:
            return None
        return or_(Patient.phone.endswith(digits), Payment.card_last4 == digits)
    if len(words) < _FEWEST_LETTERS:
        return None
    if "@" in words:
        return Patient.email.startswith(words.lower(), autoescape=True)
    parts = [Patient.name_key.contains(part, autoescape=True) for part in name_key(words).split()]
    return or_(and_(*parts), Booking.code.icontains(words, autoescape=True))


def _visits(fitting: ColumnElement[bool], order: UnaryExpression[datetime]) -> list[Visit]:
    bookings = db.session.scalars(
        select(Booking)
        .join(Patient, Patient.id == Booking.patient_id)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .where(fitting, Booking.status.in_(VISITS))
        .options(*WITH_PEOPLE)
        .order_by(order, Booking.id)
        .limit(_MOST)
    ).all()
    return visits_of(bookings)
