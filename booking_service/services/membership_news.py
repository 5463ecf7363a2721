"""What Stripe tells about memberships: looked up, and followed as far as it makes sense."""

import logging
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.gateways.memberships import Subscription
from booking_service.gateways.payments import PaymentGateway
from booking_service.models import (
    Actor,
    Membership,
    MembershipStatus,
    Payment,
    Refund,
    RefundReason,
)
from booking_service.services import audit, first_payments, membership_facts, memberships
from booking_service.services.membership_facts import MEANS

log: Final = logging.getLogger(__name__)

# Whoever leaves sooner after the first visit was refunded is shown to finance.
_EARLY: Final = timedelta(days=14)


def subscription_changed(subscription_id: str, gateway: PaymentGateway) -> None:
    """Look a membership up at Stripe, book what it brought, and follow where it stands.

    In any order and number: the state of now is looked up, and what ended does not come back. A
    promise that was kept stays kept, whatever becomes of the membership.
    """
    looked_up_at = utc_now()
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
            follow(session, membership, found, looked_up_at)


def invoice_changed(invoice_id: str, gateway: PaymentGateway) -> None:
    """Look up the membership an invoice bills, if it bills one."""
    subscription_id = gateway.subscription_of_invoice(invoice_id)
    if subscription_id is not None:
        subscription_changed(subscription_id, gateway)


def follow(
    session: Session, membership: Membership, found: Subscription, looked_up_at: datetime
) -> None:
    """Bring a membership to where it stands at Stripe, unless we know something newer.

    What was looked up earlier and comes later is old: the change in between has news of its own.

    Args:
        session: the caller's transaction.
        membership: the locked row that `found` is about.
        found: what Stripe said.
        looked_up_at: when it was asked.
    """
    known_at = membership.looked_up_at
    status = MEANS.get(found.status)
    is_old = known_at is not None and looked_up_at < known_at
    # What has ended does not come back, so that it is true however old.
    if is_old and not found.is_over:
        return
    if status is not None and membership.may_become(status):
        memberships.move(session, membership, status)
        if status is MembershipStatus.CANCELLED:
            end(session, membership, found.ended_at or utc_now())
    membership_facts.take(session, membership, found, looked_up_at)


def end(session: Session, membership: Membership, at: datetime) -> None:
    """Note when a membership ended, and whether that was early."""
    membership.ended_at = at
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
            # Stripe's clock has whole seconds, and may stand a little before ours.
            days=max((ended_at - refund.requested_at).days, 0),
        )
