"""A membership and the refund that follows it, as the desk and programs read them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.models import (
    ChargeStatus,
    Membership,
    MembershipStatus,
    Notification,
    NotificationStatus,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    Tender,
)


@dataclass(frozen=True, slots=True)
class RefundView:
    """The refund of a first visit as the desk sees it. Money in US cents."""

    id: UUID
    reason: RefundReason
    status: RefundStatus
    amount_cents: int
    requested_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    stripe_refund_id: str | None


@dataclass(frozen=True, slots=True)
class MembershipView:
    """A membership decided at the desk, its first payment, and the refund that follows."""

    id: UUID
    booking_id: UUID
    status: MembershipStatus
    plan_id: UUID
    plan: str
    amount_cents: int  # a month
    tender: Tender
    reference: str | None
    charge_status: ChargeStatus
    decline_code: str | None
    decided_at: datetime
    decided_by: str
    undo_until: datetime
    checkout_url: str | None  # where the patient pays, when it is on a page of their own
    active_at: datetime | None
    refund: RefundView | None
    mailed_at: datetime | None  # when the welcome left


def membership(membership_id: UUID) -> MembershipView:
    """Return one membership with its first payment and its refund.

    Raises:
        NotFound: there is no such membership.
    """
    # A select, not a get: whoever asked before may have left the row in the session, plan unread.
    row = db.session.scalar(
        select(Membership)
        .where(Membership.id == membership_id)
        .options(joinedload(Membership.plan))
    )
    if row is None:
        raise NotFound("There is no such membership.")
    payment = db.session.scalar(select(Payment).where(Payment.booking_id == row.booking_id))
    return membership_view(row, refund_of(payment))


def refund_of(payment: Payment | None) -> RefundView | None:
    """Return the refund that is owed for a payment, or else the newest of another kind."""
    if payment is None:
        return None
    row = db.session.scalar(
        select(Refund)
        .where(Refund.payment_id == payment.id)
        .order_by((Refund.reason == RefundReason.MEMBERSHIP).desc(), Refund.requested_at.desc())
        .limit(1)
    )
    if row is None:
        return None
    return RefundView(
        id=row.id,
        reason=row.reason,
        status=row.status,
        amount_cents=row.amount_cents,
        requested_at=row.requested_at,
        sent_at=row.sent_at,
        answered_at=row.answered_at,
        stripe_refund_id=row.stripe_refund_id,
    )


def membership_view(row: Membership, refund: RefundView | None) -> MembershipView:
    """Put a membership together with the refund of its first visit."""
    is_its_refund = refund is not None and refund.reason is RefundReason.MEMBERSHIP
    subjects = [row.id, *([refund.id] if refund else [])]
    mailed_at = db.session.scalar(
        select(Notification.sent_at)
        .where(
            Notification.subject_id.in_(subjects),
            Notification.status == NotificationStatus.SENT,
        )
        .order_by(Notification.sent_at.desc())
        .limit(1)
    )
    return MembershipView(
        id=row.id,
        booking_id=row.booking_id,
        status=row.status,
        plan_id=row.plan_id,
        plan=row.plan.name,
        amount_cents=row.amount_cents,
        tender=row.tender,
        reference=row.reference,
        charge_status=row.charge_status,
        decline_code=row.decline_code,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        undo_until=row.undo_until,
        checkout_url=row.checkout_url,
        active_at=row.active_at,
        refund=refund if is_its_refund else None,
        mailed_at=mailed_at,
    )
