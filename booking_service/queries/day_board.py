"""One day at the front desk: who comes, to whom, and how far each visit is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import or_, select
from sqlalchemy.orm import joinedload

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.languages import Language
from booking_service.models import (
    Booking,
    BookingStatus,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Payment,
    PaymentStatus,
    Practice,
    Practitioner,
    Refund,
    RefundReason,
    RefundStatus,
    TimeOff,
    WorkingHours,
)

# The money is out of our hands, one way or another.
RETURNED = frozenset(
    {RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL, RefundStatus.SETTLED_OTHERWISE}
)
JOINED = frozenset({MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE})


class DeskState(StrEnum):
    """How the desk sorts a visit: the booking's status, and whether the patient joined."""

    EXPECTED = "expected"
    ARRIVED = "arrived"
    IN_TREATMENT = "in_treatment"
    MEMBER = "member"
    DONE = "done"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


_STATES = {
    BookingStatus.CONFIRMED: DeskState.EXPECTED,
    BookingStatus.ARRIVED: DeskState.ARRIVED,
    BookingStatus.IN_TREATMENT: DeskState.IN_TREATMENT,
    BookingStatus.COMPLETED: DeskState.DONE,
    BookingStatus.NO_SHOW: DeskState.NO_SHOW,
    BookingStatus.CANCELLED: DeskState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Visit:
    """One booking as the desk sees it on the day. Money in US cents."""

    booking_id: UUID
    code: str
    status: BookingStatus
    state: DeskState
    practitioner_id: UUID
    practitioner: str
    patient: str
    locale: Language
    starts_at: datetime
    ends_at: datetime
    arrived_at: datetime | None
    treatment_began_at: datetime | None
    no_show_at: datetime | None
    payment_status: PaymentStatus | None
    amount_cents: int
    membership_status: MembershipStatus | None
    charge_status: ChargeStatus | None
    refund_status: RefundStatus | None
    refunded_at: datetime | None  # when Stripe's answer was written down


@dataclass(frozen=True, slots=True)
class Off:
    """A span of the day in which a practitioner does not see patients, and why."""

    starts_at: datetime
    ends_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Column:
    """One practitioner's day. Hours are the open spans of the weekday, in order."""

    practitioner_id: UUID
    practitioner: str
    room: str
    hours: Sequence[tuple[datetime, datetime]]
    off: Sequence[Off]


@dataclass(frozen=True, slots=True)
class DayBoard:
    """A local day: columns in the desk's order, visits by time, and the day's tally."""

    date: date
    zone: ZoneInfo
    columns: Sequence[Column]
    visits: Sequence[Visit]
    first_visits: int  # all but the cancelled
    became_members: int
    refunded_cents: int  # of these visits, because of a membership


def day(date: date) -> DayBoard:
    """Return everything the desk shows of one day on the practice's calendar."""
    practice = db.session.scalars(select(Practice)).one()
    starts_at, ends_at = day_bounds(date, practice.zone)
    bookings = db.session.scalars(
        select(Booking)
        .where(
            Booking.starts_at >= starts_at,
            Booking.starts_at < ends_at,
            Booking.status.in_(_STATES),
        )
        .options(joinedload(Booking.patient), joinedload(Booking.practitioner))
        .order_by(Booking.starts_at, Booking.id)
    ).all()
    ids = [booking.id for booking in bookings]
    payments = {
        payment.booking_id: payment
        for payment in db.session.scalars(select(Payment).where(Payment.booking_id.in_(ids)))
    }
    memberships = _latest_memberships(ids)
    refunds = _membership_refunds(ids)
    visits = [
        _visit(
            booking, payments.get(booking.id), memberships.get(booking.id), refunds.get(booking.id)
        )
        for booking in bookings
    ]
    return DayBoard(
        date=date,
        zone=practice.zone,
        columns=_columns(date, practice.zone, {booking.practitioner_id for booking in bookings}),
        visits=visits,
        first_visits=sum(visit.state is not DeskState.CANCELLED for visit in visits),
        became_members=sum(visit.membership_status in JOINED for visit in visits),
        refunded_cents=sum(
            refund.amount_cents for refund in refunds.values() if refund.status in RETURNED
        ),
    )


def next_day_with_visits(after: date) -> date | None:
    """Return the next local day on which somebody is expected, if any is booked."""
    practice = db.session.scalars(select(Practice)).one()
    starts_at = db.session.scalar(
        select(Booking.starts_at)
        .where(
            Booking.starts_at >= day_bounds(after, practice.zone)[1],
            Booking.status == BookingStatus.CONFIRMED,
        )
        .order_by(Booking.starts_at)
        .limit(1)
    )
    return starts_at.astimezone(practice.zone).date() if starts_at else None


def _latest_memberships(booking_ids: Sequence[UUID]) -> dict[UUID, Membership]:
    """Return the newest decision for each booking that was not taken back."""
    rows = db.session.scalars(
        select(Membership)
        .where(Membership.booking_id.in_(booking_ids), Membership.status != MembershipStatus.UNDONE)
        .order_by(Membership.decided_at)
    )
    return {row.booking_id: row for row in rows}


def _membership_refunds(booking_ids: Sequence[UUID]) -> dict[UUID, Refund]:
    rows = db.session.execute(
        select(Payment.booking_id, Refund)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.booking_id.in_(booking_ids), Refund.reason == RefundReason.MEMBERSHIP)
    )
    return dict(rows.all())


