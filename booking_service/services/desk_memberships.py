"""Memberships whose months are taken at the desk: their periods turn here, not at Stripe."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.models import Membership, MembershipStatus, Tender
from booking_service.services import membership_news, memberships, periods

_SWEEP_AT_MOST: Final = 100
_INSTANT: Final = timedelta(microseconds=1)  # a period that ends now is over
_RUNNING: Final = (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)


def sweep() -> int:
    """Begin the next period of each whose last is over, on its new plan, or end it if cancelled.

    Returns how many were turned.
    """
    now = utc_now()
    over = (
        select(Membership.id)
        .where(
            Membership.tender == Tender.RECORDED,
            Membership.status.in_(_RUNNING),
            # Those that began before their periods were counted have none yet.
            Membership.period_ends_at.is_(None) | (Membership.period_ends_at <= now),
        )
        .order_by(Membership.period_ends_at)
        .limit(_SWEEP_AT_MOST)
    )
    with transaction() as session:
        due = session.scalars(over).all()
    for membership_id in due:
        _turn(membership_id)
    return len(due)


def _turn(membership_id: UUID) -> None:
    now = utc_now()
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        anchor, end = membership.active_at, membership.period_ends_at
        if not membership.is_running or anchor is None or (end is not None and end > now):
            return
        cancels_at = membership.cancels_at
        if cancels_at is not None and cancels_at <= now:
            memberships.move(session, membership, MembershipStatus.CANCELLED)
            membership_news.end(session, membership, cancels_at)
            return
        if end is not None and membership.next_plan_id is not None:
            membership.plan_id, membership.next_plan_id = membership.next_plan_id, None
        membership.billing_anchor_at = anchor
        membership.period_ends_at = periods.first_end_after(anchor, now + _INSTANT)
