"""What Stripe tells about memberships: looked up, and followed as far as it makes sense."""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.gateways.memberships import Subscription, SubscriptionStatus
from booking_service.gateways.payments import PaymentGateway
from booking_service.models import (
    Actor,
    Membership,
    MembershipStatus,
    Payment,
    Refund,
    RefundReason,
)
from booking_service.services import audit, first_payments, memberships

log: Final = logging.getLogger(__name__)

# Whoever leaves sooner after the first visit was refunded is shown to finance.
_EARLY: Final = timedelta(days=14)

# What is not here says nothing: it has not begun, or a person paused it at Stripe.
_MEANS: Final[Mapping[SubscriptionStatus, MembershipStatus]] = {
    SubscriptionStatus.ACTIVE: MembershipStatus.ACTIVE,
    SubscriptionStatus.TRIALING: MembershipStatus.ACTIVE,
    SubscriptionStatus.PAST_DUE: MembershipStatus.PAST_DUE,
    SubscriptionStatus.UNPAID: MembershipStatus.PAST_DUE,
    SubscriptionStatus.CANCELED: MembershipStatus.CANCELLED,
}


def subscription_changed(subscription_id: str, gateway: PaymentGateway) -> None:
    """Look a membership up at Stripe, book what it brought, and follow where it stands.

    In any order and number: the state of now is looked up, and what ended does not come back. A
    promise that was kept stays kept, whatever becomes of the membership.
    """
    found = gateway.find_subscription(subscription_id)
    if found.membership_id is None:
        return  # another application's
    with transaction() as session:
        if session.get(Membership, found.membership_id) is None:
            log.error("news of an unknown membership", extra={"code": found.id})
            return
        if found.has_settled:
            first_payments.activate(session, found.membership_id, found)
        membership = memberships.with_patient(session, found.membership_id)
        if membership.stripe_subscription_id == found.id:
            _follow(session, membership, found)


def invoice_changed(invoice_id: str, gateway: PaymentGateway) -> None:
    """Look up the membership an invoice bills, if it bills one."""
    subscription_id = gateway.subscription_of_invoice(invoice_id)
    if subscription_id is not None:
        subscription_changed(subscription_id, gateway)


def _follow(session: Session, membership: Membership, found: Subscription) -> None:
    status = _MEANS.get(found.status)
    if status is None or not membership.may_become(status):
        return
    memberships.move(session, membership, status)
    if status is MembershipStatus.CANCELLED:
        membership.ended_at = found.ended_at or utc_now()
        _note_if_early(session, membership)


def _note_if_early(session: Session, membership: Membership) -> None:
    """Leave a mark for finance: the promise stays kept, and it may have been a bad one."""
    refund = session.scalar(
        select(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Payment.booking_id == membership.booking_id,
            Refund.reason == RefundReason.MEMBERSHIP,
        )
    )
    ended_at = membership.ended_at or utc_now()
    if refund is not None and ended_at - refund.requested_at <= _EARLY:
        audit.record(
            session,
            Actor.system(),
            "membership.cancelled_early",
            membership.id,
            refund=str(refund.id),
            days=(ended_at - refund.requested_at).days,
        )
