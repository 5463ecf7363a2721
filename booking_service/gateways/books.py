"""What comparing the books needs from a payment processor: long lists, read one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from booking_service.gateways.payments import PaymentGateway, RefundOutcome
from booking_service.models import DisputeStatus


@dataclass(frozen=True, slots=True)
class BookedMovement:
    """One movement of the processor's balance. Amounts in cents, below zero for what left it."""

    id: str
    type: str  # in Stripe's words, like "charge" or "stripe_fee"
    moved_under: str  # the payment, refund, dispute or payout that moved; else its own id
    payment_at_stripe: str | None  # the payment it is about, if it is about one
    our_id: UUID | None  # the payment or refund of ours that it names
    amount_cents: int
    net_cents: int
    moved_at: datetime


@dataclass(frozen=True, slots=True)
class PayoutNews:
    """The present state of a payout to the practice's bank."""

    stripe_id: str
    amount_cents: int  # below zero when the bank was debited
    status: str
    is_automatic: bool
    created_at: datetime
    arrives_at: datetime
    came_back: bool  # the bank sent it back, or it was cancelled: the balance has it again


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the processor has under one of our ids."""

    stripe_id: str
    our_id: UUID | None
    amount_cents: int


@dataclass(frozen=True, slots=True)
class DisputeReceipt:
    """A dispute as the processor lists it."""

    stripe_id: str
    payment_at_stripe: str | None  # the payment it is about
    amount_cents: int
    status: DisputeStatus


class BooksGateway(PaymentGateway, Protocol):
    """The processor, as the comparison of the books asks it. The newest comes first.

    `since` leaves out what was created before; None leaves out nothing.
    """

    def available_cents(self) -> int:
        """Return what can be paid out or refunded now, in US cents; below zero if it owes."""
        ...

    def movements(self, since: datetime | None) -> Iterator[BookedMovement]:
        """Return the movements of the balance."""
        ...

    def movements_of(self, stripe_payout_id: str) -> Iterator[str]:
        """Return the ids of the movements an automatic payout is made of, its own among them."""
        ...

    def membership_payments(self, since: datetime | None) -> Iterator[Receipt]:
        """Return what was paid for memberships of ours, by payment, with the membership's id."""
        ...

    def all_refunds(self, since: datetime | None) -> Iterator[RefundOutcome]:
        """Return the refunds of the account, ours or not."""
        ...

    def all_subscriptions(self) -> Iterator[Receipt]:
        """Return every membership that was ever started, without amounts."""
        ...

    def all_disputes(self) -> Iterator[DisputeReceipt]:
        """Return every dispute of the account, ours or not."""
        ...

    def all_payouts(self, since: datetime | None) -> Iterator[PayoutNews]:
        """Return the payouts of the account."""
        ...

    def find_payout(self, stripe_payout_id: str) -> PayoutNews:
        """Return the present state of a payout."""
        ...
