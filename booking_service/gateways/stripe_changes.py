"""Memberships that run, changed at Stripe: paused, ended, on another plan, on another card."""

from typing import Any

import stripe

from booking_service.gateways import stripe_memberships as memberships
from booking_service.gateways.memberships import CardPageOrder, ChangeOrder, Subscription
from booking_service.gateways.payments import CheckoutPage
from booking_service.models import ChangeKind


def change(client: stripe.StripeClient, order: ChangeOrder) -> Subscription:
    """Change a subscription; what is asked for is a state, so that asking twice is asking once."""
    by_key: Any = {"idempotency_key": order.idempotency_key}
    whole: Any = {"expand": ["default_payment_method"]}
    if order.kind is ChangeKind.CANCEL_NOW:
        made = client.v1.subscriptions.cancel(order.subscription_id, whole, by_key)
    else:
        wanted: Any = _wanted(order) | whole
        made = client.v1.subscriptions.update(order.subscription_id, wanted, by_key)
    return memberships.read(client, made)


def _wanted(order: ChangeOrder) -> dict[str, Any]:
    terms = order.terms
    if order.kind is ChangeKind.PAUSE:
        # The months of a pause are never charged, not even afterwards.
        return {"pause_collection": {"behavior": "void"}}
    if order.kind is ChangeKind.RESUME:
        return {"pause_collection": ""}
    if order.kind is ChangeKind.PLAN:
        item = {"id": terms.item_id, "price": order.price_id}
        return {"items": [item], "proration_behavior": "none"}
    if order.kind is ChangeKind.KEEP:
        return {"cancel_at_period_end": False} if terms.cancels_with_period else {"cancel_at": ""}
    if order.ends_at is None or order.ends_at == terms.period_ends_at:
        return {"cancel_at_period_end": True}
    at = int(order.ends_at.timestamp())
    return {"cancel_at": at, "proration_behavior": "none"}


def open_card_page(client: stripe.StripeClient, order: CardPageOrder) -> CheckoutPage:
    """Make the page on which a member gives another card."""
    session = client.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "currency": order.currency,
            "customer": order.customer_id,
            "client_reference_id": str(order.membership_id),
            "expires_at": int(order.expires_at.timestamp()),
            "success_url": order.return_url,
            "cancel_url": order.return_url,
            "locale": order.language.value,
            "metadata": memberships.ours_of(order.membership_id),
        },
        {"idempotency_key": order.idempotency_key},
    )
    return CheckoutPage(session.id, session.url or order.return_url)


def use_card(
    client: stripe.StripeClient, subscription_id: str, method_id: str, idempotency_key: str
) -> None:
    """Charge coming invoices to another card."""
    client.v1.subscriptions.update(
        subscription_id,
        {"default_payment_method": method_id},
        {"idempotency_key": idempotency_key},
    )


def retry_invoice(client: stripe.StripeClient, invoice_id: str, idempotency_key: str) -> None:
    """Charge an open invoice now, with nobody there."""
    client.v1.invoices.pay(invoice_id, {"off_session": True}, {"idempotency_key": idempotency_key})
