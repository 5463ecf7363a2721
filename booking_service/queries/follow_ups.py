"""A member's further visits: how many are left, which are to come, and when one may be."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    COUNTED,
    Allowance,
    Booking,
    BookingKind,
    BookingStatus,
    Membership,
    Practice,
    Practitioner,
)
from booking_service.queries import availability
from booking_service.queries.availability import Day, Slot

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A member's visit that is still to come."""

    booking_id: UUID
    link_version: int
    practitioner: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Member:
    """What a patient's membership includes, and which of their follow-ups are still to come."""

    membership_id: UUID
    allowance: Allowance
    ahead: Sequence[Ahead]  # the soonest first

    @property
    def closed(self) -> str | None:
        """Why no visit can be booked now, or None."""
        return self.allowance.closed(utc_now())

    @property
    def first_day(self) -> date:
        """The first local day on which the plan has a visit left, as far as this month goes."""
        now = utc_now()
        if self.allowance.left(now):
            return now.astimezone(self.allowance.zone).date()
        return self.allowance.month(now).last + timedelta(days=1)


def member(booking_id: UUID) -> Member | None:
    """Return the membership that the patient of a visit has, or had last; None if never one."""
    patient = select(Booking.patient_id).where(Booking.id == booking_id).scalar_subquery()
    membership = db.session.scalar(
        select(Membership)
        .where(Membership.patient_id == patient, Membership.active_at.is_not(None))
        .options(joinedload(Membership.plan))
        .order_by(Membership.active_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if membership is None:
        return None
    return Member(membership.id, _allowance(membership), _ahead(membership))


def of_visit(booking_id: UUID, besides: UUID | None = None) -> Allowance | None:
    """Return what the membership of a follow-up includes; a first visit is part of none.

    `besides` is a follow-up that is about to move, and so is not counted.
    """
    membership = db.session.scalar(
        select(Membership)
        .join(Booking, Booking.membership_id == Membership.id)
        .where(Booking.id == booking_id)
        .options(joinedload(Membership.plan))
        .execution_options(populate_existing=True)
    )
    return _allowance(membership, besides) if membership else None


def free_days(
    allowance: Allowance, first: date, days: int, practitioner_id: UUID | None = None
) -> list[Day]:
    """Return the free times of local days on which a plan has a visit left."""
    listed = availability.free_days(first, days, practitioner_id, BookingKind.FOLLOW_UP)
    return [
        replace(
            day, slots=[slot for slot in day.slots if allowance.refusal(slot.starts_at) is None]
        )
        for day in listed
    ]


def a_week_later(allowance: Allowance, practitioner_id: UUID, starts_at: datetime) -> Slot | None:
    """Return the free time nearest to a visit's weekday and hour, a week after it.

    With the same practitioner, if they are free that day at all. The clock on the wall counts: a
    visit at nine is followed by one at nine, also when the clocks change in between.
    """
    wall = starts_at.astimezone(allowance.zone)
    day_after = wall.date() + _WEEK
    wanted = datetime.combine(day_after, wall.time(), tzinfo=allowance.zone).astimezone(UTC)
    [day] = free_days(allowance, day_after, 1)

    def distance(slot: Slot) -> tuple[bool, timedelta]:
        return slot.practitioner_id != practitioner_id, abs(slot.starts_at - wanted)

    return min(day.slots, key=distance, default=None)


def _allowance(membership: Membership, besides: UUID | None = None) -> Allowance:
    zone = db.session.scalars(select(Practice)).one().zone
    counted = {"membership_id": membership.id, "besides": besides}
    taken = db.session.scalars(COUNTED, counted).all()
    return Allowance(membership, zone, membership.plan.name, membership.plan.visits_a_month, taken)


def _ahead(membership: Membership) -> list[Ahead]:
    rows = db.session.execute(
        select(
            Booking.id,
            Booking.link_version,
            Practitioner.name,
            Booking.starts_at,
            Booking.ends_at,
        )
        .join(Practitioner, Practitioner.id == Booking.practitioner_id)
        .where(
            Booking.membership_id == membership.id,
            Booking.status == BookingStatus.CONFIRMED,
            Booking.starts_at > utc_now(),
        )
        .order_by(Booking.starts_at)
    )
    return [Ahead(*row) for row in rows]
