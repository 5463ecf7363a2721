"""Disputes: a patient's bank asks for a payment back."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class DisputeStatus(StrEnum):
    """Where a dispute stands, in Stripe's words."""

    WARNING_NEEDS_RESPONSE = "warning_needs_response"  # an inquiry: nothing was taken
    WARNING_UNDER_REVIEW = "warning_under_review"
    WARNING_CLOSED = "warning_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    APPEAL_NEEDS_RESPONSE = "appeal_needs_response"
    APPEAL_UNDER_REVIEW = "appeal_under_review"
    PREVENTED = "prevented"
    WON = "won"
    LOST = "lost"


D = DisputeStatus
# An inquiry may still be answered with a refund; of these Stripe refuses one.
BLOCKING: Final = frozenset(
    {D.NEEDS_RESPONSE, D.UNDER_REVIEW, D.APPEAL_NEEDS_RESPONSE, D.APPEAL_UNDER_REVIEW}
)
OPEN: Final = BLOCKING | {D.WARNING_NEEDS_RESPONSE, D.WARNING_UNDER_REVIEW}


class Dispute(Base):
    """One dispute of one payment: of a first visit, or of a membership."""

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint("num_nonnulls(payment_id, membership_id) = 1", name="about_one_thing"),
    )

    stripe_dispute_id: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[UUID | None] = mapped_column(ForeignKey("payments.id"), index=True)
    membership_id: Mapped[UUID | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    status: Mapped[DisputeStatus]
    amount_cents: Mapped[int]
    reason: Mapped[str]  # Stripe's code, like "fraudulent"
    evidence_due_at: Mapped[datetime | None]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
