"""Settlements: money that Stripe cannot return, paid another way by people."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.models.payments import Payment, PaymentTender

# What the desk took and hands back takes one person up to this, and two above it.
TWO_PEOPLE_ABOVE_CENTS: Final = 10_000


def takes_two(payment: Payment, amount_cents: int) -> bool:
    """Whether paying `amount_cents` of a payment back outside Stripe takes two people.

    It always does when the money came by card: then it should go back by card, and somebody else
    must have seen why it cannot.
    """
    return payment.tender is PaymentTender.CARD or amount_cents > TWO_PEOPLE_ABOVE_CENTS


class SettlementMethod(StrEnum):
    """How the money went."""

    CASH = "cash"
    TERMINAL = "terminal"  # the desk's own card terminal, not Stripe's
    CHECK = "check"
    BANK_TRANSFER = "bank_transfer"


class Settlement(Base):
    """One payment of a refund outside Stripe, recorded by one and approved by another.

    What the desk hands back itself, up to $100.00, has nobody in `approved_by`.

    While one stands, recorded or approved, nothing of that refund is sent to Stripe.
    """

    __tablename__ = "settlements"
    __table_args__ = (
        Index(
            "uq_settlements_one_standing",
            "refund_id",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        CheckConstraint("approved_by_id <> recorded_by_id", name="approved_by_another"),
        CheckConstraint("approved_at IS NULL OR withdrawn_at IS NULL", name="one_ending"),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
    )

    refund_id: Mapped[UUID] = mapped_column(ForeignKey("refunds.id"), index=True)
    method: Mapped[SettlementMethod]
    reference: Mapped[str]  # check number, receipt, or the bank's reference
    amount_cents: Mapped[int]
    recorded_at: Mapped[datetime]
    recorded_by_id: Mapped[UUID | None]
    recorded_by: Mapped[str]
    approved_at: Mapped[datetime | None]
    approved_by_id: Mapped[UUID | None]
    approved_by: Mapped[str | None]
    withdrawn_at: Mapped[datetime | None]
