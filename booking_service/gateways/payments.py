"""What this service needs from a payment processor, in its own words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from booking_service.gateways.memberships import (
    CardPageOrder,
    ChangeOrder,
    MembershipPageOrder,
    Subscription,
)
from booking_service.languages import Language
from booking_service.models import DisputeStatus, RefundStatus


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """A request to collect one first-visit charge."""

    booking_id: UUID
    payment_id: UUID
    amount_cents: int
    currency: str
    save_card: bool
    expires_at: datetime  # at least 30 minutes from now
    return_url: str
    back_url: str
    language: Language  # of the page
    title: str  # what is bought, in neutral words
    note: str  # the promise in one neutral sentence, shown beside the pay button


@dataclass(frozen=True, slots=True)
class CheckoutPage:
    """Where the patient pays."""

    id: str
    url: str


class CheckoutStatus(StrEnum):
    """Where a payment page stands, in Stripe's words."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class CardPayment:
    """Money that arrived by card. `fee_cents` is None while Stripe has not booked it."""

    payment_intent_id: str
    amount_cents: int
    currency: str
    fee_cents: int | None
    customer_id: str | None
    payment_method_id: str | None  # only when the patient agreed to keep the card
    card_brand: str | None
    card_last4: str | None
    has_gone_back: bool  # all or a part of it


@dataclass(frozen=True, slots=True)
class Checkout:
    """The present state of a payment page. Without an id of ours it is another application's."""

    id: str
    status: CheckoutStatus
    booking_id: UUID | None
    payment: CardPayment | None  # once it is paid
    has_failed: bool  # a payment that takes days did not arrive, and never will
    membership_id: UUID | None = None
    subscription_id: str | None = None  # of a membership's page, once it is complete
    card_method_id: str | None = None  # of a page for another card, once it is complete
    is_for_card: bool = False


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """An instruction to return money. The same key means the same refund, for a day."""

    refund_id: UUID
    payment_intent_id: str
    amount_cents: int
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class RefundOutcome:
    """What the processor made of a refund. `refund_id` is None if a person made it by hand."""

    refund_id: UUID | None
    stripe_refund_id: str
    payment_intent_id: str | None
    amount_cents: int
    status: RefundStatus
    failure_code: str | None
    trace_number: str | None
    has_left: bool  # Stripe took it from the balance; a refund that waits for money has not
    came_back: bool  # and the bank sent it back there


@dataclass(frozen=True, slots=True)
class SubscriptionOrder:
    """An instruction to start a membership and take its first payment from a saved card."""

    membership_id: UUID
    price_id: str
    customer_id: str
    payment_method_id: str
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class BalanceMovement:
    """What went through the processor's balance: below zero it left, and the fee left besides."""

    id: str
    amount_cents: int
    fee_cents: int


@dataclass(frozen=True, slots=True)
class DisputeFacts:
    """The present state of a dispute at the processor."""

    id: str
    payment_intent_id: str | None
    status: DisputeStatus
    amount_cents: int
    reason: str
    opened_at: datetime
    evidence_due_at: datetime | None
    movements: Sequence[BalanceMovement]


@dataclass(frozen=True, slots=True)
class Event:
    """A verified webhook: news that an object changed, not the state it changed to."""

    id: str
    type: str
    object_id: str


class PaymentGateway(Protocol):
    """The processor. None of this may run inside a transaction.

    Every method may raise GatewayUnavailable (nobody knows whether it was done: ask again with
    the same key), GatewayBusy (not done, ask later), GatewayLockedOut (our key is not accepted)
    and, where it says so, GatewayRefused (a final no).
    """

    def open_checkout(self, order: CheckoutOrder) -> CheckoutPage:
        """Create the payment page of a booking."""
        ...

    def find_checkout(self, session_id: str) -> Checkout:
        """Return the present state of a payment page."""
        ...

    def expire_checkout(self, session_id: str) -> Checkout:
        """Close a payment page, and return what it is now: it may have been paid just before."""
        ...

    def refund(self, order: RefundOrder) -> RefundOutcome:
        """Return money.

        Raises:
            GatewayRefused: already refunded, disputed, or unknown; `reason` is Stripe's code.
        """
        ...

    def find_refund(self, stripe_refund_id: str) -> RefundOutcome:
        """Return the present state of a refund, whatever order its webhooks arrived in."""
        ...

    def refunds_of(self, payment_intent_id: str) -> Sequence[RefundOutcome]:
        """Return every refund of a payment, ours or not, newest first."""
        ...

    def find_dispute(self, stripe_dispute_id: str) -> DisputeFacts:
        """Return the present state of a dispute, and what it moved so far."""
        ...

    def create_price(self, plan_id: UUID, amount_cents: int, currency: str) -> str:
        """Make a monthly price and return its id; the same plan gets the same price."""
        ...

    def subscribe(self, order: SubscriptionOrder) -> Subscription:
        """Start a membership and take the first payment, or do neither.

        Raises:
            GatewayRefused: the card was declined; `decline_code` says why.
        """
        ...

    def open_membership_page(self, order: MembershipPageOrder) -> CheckoutPage:
        """Create the page on which a patient starts a membership and pays the first month."""
        ...

    def open_card_page(self, order: CardPageOrder) -> CheckoutPage:
        """Create the page on which a member gives another card."""
        ...

    def use_card(self, subscription_id: str, method_id: str, idempotency_key: str) -> None:
        """Charge the coming months of a membership to another card.

        Raises:
            GatewayRefused: it has ended, or the card is gone.
        """
        ...

    def retry_invoice(self, invoice_id: str, idempotency_key: str) -> None:
        """Charge an unpaid month to the membership's card now.

        Raises:
            GatewayRefused: declined, or paid already.
        """
        ...

    def change_membership(self, order: ChangeOrder) -> Subscription:
        """Change a membership, and return what it is then.

        Raises:
            GatewayRefused: it has ended, or cannot be changed so.
        """
        ...

    def find_subscription(self, subscription_id: str) -> Subscription:
        """Return a membership as it is now, whatever order its webhooks arrived in."""
        ...

    def subscriptions_of(self, customer_id: str, membership_id: UUID) -> Sequence[Subscription]:
        """Return what a customer has for one membership, oldest first; more than one is wrong."""
        ...

    def subscription_of_invoice(self, invoice_id: str) -> str | None:
        """Return the id of the membership an invoice bills; None when it bills none."""
        ...

    def undelivered_events(self, since: datetime) -> Iterator[Event]:
        """Return the events that an endpoint did not take, newest first."""
        ...

    def read_event(self, body: bytes, signature: str) -> Event:
        """Verify and parse a webhook body.

        Raises:
            SignatureInvalid: the signature is missing, wrong, or not of the last 300 seconds.
        """
        ...
