"""The front desk's reads: the day, one patient's visit, and one membership."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from booking_service.clock import local_day, utc_now
from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Language
from booking_service.models import (
    Booking,
    BookingStatus,
    Channel,
    Membership,
    MembershipStatus,
    Notification,
    NotificationStatus,
    Patient,
    Payment,
    PaymentStatus,
    Plan,
    Practice,
    Promise,
    PromiseStatus,
)
from booking_service.queries.agreements import Signed, signed
from booking_service.queries.day_board import Column, DayBoard, Off, day, next_day_with_visits
from booking_service.queries.desk_visits import RETURNED, DeskState, Visit
from booking_service.queries.memberships import (
    MembershipView,
    RefundView,
    membership,
    membership_view,
    refund_of,
)

__all__ = [
    "RETURNED",
    "Check",
    "Column",
    "DayBoard",
    "DeskState",
    "MembershipView",
    "Off",
    "PlanTile",
    "Proof",
    "RefundView",
    "Signed",
    "Visit",
    "VisitView",
    "day",
    "membership",
    "next_day_with_visits",
    "today",
    "visit",
]


class Proof(StrEnum):
    """What must be true before a membership returns the price of the first visit."""

    PAID = "paid"
    ARRIVED = "arrived"
    TREATMENT = "treatment"
    NOT_REFUNDED = "not_refunded"


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, and whether it holds now."""

    proof: Proof
    is_met: bool


@dataclass(frozen=True, slots=True)
class PlanTile:
    """A plan on sale. The price is a month's, in US cents."""

    id: UUID
    name: str
    price_cents: int
    visits_a_month: int


@dataclass(frozen=True, slots=True)
class VisitView:
    """Everything the desk needs to serve one patient. Money in US cents."""

    booking_id: UUID
    code: str
    status: BookingStatus
    zone: ZoneInfo
    patient: str
    booked_by: str | None  # who booked for the patient; e-mail and phone are theirs
    phone: str
    email: str
    has_mail_come_back: bool  # the newest; the mail server refused it for good
    locale: Language
    practitioner: str
    starts_at: datetime
    ends_at: datetime
    arrived_at: datetime | None
    treatment_began_at: datetime | None
    completed_at: datetime | None
    no_show_at: datetime | None
    cancelled_at: datetime | None
    paid_at: datetime | None
    amount_cents: int
    card: str  # "Visa 4242"
    way_back: str  # where the money goes back to
    has_saved_card: bool
    promise_status: PromiseStatus | None
    eligibility: Sequence[Check]
    plans: Sequence[PlanTile]
    signed: Signed | None  # the agreement, at this visit
    membership: MembershipView | None  # the newest that was not taken back
    refund: RefundView | None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can happen at this visit."""
        return bool(self.completed_at or self.no_show_at or self.cancelled_at)

    @property
    def can_join(self) -> bool:
        """Whether a membership started now would return the price of the visit."""
        return (
            self.status is BookingStatus.IN_TREATMENT
            and self.promise_status is PromiseStatus.OPEN
            and all(check.is_met for check in self.eligibility)
        )


def visit(booking_id: UUID) -> VisitView:
    """Return one patient's visit.

    Raises:
        NotFound: there is no such booking, or nobody has given their name for it yet.
    """
    booking = db.session.scalar(
        select(Booking)
        .where(Booking.id == booking_id)
        .options(joinedload(Booking.patient), joinedload(Booking.practitioner))
    )
    if booking is None or booking.patient is None:
        raise NotFound("There is no such visit.")
    payment = db.session.scalar(select(Payment).where(Payment.booking_id == booking_id))
    promise = db.session.scalar(select(Promise).where(Promise.booking_id == booking_id))
    current = db.session.scalar(
        select(Membership)
        .where(Membership.booking_id == booking_id, Membership.status != MembershipStatus.UNDONE)
        .options(joinedload(Membership.plan))
        .order_by(Membership.decided_at.desc())
        .limit(1)
    )
    return _view(booking, booking.patient, payment, promise, current)


def _view(
    booking: Booking,
    patient: Patient,
    payment: Payment | None,
    promise: Promise | None,
    current: Membership | None,
) -> VisitView:
    zone = db.session.scalars(select(Practice)).one().zone
    refund = refund_of(payment)
    return VisitView(
        booking_id=booking.id,
        code=booking.code,
        status=booking.status,
        zone=zone,
        patient=patient.name,
        booked_by=booking.booked_by,
        phone=patient.phone,
        email=patient.email,
        has_mail_come_back=_has_mail_come_back(booking.id),
        locale=patient.locale,
        practitioner=booking.practitioner.name,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        arrived_at=booking.arrived_at,
        treatment_began_at=booking.treatment_began_at,
        completed_at=booking.completed_at,
        no_show_at=booking.no_show_at,
        cancelled_at=booking.cancelled_at,
        paid_at=payment.paid_at if payment else None,
        amount_cents=payment.amount_cents if payment else 0,
        card=payment.card if payment else "",
        way_back=payment.way_back if payment else "",
        has_saved_card=bool(payment and payment.stripe_payment_method_id),
        promise_status=promise.status if promise else None,
        eligibility=_eligibility(booking, zone, payment, refund),
        plans=_plans(),
        signed=signed(booking.id),
        membership=membership_view(current, refund) if current else None,
        refund=refund,
    )


def _has_mail_come_back(booking_id: UUID) -> bool:
    newest = db.session.scalar(
        select(Notification.status)
        .where(
            Notification.booking_id == booking_id,
            Notification.channel == Channel.EMAIL,
            Notification.status.in_((NotificationStatus.SENT, NotificationStatus.BOUNCED)),
        )
        .order_by(Notification.sending_since.desc())
        .limit(1)
    )
    return newest is NotificationStatus.BOUNCED


def _eligibility(
    booking: Booking, zone: ZoneInfo, payment: Payment | None, refund: RefundView | None
) -> list[Check]:
    is_paid = payment is not None and payment.status is PaymentStatus.PAID
    return [
        Check(Proof.PAID, is_paid),
        Check(Proof.ARRIVED, _is_here_today(booking, zone)),
        Check(Proof.TREATMENT, booking.treatment_began_at is not None),
        Check(Proof.NOT_REFUNDED, refund is None),
    ]


def today() -> date:
    """Return the date on the practice's wall calendar."""
    return local_day(utc_now(), db.session.scalars(select(Practice)).one().zone)


def _is_here_today(booking: Booking, zone: ZoneInfo) -> bool:
    return booking.arrived_at is not None and local_day(booking.arrived_at, zone) == local_day(
        utc_now(), zone
    )


def _plans() -> list[PlanTile]:
    rows = db.session.scalars(select(Plan).where(Plan.is_on_sale).order_by(Plan.position))
    return [PlanTile(row.id, row.name, row.price_cents, row.visits_a_month) for row in rows]
