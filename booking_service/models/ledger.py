"""The ledger: double entry, append-only, balanced by the database."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base


class Account(StrEnum):
    """The chart of accounts. Debits are positive cents, credits negative."""

    STRIPE_BALANCE = "stripe_balance"  # asset: what Stripe holds for us
    BANK = "bank"  # asset: what Stripe paid out, less what we paid by check or transfer
    DISPUTED_FUNDS = "disputed_funds"  # asset: taken by a bank that has not decided yet
    DESK_TAKINGS = "desk_takings"  # asset: recorded at the desk, not yet at the bank
    REFUND_LIABILITY = "refund_liability"  # a first visit that may still have to go back
    UNMATCHED_RECEIPTS = "unmatched_receipts"  # liability: money that fits no booking
    FIRST_VISIT_REVENUE = "first_visit_revenue"
    MEMBERSHIP_REVENUE = "membership_revenue"
    STRIPE_FEES = "stripe_fees"  # expense: never returned with a refund
    DISPUTE_LOSSES = "dispute_losses"  # expense: taken for good, and not owed by us anyway


class EntryKind(StrEnum):
    """What moved the money."""

    PAYMENT = "payment"
    PAYMENT_FEE = "payment_fee"
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"  # the bank sent it back
    SETTLEMENT = "settlement"  # returned another way: check, cash, bank transfer
    PROMISE_LAPSED = "promise_lapsed"  # the visit ended: the money is ours
    PROMISE_REOPENED = "promise_reopened"  # the end was taken back: it may have to go back again
    MEMBERSHIP_PAYMENT = "membership_payment"
    MEMBERSHIP_FEE = "membership_fee"
    UNMATCHED_RECEIPT = "unmatched_receipt"
    DISPUTE_WITHDRAWN = "dispute_withdrawn"
    DISPUTE_REINSTATED = "dispute_reinstated"
    DISPUTE_LOST = "dispute_lost"
    PAYOUT = "payout"
    PAYOUT_FAILED = "payout_failed"
    ADJUSTMENT = "adjustment"  # Stripe moved money of its own accord


class JournalEntry(Base):
    """One movement of money, written once. Its lines add up to zero."""

    __tablename__ = "journal_entries"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id", "reference"),
        Index("ix_journal_entries_at", "at", "id"),
    )

    kind: Mapped[EntryKind]
    subject_id: Mapped[UUID]
    reference: Mapped[str]  # Stripe's id of the movement, or what the desk recorded
    at: Mapped[datetime]
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    # What it moved under at Stripe: pi_, re_, du_, po_; the books are compared by it.
    stripe_id: Mapped[str | None] = mapped_column(index=True)

    lines: Mapped[list["JournalLine"]] = relationship(lazy="raise")


class JournalLine(Base):
    """One side of an entry."""

    __tablename__ = "journal_lines"
    __table_args__ = (CheckConstraint("amount_cents <> 0", name="amount_not_zero"),)

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("journal_entries.id"), index=True)
    account: Mapped[Account] = mapped_column(index=True)
    amount_cents: Mapped[int]
