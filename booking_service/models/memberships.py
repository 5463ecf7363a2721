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
        Index(
            "ix_memberships_past_due",
            "past_due_since",
            postgresql_where=text("status = 'past_due'"),
        ),
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint(
            "tender <> 'recorded' OR reference IS NOT NULL", name="recorded_has_reference"
        ),
        CheckConstraint("status <> 'active' OR charge_status = 'paid'", name="active_is_paid"),
        CheckConstraint(
            "status IN ('active', 'past_due')"
            " OR num_nonnulls(paused_at, cancels_at, next_plan_id) = 0",
            name="changes_while_running",
        ),
        CheckConstraint(
            "status = 'past_due' OR num_nonnulls(past_due_since, past_due_code, retry_at) = 0",
            name="owes_while_past_due",
        ),
        CheckConstraint("next_plan_id <> plan_id", name="next_plan_is_another"),
        CheckConstraint("num_nulls(card_brand, card_last4) <> 1", name="card_is_whole"),
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

    # Where it stands, as Stripe's billing said last; without Stripe, as the desk decided.
    next_plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("plans.id"))  # with next charge
    billing_anchor_at: Mapped[datetime | None]  # periods are months counted from here
    period_ends_at: Mapped[datetime | None]  # the next charge
    cancels_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    past_due_since: Mapped[datetime | None]
    past_due_code: Mapped[str | None]  # the bank's decline code
    retry_at: Mapped[datetime | None]  # when Stripe tries the unpaid month again
    failed_invoice_id: Mapped[str | None]  # the last the patient was told of; stays when it is paid
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    looked_up_at: Mapped[datetime | None]  # when Stripe was asked for all this

    # The page of Stripe's on which the patient gives another card.
    card_page_made_at: Mapped[datetime | None]
    card_page_id: Mapped[str | None] = mapped_column(unique=True)
    card_page_url: Mapped[str | None]

    plan: Mapped[Plan] = relationship(lazy="raise", foreign_keys=plan_id)
    next_plan: Mapped[Plan | None] = relationship(lazy="raise", foreign_keys=next_plan_id)
    patient: Mapped[Patient] = relationship(lazy="raise")

    @property
    def is_running(self) -> bool:
        """Whether months are charged, or would be if it were not paused or past due."""
        return self.status in (MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)

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
        if status is not MembershipStatus.PAST_DUE:
            self.past_due_since = self.past_due_code = self.retry_at = None
        if not self.is_running:
            self.paused_at = self.cancels_at = self.next_plan_id = None
        return True
