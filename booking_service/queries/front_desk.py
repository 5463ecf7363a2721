"""The front desk's reads: the day, one patient's visit, and one membership."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
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
    Allowance,
    Booking,
    BookingKind,
    BookingStatus,
    Channel,
    Membership,
    MembershipStatus,
    Notification,
    NotificationStatus,
    Patient,
    Payment,
    PaymentStatus,
    PaymentTender,
    Plan,
    Practice,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
)
from booking_service.queries import follow_ups
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
    kind: BookingKind
    status: BookingStatus
    zone: ZoneInfo
    patient: str
    booked_by: str | None  # who booked for the patient; e-mail and phone are theirs
    phone: str
    email: str
    has_mail_come_back: bool  # the newest; the mail server refused it for good
    locale: Language
    practitioner_id: UUID
    practitioner: str
    starts_at: datetime
    ends_at: datetime
    arrived_at: datetime | None
    treatment_began_at: datetime | None
    completed_at: datetime | None
    no_show_at: datetime | None
    no_show_from: datetime  # before that the patient may still come
    cancelled_at: datetime | None
    hold_expires_at: datetime | None
    checkout_session_id: str | None
    payment_id: UUID | None
    is_paid_at_desk: bool  # in cash or at the desk's terminal: it is paid back there, too
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
    member: follow_ups.Member | None  # the patient's further visits, once they joined
    allowance: Allowance | None  # of a follow-up: the plan it is part of
    given_back: bool  # a follow-up cancelled in time

    @property
    def has_ended(self) -> bool:
        """Whether nothing more can happen at this visit."""
        return bool(self.completed_at or self.no_show_at or self.cancelled_at)

    @property
    def is_payback_due(self) -> bool:
        """Whether the desk has to pay the first visit back now."""
        is_held_back = self.refund is not None and self.refund.status is RefundStatus.BLOCKED
        is_owed = self.refund is not None and self.refund.reason is not RefundReason.GOODWILL
        return self.is_paid_at_desk and is_held_back and is_owed

    @property
    def can_be_asked_for(self) -> bool:
        """Whether the money is kept, so that only finance can still give it back."""
        is_over = self.has_ended or self.promise_status is PromiseStatus.LAPSED
        is_kept = self.paid_at is not None and self.refund is None
        return is_kept and (is_over or self.status is BookingStatus.IN_TREATMENT)

    @property
    def is_goodwill_asked(self) -> bool:
        """Whether finance has been asked to give the money back, and has not decided."""
        refund = self.refund
        return (
            refund is not None
            and refund.reason is RefundReason.GOODWILL
            and refund.status is RefundStatus.BLOCKED
        )

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
    practice = db.session.scalars(select(Practice)).one()
    zone = practice.zone
    refund = refund_of(payment)
    return VisitView(
        booking_id=booking.id,
        code=booking.code,
        kind=booking.kind,
        status=booking.status,
        zone=zone,
        patient=patient.name,
        booked_by=booking.booked_by,
        phone=patient.phone,
        email=patient.email,
        has_mail_come_back=_has_mail_come_back(booking.id),
        locale=patient.locale,
        practitioner_id=booking.practitioner_id,
        practitioner=booking.practitioner.name,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        arrived_at=booking.arrived_at,
        treatment_began_at=booking.treatment_began_at,
        completed_at=booking.completed_at,
        no_show_at=booking.no_show_at,
        no_show_from=booking.starts_at + timedelta(minutes=practice.no_show_after_minutes),
        cancelled_at=booking.cancelled_at,
        hold_expires_at=booking.hold_expires_at,
        checkout_session_id=payment.stripe_checkout_session_id if payment else None,
        payment_id=payment.id if payment else None,
        is_paid_at_desk=bool(payment and payment.tender is not PaymentTender.CARD),
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
        member=follow_ups.member(booking.id),
        allowance=follow_ups.of_visit(booking.id),
        given_back=booking.given_back,
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
