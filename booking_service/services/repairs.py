"""Putting right what a lost webhook would have: by the same functions, and nothing else."""

import logging
from collections.abc import Iterable
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from sqlalchemy import select

from booking_service.db import transaction
from booking_service.errors import GatewayBusy, GatewayUnavailable
from booking_service.gateways.books import BooksGateway
from booking_service.models import (
    Account,
    DiscrepancyKind,
    EntryKind,
    Membership,
    Payment,
    StripeMovement,
)
from booking_service.services import checkout, disputes, ledger, membership_news, payouts, refunds
from booking_service.services.ledger import Movement
from booking_service.services.matching import Difference

log: Final = logging.getLogger(__name__)

# What Stripe takes or gives of its own accord
# (https://docs.stripe.com/reports/balance-transaction-types). Others must be explained by a person.
_STRIPES_OWN: Final = ("stripe_fee", "stripe_fx_fee", "tax_fee", "adjustment")
_PAYMENTS: Final = (DiscrepancyKind.PAYMENT_MISSING_HERE, DiscrepancyKind.PAYMENT_DIFFERS)


def subject_of(stripe_id: str | None) -> UUID:
    """Return the id of ours that stands for one of Stripe's, in cases and in the ledger."""
    return uuid5(NAMESPACE_URL, stripe_id or "")


def repair(lines: Iterable[Difference], gateway: BooksGateway) -> None:
    """Look up what each line is about, as its webhook would have made us do.

    What cannot be put right stays a difference, and stops nothing else.

    Raises:
        GatewayUnavailable: Stripe did not answer.
    """
    about = {line.stripe_id: line for line in lines if line.stripe_id}
    for line in sorted(about.values(), key=_rank):
        try:
            _repair(line, line.stripe_id or "", gateway)
        except GatewayBusy:
            log.warning("somebody else is at it", extra={"code": line.kind})
        except GatewayUnavailable:
            raise
        except Exception:
            log.exception("not repaired", extra={"code": line.kind})


def _rank(line: Difference) -> int:
    """Payments come first: what a refund or a dispute is about must be known to be written down."""
    return {"pi": 0, "sub": 1}.get(_sort_of(line), 2)


def _sort_of(line: Difference) -> str:
    return (line.stripe_id or "").partition("_")[0]


def _repair(line: Difference, stripe_id: str, gateway: BooksGateway) -> None:
    match _sort_of(line):
        case "re" | "pyr":
            refunds.apply_news(stripe_id, gateway)
        case "du" | "dp":
            disputes.apply_news(stripe_id, gateway)
        case "po":
            payouts.apply_news(stripe_id, gateway)
        case "txn":
            _book_stripes_own(stripe_id)
        case "sub":
            membership_news.subscription_changed(stripe_id, gateway)
        case "pi":
            _confirm(line, stripe_id, gateway)
            _follow_membership(stripe_id, gateway)


def _confirm(line: Difference, stripe_id: str, gateway: BooksGateway) -> None:
    """Ask what became of the payment page of a first visit."""
    known = Payment.stripe_payment_intent_id == stripe_id
    if line.kind in _PAYMENTS:
        known = known | (Payment.id == line.our_id)
    with transaction() as session:
        page = session.scalar(select(Payment.stripe_checkout_session_id).where(known))
    if page is not None:
        checkout.confirm(page, gateway)


def _follow_membership(stripe_id: str, gateway: BooksGateway) -> None:
    """Look up the membership whose month was paid."""
    with transaction() as session:
        subscription_id = session.scalar(
            select(Membership.stripe_subscription_id)
            .join(StripeMovement, StripeMovement.membership_id == Membership.id)
            .where(StripeMovement.payment_at_stripe == stripe_id)
        )
    if subscription_id is not None:
        membership_news.subscription_changed(subscription_id, gateway)


def _book_stripes_own(stripe_id: str) -> None:
    """Book a fee or an adjustment that is about no payment, payout, refund or dispute."""
    with transaction() as session:
        moved = session.scalar(
            select(StripeMovement).where(
                StripeMovement.moved_under == stripe_id, StripeMovement.type.in_(_STRIPES_OWN)
            )
        )
        if moved is not None:
            cents, subject = moved.net_cents, subject_of(stripe_id)
            own = Movement(EntryKind.ADJUSTMENT, subject, stripe_id, stripe_id=stripe_id)
            ledger.write(session, own, {Account.STRIPE_BALANCE: cents, Account.STRIPE_FEES: -cents})
