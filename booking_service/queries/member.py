"""One member: the facts, what is on its way to Stripe, and what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.models import (
    ActorKind,
    AuditRow,
    Booking,
    Membership,
    MembershipChange,
    Patient,
    Plan,
    Practice,
    StaffMember,
    Tender,
)
from booking_service.queries.members import Standing, standing_of


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of the story. `action` is the audit log's word; `who` is None for the service."""

    at: datetime
    action: str
    who: str | None


@dataclass(frozen=True, slots=True)
class MemberView:
    """A membership that has begun, with everything that can be done about it."""

    id: UUID
    booking_id: UUID
    link_version: int
    patient: str
    code: str
    zone: ZoneInfo
    standing: Standing
    plan: Plan
    next_plan: Plan | None
    plans: Sequence[Plan]  # it can change to
    is_running: bool
    is_at_stripe: bool  # else its months are taken at the desk
    tender: Tender
    joined_at: datetime
    ended_at: datetime | None
    period_ends_at: datetime | None
    cancels_at: datetime | None
    paused_at: datetime | None
    past_due_since: datetime | None
    past_due_code: str | None
    retry_at: datetime | None
    card: str | None  # "Visa 4242"
    notice_days: int
    billing_anchor_at: datetime | None
    change: MembershipChange | None  # the newest decision, while Stripe has not taken it

    @property
    def next_plan_cents(self) -> int:
        """What the next charge is."""
        return (self.next_plan or self.plan).price_cents

    @property
    def is_last_period(self) -> bool:
        """Whether it ends before anything is charged again."""
        ends, period = self.cancels_at, self.period_ends_at
        return ends is not None and (period is None or ends <= period)

    @property
    def is_waiting(self) -> bool:
        """Whether Stripe has not answered the newest decision."""
        return self.change is not None and self.change.is_open


def member(membership_id: UUID) -> MemberView:
    """Return one membership that has begun.

    Raises:
        NotFound: there is none.
    """
    found = db.session.execute(
        select(Membership, Patient, Booking)
        .join(Patient, Patient.id == Membership.patient_id)
        .join(Booking, Booking.id == Membership.booking_id)
        .where(Membership.id == membership_id, Membership.active_at.is_not(None))
        .options(joinedload(Membership.plan), joinedload(Membership.next_plan))
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such membership.")
    membership, patient, booking = found
    return _view(membership, patient, booking)


def of_booking(booking_id: UUID) -> MemberView | None:
    """Return the newest membership of a visit's patient that has begun, if there is one."""
    newest = (
        select(Membership.id)
        .join(Booking, Booking.patient_id == Membership.patient_id)
        .where(Booking.id == booking_id, Membership.active_at.is_not(None))
        .order_by(Membership.active_at.desc())
        .limit(1)
    )
    membership_id = db.session.scalar(newest)
    return member(membership_id) if membership_id else None


def story(membership_id: UUID) -> list[Happened]:
    """Return what the audit log has about a membership, the newest first."""
    rows = db.session.execute(
        select(AuditRow, StaffMember.name)
        .outerjoin(StaffMember, StaffMember.id == AuditRow.actor_id)
        .where(AuditRow.subject_id == membership_id)
        .order_by(AuditRow.at.desc())
    )
    return [Happened(row.at, row.action, _who(row, name)) for row, name in rows]


def _who(row: AuditRow, name: str | None) -> str | None:
    if row.actor_kind is ActorKind.PATIENT:
        return "the patient"
    return None if row.actor_kind is ActorKind.SYSTEM else name or "a program"


def _view(row: Membership, patient: Patient, booking: Booking) -> MemberView:
    practice = db.session.scalars(select(Practice)).one()
    card = f"{row.card_brand.title()} {row.card_last4}" if row.card_brand else None
    return MemberView(
        id=row.id,
        booking_id=booking.id,
        link_version=booking.link_version,
        patient=patient.name,
        code=booking.code,
        zone=practice.zone,
        standing=standing_of(row),
        plan=row.plan,
        next_plan=row.next_plan,
        plans=_plans(row),
        is_running=row.is_running,
        is_at_stripe=row.stripe_subscription_id is not None,
        tender=row.tender,
        joined_at=row.active_at or row.decided_at,
        ended_at=row.ended_at,
        period_ends_at=row.period_ends_at,
        cancels_at=row.cancels_at,
        paused_at=row.paused_at,
        past_due_since=row.past_due_since,
        past_due_code=row.past_due_code,
        retry_at=row.retry_at,
        card=card,
        notice_days=practice.notice_days,
        billing_anchor_at=row.billing_anchor_at,
        change=_unconfirmed(row.id),
    )


def _plans(row: Membership) -> Sequence[Plan]:
    """Return the plans on sale, and the one it has, but not the one that is billed next."""
    billed_next = row.next_plan_id or row.plan_id
    return db.session.scalars(
        select(Plan)
        .where(Plan.is_on_sale | (Plan.id == row.plan_id), Plan.id != billed_next)
        .order_by(Plan.position)
    ).all()


def _unconfirmed(membership_id: UUID) -> MembershipChange | None:
    newest = db.session.scalar(
        select(MembershipChange)
        .where(MembershipChange.membership_id == membership_id)
        .options(joinedload(MembershipChange.plan))
        .order_by(
            MembershipChange.decided_at.desc(), MembershipChange.confirmed_at.desc().nulls_first()
        )
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return newest if newest is not None and newest.confirmed_at is None else None
