"""The payment gateway over Stripe. Only the `stripe…` modules here import `stripe`."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import stripe

from booking_service.config import Settings
from booking_service.errors import GatewayRefused
from booking_service.gateways import stripe_changes as changes
from booking_service.gateways import stripe_disputes, stripe_events
from booking_service.gateways import stripe_memberships as memberships
from booking_service.gateways import stripe_reading as reading
from booking_service.gateways.memberships import (
    CardPageOrder,
    ChangeOrder,
    MembershipPageOrder,
    Subscription,
)
from booking_service.gateways.payments import (
    Checkout,
    CheckoutOrder,
    CheckoutPage,
    DisputeFacts,
    Event,
    RefundOrder,
    RefundOutcome,
    SubscriptionOrder,
)
from booking_service.gateways.stripe_books import StripeBooks
from booking_service.gateways.stripe_errors import our_errors as _our_errors

STRIPE_VERSION: Final = "2026-10-28.endive"  # the version these mappings were read against

_CONNECT_SECONDS: Final = 3


class StripeGateway(StripeBooks):
    """Talks to Stripe with one pinned API version, one timeout, and no retries of its own.

    Retries are the outbox's: two mechanisms would multiply each other's waits.
    """

    def __init__(self, settings: Settings, timeout: timedelta) -> None:
        self._secrets = settings.stripe_webhook_secrets
        self._client = stripe.StripeClient(
            settings.stripe_api_key,
            stripe_version=STRIPE_VERSION,
            base_addresses={"api": settings.stripe_api_base},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, timeout.total_seconds())),
        )

    def open_checkout(self, order: CheckoutOrder) -> CheckoutPage:
        """See PaymentGateway."""
        expires_at = int(order.expires_at.timestamp())
        ours = {
            "application": reading.APPLICATION,
            "booking_id": str(order.booking_id),
            "payment_id": str(order.payment_id),
        }
        intent: dict[str, Any] = {"metadata": ours}
        params: dict[str, Any] = {
            "mode": "payment",
            "client_reference_id": str(order.booking_id),
            "expires_at": expires_at,
            "success_url": order.return_url,
            "cancel_url": order.back_url,
            "locale": order.language.value,
            "custom_text": {"submit": {"message": order.note}},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency,
                        "unit_amount": order.amount_cents,
                        "product_data": {"name": order.title},
                    },
                }
            ],
            "metadata": ours,
            "payment_intent_data": intent,
        }
        if order.save_card:
            params["customer_creation"] = "always"
            intent["setup_future_usage"] = "off_session"
        with _our_errors():
            session = self._client.v1.checkout.sessions.create(
                params,  # type: ignore[arg-type]  # the SDK's TypedDict cannot be built in steps
                {"idempotency_key": f"checkout:{order.booking_id}:{expires_at}"},
            )
        return CheckoutPage(session.id, session.url or order.back_url)

    def find_checkout(self, session_id: str) -> Checkout:
        """See PaymentGateway."""
        with _our_errors():
            session = self._client.v1.checkout.sessions.retrieve(
                session_id,
                {"expand": ["payment_intent.latest_charge.balance_transaction", "setup_intent"]},
            )
        return reading.checkout(session)

    def expire_checkout(self, session_id: str) -> Checkout:
        """See PaymentGateway."""
        # Only an open page can be closed; another was paid or has expired. Ask which.
        with suppress(GatewayRefused), _our_errors():
            self._client.v1.checkout.sessions.expire(session_id)
        return self.find_checkout(session_id)

    def refund(self, order: RefundOrder) -> RefundOutcome:
        """See PaymentGateway."""
        with _our_errors():
            refund = self._client.v1.refunds.create(
                {
                    "payment_intent": order.payment_intent_id,
                    "amount": order.amount_cents,
                    "metadata": {
                        "application": reading.APPLICATION,
                        "refund_id": str(order.refund_id),
                    },
                },
                {"idempotency_key": order.idempotency_key},
            )
        return reading.outcome(refund)

    def find_refund(self, stripe_refund_id: str) -> RefundOutcome:
        """See PaymentGateway."""
        with _our_errors():
            return reading.outcome(self._client.v1.refunds.retrieve(stripe_refund_id))

    def refunds_of(self, payment_intent_id: str) -> Sequence[RefundOutcome]:
        """See PaymentGateway."""
        with _our_errors():
            page = self._client.v1.refunds.list({"payment_intent": payment_intent_id, "limit": 100})
            return [reading.outcome(refund) for refund in page.auto_paging_iter()]

    def find_dispute(self, stripe_dispute_id: str) -> DisputeFacts:
        """See PaymentGateway."""
        with _our_errors():
            return stripe_disputes.find(self._client, stripe_dispute_id)

    def create_price(self, plan_id: UUID, amount_cents: int, currency: str) -> str:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.create_price(self._client, plan_id, amount_cents, currency)

    def subscribe(self, order: SubscriptionOrder) -> Subscription:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.subscribe(self._client, order)

    def open_membership_page(self, order: MembershipPageOrder) -> CheckoutPage:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.open_page(self._client, order)

    def open_card_page(self, order: CardPageOrder) -> CheckoutPage:
        """See PaymentGateway."""
        with _our_errors():
            return changes.open_card_page(self._client, order)

    def use_card(self, subscription_id: str, method_id: str, idempotency_key: str) -> None:
        """See PaymentGateway."""
        with _our_errors():
            changes.use_card(self._client, subscription_id, method_id, idempotency_key)

    def retry_invoice(self, invoice_id: str, idempotency_key: str) -> None:
        """See PaymentGateway."""
        with _our_errors():
            changes.retry_invoice(self._client, invoice_id, idempotency_key)

    def change_membership(self, order: ChangeOrder) -> Subscription:
        """See PaymentGateway."""
        with _our_errors():
            return changes.change(self._client, order)

    def find_subscription(self, subscription_id: str) -> Subscription:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.find(self._client, subscription_id)

    def subscriptions_of(self, customer_id: str, membership_id: UUID) -> Sequence[Subscription]:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.made_for(self._client, customer_id, membership_id)

    def subscription_of_invoice(self, invoice_id: str) -> str | None:
        """See PaymentGateway."""
        with _our_errors():
            return memberships.of_invoice(self._client, invoice_id)

    def undelivered_events(self, since: datetime) -> Iterator[Event]:
        """See PaymentGateway."""
        with _our_errors():
            page = self._client.v1.events.list(
                {
                    "created": {"gte": int(since.timestamp())},
                    "delivery_success": False,
                    "limit": 100,
                }
            )
            for event in page.auto_paging_iter():
                yield stripe_events.listed(event)

    def read_event(self, body: bytes, signature: str) -> Event:
        """See PaymentGateway."""
        return stripe_events.read_event(body, signature, self._secrets)
