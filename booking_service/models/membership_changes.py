"""What was decided about a membership that runs, and whether Stripe has it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base
from booking_service.models.offers import Plan


class ChangeKind(StrEnum):
    """What somebody decided about a membership."""

    PAUSE = "pause"  # nothing is charged until it is resumed
    RESUME = "resume"
    CANCEL = "cancel"  # at the end of a period
    CANCEL_NOW = "cancel_now"
    KEEP = "keep"  # a cancellation is taken back
    PLAN = "plan"  # another plan from the next charge on


_OPEN: Final = "confirmed_at IS NULL AND refused_at IS NULL"


class MembershipChange(Base):
    """One decision about a membership; open until Stripe has it, or has said no.

    One at a time: what is asked of Stripe second can never arrive first.
    """

    __tablename__ = "membership_changes"
    __table_args__ = (
        Index(
            "uq_membership_changes_one_open",
            "membership_id",
            unique=True,
            postgresql_where=text(_OPEN),
        ),
        CheckConstraint("(kind = 'plan') = (plan_id IS NOT NULL)", name="plan_is_named"),
        CheckConstraint("(kind = 'cancel') = (ends_at IS NOT NULL)", name="end_is_named"),
        CheckConstraint("num_nonnulls(confirmed_at, refused_at) <= 1", name="one_answer"),
        CheckConstraint("(refused_at IS NULL) = (refusal_code IS NULL)", name="refusal_has_a_code"),
    )

    membership_id: Mapped[UUID] = mapped_column(ForeignKey("memberships.id"), index=True)
    kind: Mapped[ChangeKind]
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"))
    ends_at: Mapped[datetime | None]
    decided_at: Mapped[datetime]
    decided_by: Mapped[str]  # the person's name, or `the patient`
    confirmed_at: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
    refusal_code: Mapped[str | None]  # Stripe's

    plan: Mapped[Plan | None] = relationship(lazy="raise")

    @property
    def is_open(self) -> bool:
        """Whether Stripe has not answered it yet."""
        return self.confirmed_at is None and self.refused_at is None
