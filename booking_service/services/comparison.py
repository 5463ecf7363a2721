"""Comparing records with Stripe's, both ways: what one has, the other must have."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import GatewayRefused
from booking_service.gateways.books import BooksGateway, DisputeReceipt, PayoutNews
from booking_service.gateways.payments import RefundOutcome
from booking_service.models import (
    Attempt,
    DiscrepancyKind,
    Dispute,
    Membership,
    Payment,
    Payout,
    Refund,
    RefundStatus,
    StripeMovement,
)
from booking_service.services.matching import Difference

K = DiscrepancyKind

# A bank may send a refund back for about a month after it succeeded.
MAY_BOUNCE: Final = timedelta(days=35)
_ON_ITS_WAY: Final = (RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION)

_CHARGED: Final = """
WITH charged AS (
    SELECT payment_at_stripe AS stripe_id, max(our_id::text)::uuid AS our_id,
           sum(amount_cents) AS cents, bool_or(membership_id IS NOT NULL) AS for_membership
    FROM stripe_movements WHERE type IN ('charge', 'payment') GROUP BY 1
), paid AS (
    SELECT id, stripe_payment_intent_id AS stripe_id, amount_cents AS cents
    FROM payments WHERE status = 'paid' AND tender = 'card'
)
"""
_PAYMENTS: Final = text(
    _CHARGED + "SELECT coalesce(paid.id, charged.our_id), stripe_id, paid.cents, charged.cents"  # noqa: S608  # constants only
    " FROM paid FULL JOIN charged USING (stripe_id)"
    " WHERE paid.cents IS DISTINCT FROM charged.cents"
    " AND (paid.id IS NOT NULL OR charged.our_id IS NOT NULL AND NOT for_membership)"
    " ORDER BY paid.id IS NOT NULL, stripe_id"
)


def compare(gateway: BooksGateway) -> list[Difference]:
    """Return every difference between our records and Stripe's.

    Payments are compared with the movements kept of Stripe's balance, so those are read first.
    Refunds of which a bank might still change its mind are asked for, and payouts as recent;
    older ones move the balance when they change, and the ledger is compared with that.

    Raises:
        GatewayUnavailable: Stripe did not answer; nothing can be said.
    """
    recent = utc_now() - MAY_BOUNCE
    return [
        *_payments(),
        *_refunds(gateway, recent),
        *_memberships(gateway),
        *_disputes(list(gateway.all_disputes())),
        *_payouts(list(gateway.all_payouts(recent)), recent),
    ]


def _payments() -> Iterator[Difference]:
    with transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = '10min'"))
        rows = session.execute(_PAYMENTS).all()
    for our_id, stripe_id, here, there in rows:
        kind = K.PAYMENT_DIFFERS
        if here is None:
            kind = K.PAYMENT_MISSING_HERE
        elif there is None:
            kind = K.PAYMENT_MISSING_AT_STRIPE
        yield Difference(kind, our_id, stripe_id, here, there)


def _refunds(gateway: BooksGateway, recent: datetime) -> Iterator[Difference]:
    may_change = (
        (Refund.requested_at >= recent)
        | Refund.status.in_(_ON_ITS_WAY)
        | ((Refund.status == RefundStatus.SUCCEEDED) & (Refund.answered_at >= recent))
    )
    theirs = {outcome.stripe_refund_id: outcome for outcome in gateway.all_refunds(recent)}
    with transaction() as session:
        rows = session.scalars(
            select(Refund).where(
                Refund.stripe_refund_id.is_not(None),
                may_change | Refund.stripe_refund_id.in_(list(theirs)),
            )
        ).all()
        our_intents = set(
            session.scalars(
                select(Payment.stripe_payment_intent_id).where(
                    Payment.stripe_payment_intent_id.in_(
                        [outcome.payment_intent_id for outcome in theirs.values()]
                    )
                )
            )
        )
        # A refund that was sent once more left the one that failed behind at Stripe.
        earlier = set(
            session.scalars(select(Attempt.stripe_id).where(Attempt.stripe_id.in_(list(theirs))))
        )
    ours = {refund.stripe_refund_id: refund for refund in rows}
    for stripe_id, outcome in theirs.items():
        refund = ours.pop(stripe_id, None)
        there = outcome.amount_cents
        if refund is None:
            if stripe_id in earlier:
                continue
            if outcome.payment_intent_id in our_intents or outcome.refund_id:
                yield Difference(K.REFUND_MISSING_HERE, outcome.refund_id, stripe_id, None, there)
        elif _differs(refund, outcome):
            here = refund.amount_cents
            yield Difference(K.REFUND_DIFFERS, refund.id, stripe_id, here, there)
    for refund in ours.values():
        yield from _unlisted(refund, gateway)


def _unlisted(refund: Refund, gateway: BooksGateway) -> Iterator[Difference]:
    """Ask for a refund that is not among the recent ones: it is older, or not there at all."""
    stripe_id = refund.stripe_refund_id or ""
    try:
        outcome = gateway.find_refund(stripe_id)
    except GatewayRefused:
        yield Difference(K.REFUND_MISSING_AT_STRIPE, refund.id, stripe_id, refund.amount_cents)
        return
    if _differs(refund, outcome):
        here, there = refund.amount_cents, outcome.amount_cents
        yield Difference(K.REFUND_DIFFERS, refund.id, stripe_id, here, there)


def _differs(refund: Refund, outcome: RefundOutcome) -> bool:
    """Whether amount or status differ; what we know to be made elsewhere has a status of ours."""
    if refund.amount_cents != outcome.amount_cents:
        return True
    return refund.status is not outcome.status and refund.may_become(outcome.status)


def _memberships(gateway: BooksGateway) -> Iterator[Difference]:
    theirs = list(gateway.all_subscriptions())
    with transaction() as session:
        rows = session.execute(
            select(Membership.stripe_subscription_id, Membership.id).where(
                Membership.stripe_subscription_id.is_not(None)
            )
        ).all()
    ours = {row.stripe_subscription_id: row.id for row in rows}
    for receipt in theirs:
        if ours.pop(receipt.stripe_id, None) is None:
            yield Difference(K.MEMBERSHIP_MISSING_HERE, receipt.our_id, receipt.stripe_id)
    for stripe_id, membership_id in ours.items():
        yield Difference(K.MEMBERSHIP_MISSING_AT_STRIPE, membership_id, stripe_id)


def _disputes(theirs: list[DisputeReceipt]) -> Iterator[Difference]:
    about = [dispute.payment_at_stripe for dispute in theirs]
    with transaction() as session:
        ours = {row.stripe_dispute_id: row for row in session.scalars(select(Dispute))}
        of_ours = set(
            session.scalars(
                select(StripeMovement.payment_at_stripe).where(
                    StripeMovement.payment_at_stripe.in_(about),
                    StripeMovement.our_id.is_not(None) | StripeMovement.membership_id.is_not(None),
                )
            )
        )
    for dispute in theirs:
        row, there = ours.pop(dispute.stripe_id, None), dispute.amount_cents
        if row is None:
            if dispute.payment_at_stripe in of_ours:
                yield Difference(K.DISPUTE_DIFFERS, None, dispute.stripe_id, None, there)
        elif (row.status, row.amount_cents) != (dispute.status, there):
            here = row.amount_cents
            yield Difference(K.DISPUTE_DIFFERS, row.id, dispute.stripe_id, here, there)
    for stripe_id, row in ours.items():
        yield Difference(K.DISPUTE_DIFFERS, row.id, stripe_id, row.amount_cents)


def _payouts(theirs: list[PayoutNews], recent: datetime) -> Iterator[Difference]:
    with transaction() as session:
        rows = session.scalars(
            select(Payout).where(
                (Payout.created_at > recent)
                | Payout.stripe_payout_id.in_([payout.stripe_id for payout in theirs])
            )
        )
        ours = {row.stripe_payout_id: row for row in rows}
    for payout in theirs:
        row, there = ours.pop(payout.stripe_id, None), payout.amount_cents
        if row is None:
            yield Difference(K.PAYOUT_DIFFERS, None, payout.stripe_id, None, there)
        elif (row.status, row.amount_cents) != (payout.status, there):
            here = row.amount_cents
            yield Difference(K.PAYOUT_DIFFERS, row.id, payout.stripe_id, here, there)
    for stripe_id, row in ours.items():
        yield Difference(K.PAYOUT_DIFFERS, row.id, stripe_id, row.amount_cents)
