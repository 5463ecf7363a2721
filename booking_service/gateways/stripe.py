"""The payment gateway over Stripe. Only the `stripe…` modules here import `stripe`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import stripe

from booking_service.config import Settings
from booking_service.db import leave_for_the_network
from booking_service.errors import (
    GatewayBusy,
    GatewayLockedOut,
    GatewayRefused,
    GatewayUnavailable,
)
from booking_service.gateways import stripe_disputes, stripe_events
from booking_service.gateways import stripe_reading as reading
from booking_service.gateways.payments import (
    Checkout,
    CheckoutOrder,
    CheckoutPage,
    DisputeFacts,
    Event,
    Receipt,
    RefundOrder,
    RefundOutcome,
    Subscription,
    SubscriptionOrder,
)

STRIPE_VERSION: Final = "2026-10-28.endive"  # the version these mappings were read against

_CONNECT_SECONDS: Final = 3
_ALL: Final[Any] = {"limit": 100}  # a page; Stripe's largest


class StripeGateway:
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
            "custom_text": {"submit": {"message": order.note}},
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": order.currency,
                        "unit_amount": order.amount_cents,
                        "product_data": {"name": "First visit"},
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
                {"expand": ["payment_intent.latest_charge.balance_transaction"]},
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
            price = self._client.v1.prices.create(
                {
                    "currency": currency,
                    "unit_amount": amount_cents,
                    "recurring": {"interval": "month"},
                    # A plan's own name could say something about health.
                    "product_data": {"name": "Membership"},
                    "metadata": {"application": reading.APPLICATION, "plan_id": str(plan_id)},
                },
                {"idempotency_key": f"price:{plan_id}"},
            )
        return price.id

    def subscribe(self, order: SubscriptionOrder) -> Subscription:
        """See PaymentGateway."""
        with _our_errors():
            made = self._client.v1.subscriptions.create(
                {
                    "customer": order.customer_id,
                    "items": [{"price": order.price_id}],
                    "default_payment_method": order.payment_method_id,
                    "off_session": True,
                    # A declined card must leave nothing behind that could be paid later.
                    "payment_behavior": "error_if_incomplete",
                    "metadata": {
                        "application": reading.APPLICATION,
                        "membership_id": str(order.membership_id),
                    },
                },
                {"idempotency_key": order.idempotency_key},
            )
        return self._with_first_payment(made)

    def find_subscription(self, customer_id: str, membership_id: UUID) -> Subscription | None:
        """See PaymentGateway."""
        with _our_errors():
            page = self._client.v1.subscriptions.list(
                {"customer": customer_id, "status": "all", "limit": 100}
            )
            found = next(
                (
                    subscription
                    for subscription in page.auto_paging_iter()
                    if reading.ours(subscription).get("membership_id") == str(membership_id)
                ),
                None,
            )
        return None if found is None else self._with_first_payment(found)

    def all_payments(self) -> Iterator[Receipt]:
        """See PaymentGateway."""
        with _our_errors():
            for intent in self._client.v1.payment_intents.list(_ALL).auto_paging_iter():
                ours = reading.uuid_of(reading.ours(intent).get("payment_id"))
                if ours and intent.amount_received:
                    yield Receipt(intent.id, ours, intent.amount_received)

    def all_refunds(self) -> Iterator[RefundOutcome]:
        """See PaymentGateway."""
        with _our_errors():
            for refund in self._client.v1.refunds.list(_ALL).auto_paging_iter():
                yield reading.outcome(refund)

    def all_subscriptions(self) -> Iterator[Receipt]:
        """See PaymentGateway."""
        with _our_errors():
            page = self._client.v1.subscriptions.list({"limit": 100, "status": "all"})
            for subscription in page.auto_paging_iter():
                if ours := reading.uuid_of(reading.ours(subscription).get("membership_id")):
                    yield Receipt(subscription.id, ours, 0)

    def undelivered_events(self, since: datetime, types: Sequence[str]) -> Iterator[Event]:
        """See PaymentGateway."""
        with _our_errors():
            page = self._client.v1.events.list(
                {
                    "created": {"gte": int(since.timestamp())},
                    "delivery_success": False,
                    "limit": 100,
                    "types": list(types),
                }
            )
            for event in page.auto_paging_iter():
                yield stripe_events.listed(event)

    def read_event(self, body: bytes, signature: str) -> Event:
        """See PaymentGateway."""
        return stripe_events.read_event(body, signature, self._secrets)

    def _with_first_payment(self, made: stripe.Subscription) -> Subscription:
        """Add what the first invoice brought: the subscription itself does not say."""
        paid = fee = 0
        with _our_errors():
            invoice_id = reading.id_of(made.latest_invoice)
            payments = self._client.v1.invoice_payments.list({"invoice": invoice_id or ""})
            for payment in payments.data:
                intent = self._client.v1.payment_intents.retrieve(
                    reading.id_of(payment.payment.payment_intent) or "",
                    {"expand": ["latest_charge.balance_transaction"]},
                )
                paid += intent.amount_received
                fee += reading.fee_of(intent.latest_charge) or 0
        return Subscription(
            id=made.id,
            membership_id=reading.uuid_of(reading.ours(made).get("membership_id")),
            is_active=made.status == "active",
            paid_cents=paid,
            fee_cents=fee or None,
        )


@contextmanager
def _our_errors() -> Iterator[None]:
    """Translate Stripe's exceptions into what callers act on: wait, stop, or call a person."""
    leave_for_the_network()
    try:
        yield
    except stripe.RateLimitError as error:
        raise GatewayBusy("Stripe asks us to slow down.") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise GatewayLockedOut("Stripe does not accept our key.") from error
    except (stripe.CardError, stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        decline = getattr(error.error, "decline_code", None)
        raise GatewayRefused(error.code or type(error).__name__, str(error), decline) from error
    except (stripe.APIConnectionError, stripe.APIError) as error:
        if error.http_status == HTTPStatus.CONFLICT:
            raise GatewayBusy("The same request is still at work.") from error
        raise GatewayUnavailable("Stripe did not answer.") from error
