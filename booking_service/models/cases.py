"""Cases: what the service cannot put right by itself, with an owner and an age."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class CaseType(StrEnum):
    """Why a person must look."""

    REFUND_FAILED = "refund_failed"
    REFUND_BLOCKED = "refund_blocked"  # by a dispute
    GOODWILL_ASKED = "goodwill_asked"  # by one person; another decides
    REFUNDED_OUTSIDE = "refunded_outside"  # in Stripe's dashboard, where we owed it
    PAYMENT_MISMATCH = "payment_mismatch"  # another amount or currency than the price
    PAYMENT_UNKNOWN = "payment_unknown"  # paid to us, for a booking we do not have
    DISPUTE_OPEN = "dispute_open"  # the bank asks; evidence is due
    DESK_PAYOUT = "desk_payout"  # paid at the desk, so the desk pays it back
    MEMBERSHIP_TWICE = "membership_twice"  # Stripe has more than one for the same decision
    BOOKS_DIFFER = "books_differ"  # our ledger and Stripe's balance
    PROMISE_IN_DOUBT = "promise_in_doubt"  # the self-audit could not explain it
    WORK_STUCK = "work_stuck"  # tried too often; the outbox message waits
    STRIPE_LOCKED_OUT = "stripe_locked_out"  # our key is not accepted


class CaseAction(StrEnum):
    """What a person can do about a case."""

    RETRY = "retry"  # do again what failed
    SETTLE = "settle"  # record that the money was paid another way
    APPROVE_SETTLEMENT = "approve_settlement"
    WITHDRAW_SETTLEMENT = "withdraw_settlement"
    APPROVE_GOODWILL = "approve_goodwill"
    DECLINE_GOODWILL = "decline_goodwill"
    RETURN_MONEY = "return_money"  # a payment that does not fit goes back
    ACCEPT_PAYMENT = "accept_payment"  # ... or is taken as it is
    WAIVE = "waive"  # the refund is given up
    ACKNOWLEDGE = "acknowledge"  # dealt with elsewhere; the note says how
    ASSIGN = "assign"


A = CaseAction
T = CaseType
# What may be done about each type; whether it may be done now is for `models.case_rules`.
ACTIONS: Final[Mapping[CaseType, Sequence[CaseAction]]] = {
    T.REFUND_FAILED: (
        A.RETRY,
        A.SETTLE,
        A.APPROVE_SETTLEMENT,
        A.WITHDRAW_SETTLEMENT,
        A.ASSIGN,
    ),
    T.DESK_PAYOUT: (A.SETTLE, A.APPROVE_SETTLEMENT, A.WITHDRAW_SETTLEMENT, A.ASSIGN),
    T.REFUND_BLOCKED: (A.RETRY, A.WAIVE, A.ASSIGN),
    T.GOODWILL_ASKED: (A.APPROVE_GOODWILL, A.DECLINE_GOODWILL, A.ASSIGN),
    T.PAYMENT_MISMATCH: (A.RETURN_MONEY, A.ACCEPT_PAYMENT, A.ASSIGN),
    T.WORK_STUCK: (A.RETRY, A.ASSIGN),
    T.REFUNDED_OUTSIDE: (A.ACKNOWLEDGE, A.ASSIGN),
    T.PAYMENT_UNKNOWN: (A.ACKNOWLEDGE, A.ASSIGN),
    T.DISPUTE_OPEN: (A.ACKNOWLEDGE, A.ASSIGN),
    T.MEMBERSHIP_TWICE: (A.ACKNOWLEDGE, A.ASSIGN),
    T.BOOKS_DIFFER: (A.ACKNOWLEDGE, A.ASSIGN),
    T.PROMISE_IN_DOUBT: (A.ACKNOWLEDGE, A.ASSIGN),
    T.STRIPE_LOCKED_OUT: (A.ACKNOWLEDGE, A.ASSIGN),
}


class CaseStatus(StrEnum):
    """Whether it still needs somebody."""

    OPEN = "open"
    RESOLVED = "resolved"


class Case(Base):
    """One exception. The same trouble with the same thing is one case while it is open."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "uq_cases_one_open",
            "type",
            "subject_id",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
    )

    type: Mapped[CaseType]
    status: Mapped[CaseStatus] = mapped_column(default=CaseStatus.OPEN)
    subject_id: Mapped[UUID]
    detail: Mapped[str]  # a code, never personal data
    amount_cents: Mapped[int | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str | None]  # a person, or "First Visit" when the reason went away
    resolution: Mapped[str | None]  # what was done about it
    note: Mapped[str | None]  # why, in that person's words