def _visit(
    booking: Booking,
    payment: Payment | None,
    membership: Membership | None,
    refund: Refund | None,
) -> Visit:
    state = _STATES[booking.status]
    if membership is not None and membership.status in JOINED:
        state = DeskState.MEMBER
    return Visit(
        booking_id=booking.id,
        code=booking.code,
        status=booking.status,
        state=state,
        practitioner_id=booking.practitioner_id,
        practitioner=booking.practitioner.name,
        patient=booking.patient.name if booking.patient else "",
        locale=booking.patient.locale if booking.patient else Language.EN,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        arrived_at=booking.arrived_at,
        treatment_began_at=booking.treatment_began_at,
        no_show_at=booking.no_show_at,
        payment_status=payment.status if payment else None,
        amount_cents=payment.amount_cents if payment else 0,
        membership_status=membership.status if membership else None,
        charge_status=membership.charge_status if membership else None,
        refund_status=refund.status if refund else None,
        refunded_at=refund.answered_at if refund else None,
    )


def _columns(date: date, zone: ZoneInfo, visited: set[UUID]) -> list[Column]:
    """Return the practitioners who can be booked, and any who have a visit that day anyway."""
    practitioners = db.session.scalars(
        select(Practitioner)
        .where(or_(Practitioner.is_bookable, Practitioner.id.in_(visited)))
        .order_by(Practitioner.position, Practitioner.name)
    ).all()
    midnight = datetime.combine(date, time.min, tzinfo=zone)
    hours: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for row in db.session.scalars(
        select(WorkingHours)
        .where(WorkingHours.weekday == date.weekday())
        .order_by(WorkingHours.opens_minute)
    ):
        # Minutes of the wall clock: added before the zone turns them into instants.
        opens = midnight + timedelta(minutes=row.opens_minute)
        closes = midnight + timedelta(minutes=row.closes_minute)
        hours.setdefault(row.practitioner_id, []).append((opens, closes))
    starts_at, ends_at = day_bounds(date, zone)
    off = db.session.scalars(
        select(TimeOff)
        .where(TimeOff.starts_at < ends_at, TimeOff.ends_at > starts_at)
        .order_by(TimeOff.starts_at)
    ).all()
    return [
        Column(
            practitioner_id=one.id,
            practitioner=one.name,
            room=one.room,
            hours=hours.get(one.id, []),
            off=[
                Off(max(row.starts_at, starts_at), min(row.ends_at, ends_at), row.reason)
                for row in off
                if row.practitioner_id in (None, one.id)
            ],
        )
        for one in practitioners
    ]
