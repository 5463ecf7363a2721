"""Visits as the front desk sees them, on a day or in a search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import joinedload

from booking_service.db import db
from booking_service.languages import Language
from booking_service.models import (
    Booking,
    BookingKind,
    BookingStatus,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Payment,
    PaymentStatus,
    PaymentTender,
    Refund,
    RefundReason,
    RefundStatus,
    is_covered,
)

# The money is out of our hands, one way or another.
RETURNED = frozenset(
    {RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL, RefundStatus.SETTLED_OTHERWISE}
)
JOINED = frozenset({MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE})


class DeskState(StrEnum):
    """How the desk sorts a visit: the booking's status, and whether the patient joined."""

    UNPAID = "unpaid"  # held by the desk for somebody who pays on their own phone
    EXPECTED = "expected"
    ARRIVED = "arrived"
    IN_TREATMENT = "in_treatment"
    MEMBER = "member"
    DONE = "done"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"


# What is a visit; holds and what became of them are none.
_STATES: Final = {
    BookingStatus.CONFIRMED: DeskState.EXPECTED,
    BookingStatus.ARRIVED: DeskState.ARRIVED,
    BookingStatus.IN_TREATMENT: DeskState.IN_TREATMENT,
    BookingStatus.COMPLETED: DeskState.DONE,
    BookingStatus.NO_SHOW: DeskState.NO_SHOW,
    BookingStatus.CANCELLED: DeskState.CANCELLED,
}
VISITS: Final = tuple(_STATES)
HELD_AT_THE_DESK: Final = and_(Booking.status == BookingStatus.HELD, Booking.held_by.is_not(None))
_MEMBERSHIPS: Final = select(Membership).execution_options(populate_existing=True)
# Whoever lists visits names people; read them along.
WITH_PEOPLE: Final = (joinedload(Booking.patient), joinedload(Booking.practitioner))


@dataclass(frozen=True, slots=True)
class Visit:
    """One booking as the desk sees it on the day. Money in US cents."""

    booking_id: UUID
    code: str
    kind: BookingKind
    is_covered: bool  # a follow-up after the end of its membership is not
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
    is_paid_at_desk: bool
    amount_cents: int
    membership_status: MembershipStatus | None
    charge_status: ChargeStatus | None
    refund_status: RefundStatus | None
    refunded_at: datetime | None  # when Stripe's answer was written down
    returned_cents: int  # gone back because of a membership


def visits_of(bookings: Sequence[Booking]) -> list[Visit]:
    """Return bookings, read `WITH_PEOPLE`, with their money and memberships, in the same order."""
    ids = [booking.id for booking in bookings]
    payments = {
        payment.booking_id: payment
        for payment in db.session.scalars(select(Payment).where(Payment.booking_id.in_(ids)))
    }
    memberships = _latest_memberships(ids)
    refunds = _membership_refunds(ids)
    uncovered = _uncovered(bookings)
    return [
        _visit(
            booking,
            payments.get(booking.id),
            memberships.get(booking.id),
            refunds.get(booking.id),
            is_covered=booking.id not in uncovered,
        )
        for booking in bookings
    ]


def _uncovered(bookings: Sequence[Booking]) -> set[UUID]:
    """Return the follow-ups that are after the end of their membership."""
    ids = {booking.membership_id for booking in bookings if booking.membership_id}
    if not ids:
        return set()
    theirs = {row.id: row for row in db.session.scalars(_MEMBERSHIPS.where(Membership.id.in_(ids)))}
    return {
        booking.id
        for booking in bookings
        if booking.membership_id
        and not is_covered(theirs[booking.membership_id], booking.starts_at)
    }


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
    *,
    is_covered: bool,
) -> Visit:
    state = _STATES.get(booking.status, DeskState.UNPAID)
    if membership is not None and membership.status in JOINED:
        state = DeskState.MEMBER
    return Visit(
        booking_id=booking.id,
        code=booking.code,
        kind=booking.kind,
        is_covered=is_covered,
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
        is_paid_at_desk=bool(payment and payment.tender is not PaymentTender.CARD),
        amount_cents=payment.amount_cents if payment else 0,
        membership_status=membership.status if membership else None,
        charge_status=membership.charge_status if membership else None,
        refund_status=refund.status if refund else None,
        refunded_at=refund.answered_at if refund else None,
        returned_cents=refund.amount_cents if refund and refund.status in RETURNED else 0,
    )
