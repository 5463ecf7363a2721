"""Refunds: one decision to return one payment, and what became of it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base
from booking_service.errors import IllegalTransition
from booking_service.models.payments import Payment


class RefundReason(StrEnum):
    """Why the money goes back. Ours, not Stripe's: Stripe knows only three reasons."""

    MEMBERSHIP = "membership"
    CANCELLATION = "cancellation"
    DUPLICATE_PAYMENT = "duplicate_payment"
    SLOT_LOST = "slot_lost"
    GOODWILL = "goodwill"
    EXTERNAL = "external"


# What we owe, and owe once for a payment; the index below says so in SQL.
OWED: Final = frozenset(RefundReason) - {RefundReason.GOODWILL, RefundReason.EXTERNAL}


class RefundStatus(StrEnum):
    """Where a refund stands. Stripe's own words from `pending` to `canceled`."""

    BLOCKED = "blocked"  # a dispute is open; finance decides
    REQUESTED = "requested"  # owed, not sent
    SENDING = "sending"  # sent; no answer is written down yet
    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"  # by Stripe; or given up by us, and `failure_code` says why
    SETTLED_OTHERWISE = "settled_otherwise"  # paid back by check or cash
    EXTERNAL = "external"  # made in Stripe's dashboard


R = RefundStatus
_ANSWERS: Final = frozenset({R.PENDING, R.REQUIRES_ACTION, R.SUCCEEDED, R.FAILED, R.CANCELED})
_NEXT: Final[Mapping[RefundStatus, frozenset[RefundStatus]]] = {
    R.BLOCKED: frozenset({R.REQUESTED, R.CANCELED, R.SETTLED_OTHERWISE, R.EXTERNAL}),
    R.REQUESTED: frozenset({R.SENDING, R.BLOCKED, R.CANCELED, R.EXTERNAL}),
    R.SENDING: _ANSWERS | {R.BLOCKED, R.EXTERNAL},
    R.PENDING: _ANSWERS - {R.PENDING},
    R.REQUIRES_ACTION: _ANSWERS - {R.REQUIRES_ACTION},
    R.SUCCEEDED: frozenset({R.FAILED}),  # a bank may send it back weeks later
    R.FAILED: frozenset({R.REQUESTED, R.SETTLED_OTHERWISE, R.CANCELED, R.EXTERNAL}),
    R.CANCELED: frozenset({R.REQUESTED, R.SETTLED_OTHERWISE, R.EXTERNAL}),
    R.SETTLED_OTHERWISE: frozenset(),
    R.EXTERNAL: frozenset({R.FAILED, R.CANCELED}),
}
# Decided, and nothing of it is under way at Stripe.
AT_REST: Final = frozenset({R.BLOCKED, R.REQUESTED, R.FAILED, R.CANCELED})


class Refund(Base):
    """One decision to return what is left of one payment. What we owe is owed once."""

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint("approved_by_id <> asked_by_id", name="approved_by_another"),
        Index(
            "uq_refunds_owed_once",
            "payment_id",
            unique=True,
            postgresql_where=text(
                "reason IN ('membership', 'cancellation', 'duplicate_payment', 'slot_lost')"
            ),
        ),
        Index(
            "uq_refunds_one_goodwill_asked",
            "payment_id",
            unique=True,
            postgresql_where=text(
                "reason = 'goodwill' AND status = 'blocked' AND approved_at IS NULL"
            ),
        ),
        Index("ix_refunds_requested_at", "requested_at", "id"),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), index=True)
    reason: Mapped[RefundReason]
    status: Mapped[RefundStatus] = mapped_column(default=RefundStatus.REQUESTED)
    amount_cents: Mapped[int]
    requested_at: Mapped[datetime]
    requested_by: Mapped[str]  # a person's name, or "First Visit" when it followed by itself
    asked_by_id: Mapped[UUID | None]  # who asked for goodwill: staff, or a program's token
    note: Mapped[str | None]  # why, in finance's words
    approved_by_id: Mapped[UUID | None]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]  # when Stripe's latest answer was written down
    stripe_refund_id: Mapped[str | None] = mapped_column(unique=True)
    failure_code: Mapped[str | None]
    trace_number: Mapped[str | None]  # what the bank finds it by

    payment: Mapped[Payment] = relationship(lazy="raise")

    @property
    def waits_for_approval(self) -> bool:
        """Whether one person asked for it as goodwill, and nobody else has decided."""
        is_goodwill = self.reason is RefundReason.GOODWILL
        return is_goodwill and self.status is RefundStatus.BLOCKED and self.approved_at is None

    def may_become(self, status: RefundStatus) -> bool:
        """Whether `status` would be news; an answer that took a long way round may not be."""
        return status in _NEXT[self.status]

    def move_to(self, status: RefundStatus, at: datetime) -> bool:
        """Move to `status` and return whether anything changed.

        Hearing the same news twice is normal (Stripe delivers webhooks at least once) and changes
        nothing.

        Raises:
            IllegalTransition: the move would rewrite a settled outcome.
        """
        if status is self.status:
            return False
        if status not in _NEXT[self.status]:
            raise IllegalTransition(f"refund {self.id}: {self.status} -> {status}")
        self.status = status
        self.answered_at = at if status in _ANSWERS else self.answered_at
        return True
