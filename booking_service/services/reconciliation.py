"""Comparing our books with Stripe's, both ways: what one has, the other must have."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from booking_service.db import transaction
from booking_service.gateways.payments import PaymentGateway, Receipt, RefundOutcome
from booking_service.models import Membership, Payment, PaymentStatus, Refund


class DiscrepancyKind(StrEnum):
    """What does not match."""

    PAYMENT_MISSING_HERE = "payment_missing_here"
    PAYMENT_MISSING_AT_STRIPE = "payment_missing_at_stripe"
    PAYMENT_DIFFERS = "payment_differs"
    REFUND_MISSING_HERE = "refund_missing_here"
    REFUND_MISSING_AT_STRIPE = "refund_missing_at_stripe"
    REFUND_DIFFERS = "refund_differs"
    MEMBERSHIP_MISSING_HERE = "membership_missing_here"
    MEMBERSHIP_MISSING_AT_STRIPE = "membership_missing_at_stripe"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One line the books do not agree on. Amounts in cents; None where one side has nothing."""

    kind: DiscrepancyKind
    our_id: UUID | None
    stripe_id: str | None
    our_cents: int | None = None
    stripe_cents: int | None = None


def compare(gateway: PaymentGateway) -> list[Discrepancy]:
    """Return every difference between our payments, refunds and memberships and Stripe's.

    Stripe is asked first: what happens while we look is then in our books, and at worst is shown
    as missing at Stripe until the next comparison.

    Raises:
        GatewayUnavailable: Stripe did not answer; nothing can be said.
    """
    paid = list(gateway.all_payments())
    refunded = list(gateway.all_refunds())
    joined = list(gateway.all_subscriptions())
    return [
        *_payments(paid),
        *_refunds(refunded, {receipt.stripe_id for receipt in paid}),
        *_memberships(joined),
    ]


def _payments(theirs: list[Receipt]) -> Iterator[Discrepancy]:
    with transaction() as session:
        rows = session.scalars(select(Payment).where(Payment.status == PaymentStatus.PAID)).all()
    ours = {payment.stripe_payment_intent_id: payment for payment in rows}
    for receipt in theirs:
        payment = ours.pop(receipt.stripe_id, None)
        there = receipt.amount_cents
        if payment is None:
            kind = DiscrepancyKind.PAYMENT_MISSING_HERE
            yield Discrepancy(kind, receipt.our_id, receipt.stripe_id, None, there)
        elif payment.amount_cents != there:
            kind, here = DiscrepancyKind.PAYMENT_DIFFERS, payment.amount_cents
            yield Discrepancy(kind, payment.id, receipt.stripe_id, here, there)
    for stripe_id, payment in ours.items():
        kind = DiscrepancyKind.PAYMENT_MISSING_AT_STRIPE
        yield Discrepancy(kind, payment.id, stripe_id, payment.amount_cents)


def _refunds(theirs: list[RefundOutcome], our_intents: set[str]) -> Iterator[Discrepancy]:
    with transaction() as session:
        rows = session.scalars(select(Refund).where(Refund.stripe_refund_id.is_not(None))).all()
    ours = {refund.stripe_refund_id: refund for refund in rows}
    for outcome in theirs:
        refund = ours.pop(outcome.stripe_refund_id, None)
        there = outcome.amount_cents
        if refund is None:
            if outcome.payment_intent_id in our_intents:
                kind = DiscrepancyKind.REFUND_MISSING_HERE
                yield Discrepancy(kind, outcome.refund_id, outcome.stripe_refund_id, None, there)
        elif _differs(refund, outcome):
            kind, here = DiscrepancyKind.REFUND_DIFFERS, refund.amount_cents
            yield Discrepancy(kind, refund.id, outcome.stripe_refund_id, here, there)
    for stripe_id, refund in ours.items():
        kind = DiscrepancyKind.REFUND_MISSING_AT_STRIPE
        yield Discrepancy(kind, refund.id, stripe_id, refund.amount_cents)


def _differs(refund: Refund, outcome: RefundOutcome) -> bool:
    """Whether amount or status differ; what we know to be made elsewhere has a status of ours."""
    if refund.amount_cents != outcome.amount_cents:
        return True
    return refund.status is not outcome.status and refund.may_become(outcome.status)


def _memberships(theirs: list[Receipt]) -> Iterator[Discrepancy]:
    with transaction() as session:
        rows = session.scalars(
            select(Membership).where(Membership.stripe_subscription_id.is_not(None))
        ).all()
    ours = {membership.stripe_subscription_id: membership for membership in rows}
    for receipt in theirs:
        if ours.pop(receipt.stripe_id, None) is None:
            kind = DiscrepancyKind.MEMBERSHIP_MISSING_HERE
            yield Discrepancy(kind, receipt.our_id, receipt.stripe_id)
    for stripe_id, membership in ours.items():
        kind = DiscrepancyKind.MEMBERSHIP_MISSING_AT_STRIPE
        yield Discrepancy(kind, membership.id, stripe_id)
