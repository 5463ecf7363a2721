"""Reconciliation: comparisons of our books with Stripe's, and what Stripe paid out."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


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
    DISPUTE_DIFFERS = "dispute_differs"
    PAYOUT_DIFFERS = "payout_differs"
    LEDGER_DIFFERS = "ledger_differs"  # Stripe's balance moved otherwise than our ledger says


class ReconciliationRun(Base):
    """One comparison, and the self-audit made with it."""

    __tablename__ = "reconciliation_runs"
    __table_args__ = (Index("ix_reconciliation_runs_started_at", "started_at"),)

    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]  # None while it runs, or when it died
    asked_by: Mapped[str]  # a person, or "First Visit" at night
    matched: Mapped[int] = mapped_column(default=0)  # movements of Stripe's balance we can explain
    repaired: Mapped[int] = mapped_column(default=0)
    residue_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    # What other applications in the same account moved: not ours to explain, and not residue.
    other_cents: Mapped[int] = mapped_column(BigInteger, default=0)
    promises_checked: Mapped[int] = mapped_column(default=0)
    promises_in_doubt: Mapped[int] = mapped_column(default=0)
    read_until: Mapped[datetime | None]  # of Stripe's movements; the next one goes on from there


class Discrepancy(Base):
    """One line the books did not agree on. Cents; None where one side has nothing."""

    __tablename__ = "discrepancies"

    run_id: Mapped[UUID] = mapped_column(ForeignKey("reconciliation_runs.id"), index=True)
    kind: Mapped[DiscrepancyKind]
    our_id: Mapped[UUID | None]
    stripe_id: Mapped[str | None]
    our_cents: Mapped[int | None]
    stripe_cents: Mapped[int | None]
    repaired: Mapped[bool] = mapped_column(default=False)


class Payout(Base):
    """One payout of Stripe's to the practice's bank, with its latest status in Stripe's words."""

    __tablename__ = "payouts"

    stripe_payout_id: Mapped[str] = mapped_column(unique=True)
    amount_cents: Mapped[int]  # below zero when Stripe took money from the bank
    status: Mapped[str]
    is_automatic: Mapped[bool]
    created_at: Mapped[datetime]
    arrives_at: Mapped[datetime]


class StripeBalance(Base):
    """What Stripe had for us when it was asked last: refunds are paid from it."""

    __tablename__ = "stripe_balances"
    __table_args__ = (CheckConstraint("only_row", name="only_row"),)

    only_row: Mapped[bool] = mapped_column(default=True, unique=True)
    available_cents: Mapped[int]  # below zero when more went out than was there
    read_at: Mapped[datetime]


class StripeMovement(Base):
    """One movement of Stripe's balance, kept as Stripe booked it. Stripe never changes one."""

    __tablename__ = "stripe_movements"

    stripe_transaction_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    moved_under: Mapped[str] = mapped_column(index=True)  # pi_, re_, du_, po_, or its own txn_
    # The payment it is about, if it is about one: pi_, or ch_ of an application without intents.
    payment_at_stripe: Mapped[str | None] = mapped_column(index=True)
    our_id: Mapped[UUID | None]  # the payment or refund of ours that it names
    membership_id: Mapped[UUID | None]  # of ours, whose month this paid for
    amount_cents: Mapped[int]
    net_cents: Mapped[int]  # less Stripe's fee: what the balance moved by
    moved_at: Mapped[datetime]
    stripe_payout_id: Mapped[str | None] = mapped_column(index=True)  # once it was paid out
