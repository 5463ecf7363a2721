"""Memberships: patients who joined, how they pay, and since when."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base
from booking_service.errors import IllegalTransition
from booking_service.models.offers import Plan
from booking_service.models.patients import Patient


class MembershipStatus(StrEnum):
    """Where a membership stands."""

    PENDING = "pending"  # decided at the desk; the first payment has not settled
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELLED = "cancelled"
    ENDED = "ended"
    UNDONE = "undone"  # taken back before anything was sent to Stripe


class Tender(StrEnum):
    """How the first payment is made."""

    SAVED_CARD = "saved_card"
    CHECKOUT_LINK = "checkout_link"  # a page of Stripe's on the patient's phone
    RECORDED = "recorded"  # taken at the desk: cash, or a terminal's reference


class ChargeStatus(StrEnum):
    """Where the first payment stands."""

    SCHEDULED = "scheduled"  # may still be undone
    CHARGING = "charging"
    PAID = "paid"
    DECLINED = "declined"
    UNKNOWN = "unknown"  # Stripe gave no answer; we keep asking


M = MembershipStatus
_NEXT: Final[Mapping[MembershipStatus, frozenset[MembershipStatus]]] = {
    M.PENDING: frozenset({M.ACTIVE, M.UNDONE, M.ENDED}),
    M.ACTIVE: frozenset({M.PAST_DUE, M.CANCELLED, M.ENDED}),
    M.PAST_DUE: frozenset({M.ACTIVE, M.CANCELLED, M.ENDED}),
    M.CANCELLED: frozenset({M.ENDED}),
    M.ENDED: frozenset(),
    M.UNDONE: frozenset(),
}


class Membership(Base):
    """A patient's membership of one plan. A patient has at most one current membership."""

    __tablename__ = "memberships"
    __table_args__ = (
        Index(
            "uq_memberships_one_current",
            "patient_id",
            unique=True,
            postgresql_where=text("status IN ('pending', 'active', 'past_due')"),
        ),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint(
            "tender <> 'recorded' OR reference IS NOT NULL", name="recorded_has_reference"
        ),
        CheckConstraint("status <> 'active' OR charge_status = 'paid'", name="active_is_paid"),
    )

    patient_id: Mapped[UUID] = mapped_column(ForeignKey("patients.id"))
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    # None: a program started it, and answers for the agreement itself.
    signature_id: Mapped[UUID | None] = mapped_column(ForeignKey("agreement_signatures.id"))
    status: Mapped[MembershipStatus] = mapped_column(default=MembershipStatus.PENDING)
    tender: Mapped[Tender]
    reference: Mapped[str | None]  # receipt or terminal reference of a recorded payment
    amount_cents: Mapped[int]  # the first month's price, as it was when the desk decided
    charge_status: Mapped[ChargeStatus] = mapped_column(default=ChargeStatus.SCHEDULED)
    decline_code: Mapped[str | None]
    decided_at: Mapped[datetime]
    decided_by: Mapped[str]  # the person's name, as finance reads it
    undo_until: Mapped[datetime]
    active_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    stripe_subscription_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]

    plan: Mapped[Plan] = relationship(lazy="raise")
    patient: Mapped[Patient] = relationship(lazy="raise")

    def may_become(self, status: MembershipStatus) -> bool:
        """Return whether `status` would be news, and one that may follow."""
        return status in _NEXT[self.status]

    def move_to(self, status: MembershipStatus) -> bool:
        """Move to `status` and return whether anything changed.

        Raises:
            IllegalTransition: a membership that ended does not come back.
        """
        if status is self.status:
            return False
        if status not in _NEXT[self.status]:
            raise IllegalTransition(f"membership {self.id}: {self.status} -> {status}")
        self.status = status
        return True
