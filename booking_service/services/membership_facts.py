"""Where a membership stands at Stripe, written down: the next charge, an end, a pause, the card."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.gateways.memberships import Subscription, SubscriptionStatus, Terms
from booking_service.models import Actor, Membership, MembershipStatus, Plan, Topic
from booking_service.services import audit, outbox, periods

# What is not here says nothing: it has not begun, or a person paused it at Stripe.
MEANS: Final[Mapping[SubscriptionStatus, MembershipStatus]] = {
    SubscriptionStatus.ACTIVE: MembershipStatus.ACTIVE,
    SubscriptionStatus.TRIALING: MembershipStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE: MembershipStatus.PAST_DUE,
    SubscriptionStatus.UNPAID: MembershipStatus.PAST_DUE,
    SubscriptionStatus.CANCELED: MembershipStatus.CANCELLED,
}


def begin(membership: Membership, made: Subscription | None) -> None:
    """Note the first period of a membership that has become active."""
    if made is None and membership.active_at is not None:
        membership.billing_anchor_at = membership.active_at
        membership.period_ends_at = periods.months_after(membership.active_at, 1)
    elif made is not None and made.terms is not None:
        _take_terms(membership, made.terms)


def take(
    session: Session, membership: Membership, found: Subscription, looked_up_at: datetime
) -> None:
    """Write down the terms of a membership and what it owes; its status must have followed before.

    `membership_news.follow` decides whether what was found is news.
    """
    membership.looked_up_at = looked_up_at
    terms = found.terms
    if terms is None:
        return
    if membership.is_running:
        is_new_period = (
            membership.period_ends_at is not None
            and terms.period_ends_at > membership.period_ends_at
        )
        _take_plan(session, membership, terms, is_new_period=is_new_period)
        membership.cancels_at = terms.cancels_at
        paused_since = membership.paused_at or looked_up_at
        membership.paused_at = paused_since if terms.is_paused else None
    _take_terms(membership, terms)
    if membership.status is MembershipStatus.PAST_DUE:
        _take_unpaid(session, membership, found)


def _take_terms(membership: Membership, terms: Terms) -> None:
    membership.billing_anchor_at = terms.anchor_at
    membership.period_ends_at = terms.period_ends_at
    if terms.card is not None:
        membership.card_brand, membership.card_last4 = terms.card.brand, terms.card.last4


def _take_plan(
    session: Session, membership: Membership, terms: Terms, *, is_new_period: bool
) -> None:
    """Follow the price that is billed: one that changed holds from the next charge on."""
    billed = session.scalar(select(Plan.id).where(Plan.stripe_price_id == terms.price_id))
    if billed is None:
        return
    if is_new_period:
        membership.plan_id = billed
    membership.next_plan_id = billed if billed != membership.plan_id else None


def _take_unpaid(session: Session, membership: Membership, found: Subscription) -> None:
    """Write down what is owed, and owe the patient one mail about each month that failed."""
    unpaid = found.unpaid
    if unpaid is None:
        return
    membership.past_due_since = unpaid.since
    membership.past_due_code = unpaid.decline_code
    membership.retry_at = unpaid.retry_at
    if unpaid.id == membership.failed_invoice_id:
        return
    membership.failed_invoice_id = unpaid.id
    noted = audit.record(
        session,
        Actor.system(),
        "membership.payment_failed",
        membership.id,
        invoice=unpaid.id,
        code=unpaid.decline_code or "",
    )
    outbox.post(session, Topic.PAYMENT_FAILED, noted)
