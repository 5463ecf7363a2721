"""Memberships at a payment processor, in this service's words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from booking_service.languages import Language
from booking_service.models import ChangeKind


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


@dataclass(frozen=True, slots=True)
class CardPageOrder:
    """An instruction to make the page on which a member gives another card. Nothing is charged."""

    membership_id: UUID
    customer_id: str
    currency: str
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
class Card:
    """The card that months are charged to."""

    brand: str
    last4: str


@dataclass(frozen=True, slots=True)
class UnpaidInvoice:
    """The month that could not be charged."""

    id: str
    since: datetime
    retry_at: datetime | None  # None: it is not tried again by itself
    decline_code: str | None


@dataclass(frozen=True, slots=True)
class Terms:
    """How a membership goes on at the processor."""

    customer_id: str
    item_id: str
    price_id: str
    anchor_at: datetime  # periods are counted from here
    period_ends_at: datetime  # and then the next month is charged
    cancels_at: datetime | None
    cancels_with_period: bool  # told to end with its period, whenever that is
    is_paused: bool
    card: Card | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A membership at the processor, with every payment it brought."""

    id: str
    membership_id: UUID | None  # None for another application's
    status: SubscriptionStatus
    ended_at: datetime | None
    payments: Sequence[MembershipPayment]
    terms: Terms | None = None
    unpaid: UnpaidInvoice | None = None  # looked for while it is past due

    @property
    def has_settled(self) -> bool:
        """Whether its first payment has settled. A trial or a signature is not enough."""
        return self.status is SubscriptionStatus.ACTIVE or bool(self.payments)

    @property
    def is_over(self) -> bool:
        """Whether it will never bring another payment."""
        return self.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """An instruction to change a membership. The same key means the same change, for a day."""

    subscription_id: str
    terms: Terms  # as they are before
    kind: ChangeKind
    price_id: str | None  # of another plan
    ends_at: datetime | None  # of a cancellation
    idempotency_key: str
