"""A day on paper: who comes when, and no more than a page on the wall may say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.models import Booking, BookingStatus, Practice
from booking_service.queries.desk_visits import VISITS, WITH_PEOPLE, DeskState, visits_of


@dataclass(frozen=True, slots=True)
class Line:
    """One visit. `phone_end` are the last two digits: enough to ask for, too few to call."""

    booking_id: UUID
    starts_at: datetime
    ends_at: datetime
    patient: str
    state: DeskState
    phone_end: str


@dataclass(frozen=True, slots=True)
class PrintedDay:
    """A day's visits but for cancelled ones, by practitioner and time."""

    date: date
    zone: ZoneInfo
    practice: str
    columns: Sequence[tuple[str, Sequence[Line]]]

    @property
    def booking_ids(self) -> list[UUID]:
        """Whose visits are on it."""
        return [line.booking_id for _, lines in self.columns for line in lines]


def printed_day(date: date) -> PrintedDay:
    """Return what the desk prints of one day on the practice's calendar."""
    practice = db.session.scalars(select(Practice)).one()
    starts_at, ends_at = day_bounds(date, practice.zone)
    bookings = db.session.scalars(
        select(Booking)
        .where(
            Booking.starts_at >= starts_at,
            Booking.starts_at < ends_at,
            Booking.status.in_(VISITS),
            Booking.status != BookingStatus.CANCELLED,
        )
        .options(*WITH_PEOPLE)
        .order_by(Booking.starts_at, Booking.id)
    ).all()
    doctors = {one.practitioner_id: one.practitioner for one in bookings}
    lines = [
        (visit.practitioner_id, _line(booking, visit.state))
        for booking, visit in zip(bookings, visits_of(bookings), strict=True)
    ]
    return PrintedDay(
        date=date,
        zone=practice.zone,
        practice=practice.name,
        columns=[
            (doctor.name, [line for id_, line in lines if id_ == doctor.id])
            for doctor in sorted(doctors.values(), key=lambda one: (one.position, one.name))
        ],
    )


def _line(booking: Booking, state: DeskState) -> Line:
    name, phone = (booking.patient.name, booking.patient.phone) if booking.patient else ("", "")
    return Line(booking.id, booking.starts_at, booking.ends_at, name, state, phone[-2:])
