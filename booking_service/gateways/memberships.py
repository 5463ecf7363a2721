"""Memberships at a payment processor, in this service's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from booking_service.languages import Language


@dataclass(frozen=True, slots=True)
class MembershipPageOrder:
    """An instruction to make the page on which a patient starts a membership."""

    membership_id: UUID
    price_id: str
    customer_id: str | None  # None: whoever pays becomes one
    expires_at: datetime  # 30 minutes to 24 hours from now
    return_url: str
    language: Language  # of the page
    idempotency_key: str


class SubscriptionStatus(StrEnum):
    """Where a membership stands at the processor, in Stripe's words."""

    INCOMPLETE = "incomplete"  # the first payment has not settled
    INCOMPLETE_EXPIRED = "incomplete_expired"  # and never will
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class MembershipPayment:
    """One month that was paid. `fee_cents` is None while Stripe has not booked it."""

    payment_intent_id: str
    amount_cents: int
    fee_cents: int | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A membership at the processor, with every payment it brought."""

    id: str
    membership_id: UUID | None  # None for another application's
    status: SubscriptionStatus
    ended_at: datetime | None
    payments: Sequence[MembershipPayment]

    @property
    def has_settled(self) -> bool:
        """Whether its first payment has settled. A trial or a signature is not enough."""
        return self.status is SubscriptionStatus.ACTIVE or bool(self.payments)

    @property
    def is_over(self) -> bool:
        """Whether it will never bring another payment."""
        return self.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)
