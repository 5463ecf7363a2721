"""Memberships at Stripe: their prices, subscriptions and payment pages.

`stripe.py` calls these and translates what they raise.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import stripe

from booking_service.gateways import stripe_reading as reading
from booking_service.gateways.memberships import (
    Card,
    MembershipPageOrder,
    MembershipPayment,
    Subscription,
    SubscriptionStatus,
    Terms,
    UnpaidInvoice,
)
from booking_service.gateways.payments import CheckoutPage, SubscriptionOrder

_PAGE: Final = 100  # Stripe's largest
_OWING: Final = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)


def create_price(
    client: stripe.StripeClient, plan_id: UUID, amount_cents: int, currency: str
) -> str:
    """Make a plan's monthly price and return its id."""
    price = client.v1.prices.create(
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


def subscribe(client: stripe.StripeClient, order: SubscriptionOrder) -> Subscription:
    """Start a membership from a saved card, or leave nothing."""
    made = client.v1.subscriptions.create(
        {
            "customer": order.customer_id,
            "items": [{"price": order.price_id}],
            "default_payment_method": order.payment_method_id,
            "off_session": True,
            # A declined card must leave nothing behind that could be paid later.
            "payment_behavior": "error_if_incomplete",
            "metadata": ours_of(order.membership_id),
            "expand": ["default_payment_method"],
        },
        {"idempotency_key": order.idempotency_key},
    )
    return read(client, made)


def open_page(client: stripe.StripeClient, order: MembershipPageOrder) -> CheckoutPage:
    """Make the page on which a patient starts a membership."""
    ours = ours_of(order.membership_id)
    params: dict[str, Any] = {
        "mode": "subscription",
        "client_reference_id": str(order.membership_id),
        "expires_at": int(order.expires_at.timestamp()),
        "success_url": order.return_url,
        "cancel_url": order.return_url,
        "locale": order.language.value,
        "line_items": [{"price": order.price_id, "quantity": 1}],
        "metadata": ours,
        "subscription_data": {"metadata": ours},
    }
    if order.customer_id is not None:
        params["customer"] = order.customer_id
    session = client.v1.checkout.sessions.create(
        params,  # type: ignore[arg-type]  # the SDK's TypedDict cannot be built in steps
        {"idempotency_key": order.idempotency_key},
    )
    return CheckoutPage(session.id, session.url or order.return_url)


def find(client: stripe.StripeClient, subscription_id: str) -> Subscription:
    """Return one subscription as it is now."""
    made = client.v1.subscriptions.retrieve(subscription_id, {"expand": ["default_payment_method"]})
    return read(client, made)


def made_for(
    client: stripe.StripeClient, customer_id: str, membership_id: UUID
) -> Sequence[Subscription]:
    """Return what a customer has for one membership, the oldest first."""
    page = client.v1.subscriptions.list(
        {
            "customer": customer_id,
            "status": "all",
            "limit": _PAGE,
            "expand": ["data.default_payment_method"],
        }
    )
    found = [
        made
        for made in page.auto_paging_iter()
        if reading.ours(made).get("membership_id") == str(membership_id)
    ]
    return [read(client, made) for made in reversed(found)]


def of_invoice(client: stripe.StripeClient, invoice_id: str) -> str | None:
    """Return the subscription an invoice bills, if it bills one."""
    parent = client.v1.invoices.retrieve(invoice_id).parent
    details = parent.subscription_details if parent else None
    return reading.id_of(details.subscription) if details else None


def ours_of(membership_id: UUID) -> dict[str, str]:
    """Return what marks an object at Stripe as one of a membership of ours."""
    return {"application": reading.APPLICATION, "membership_id": str(membership_id)}


def read(client: stripe.StripeClient, made: stripe.Subscription) -> Subscription:
    """Read a subscription whose default payment method is expanded."""
    return Subscription(
        id=made.id,
        membership_id=reading.uuid_of(reading.ours(made).get("membership_id")),
        status=SubscriptionStatus(made.status),
        ended_at=_instant(made.ended_at),
        payments=list(_payments(client, made)),
        terms=_terms(made),
        unpaid=_unpaid(client, made.id) if made.status in _OWING else None,
    )


def _terms(made: stripe.Subscription) -> Terms:
    item = made.items.data[0]  # a membership is of one plan
    method = made.default_payment_method
    card = method.card if isinstance(method, stripe.PaymentMethod) else None
    return Terms(
        customer_id=reading.id_of(made.customer) or "",
        item_id=item.id,
        price_id=item.price.id,
        anchor_at=datetime.fromtimestamp(made.billing_cycle_anchor, UTC),
        period_ends_at=datetime.fromtimestamp(item.current_period_end, UTC),
        cancels_at=_instant(made.cancel_at),
        cancels_with_period=made.cancel_at_period_end,
        is_paused=made.pause_collection is not None,
        card=Card(card.brand, card.last4) if card else None,
    )


def _unpaid(client: stripe.StripeClient, subscription_id: str) -> UnpaidInvoice | None:
    """Return the newest month that waits for its money, with what the bank said last."""
    page = client.v1.invoices.list(
        {
            "subscription": subscription_id,
            "status": "open",
            "limit": 1,
            "expand": ["data.payments"],
        }
    )
    for invoice in page.data:
        code = None
        for payment in invoice.payments.data if invoice.payments else []:
            if intent_id := reading.id_of(payment.payment.payment_intent):
                error = client.v1.payment_intents.retrieve(intent_id).last_payment_error
                code = (error.decline_code or error.code) if error else code
        since = invoice.status_transitions.finalized_at or invoice.created
        return UnpaidInvoice(
            id=invoice.id,
            since=datetime.fromtimestamp(since, UTC),
            retry_at=_instant(invoice.next_payment_attempt),
            decline_code=code,
        )
    return None


def _instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _payments(
    client: stripe.StripeClient, made: stripe.Subscription
) -> Iterator[MembershipPayment]:
    """Return what its paid invoices brought: the subscription itself does not say."""
    wanted = set(_paying_intents(client, made.id))
    if not wanted:
        return
    intents = client.v1.payment_intents.list(
        {
            "customer": reading.id_of(made.customer) or "",
            "limit": _PAGE,
            "expand": ["data.latest_charge.balance_transaction"],
        }
    )
    for intent in intents.auto_paging_iter():
        if intent.id in wanted:
            yield MembershipPayment(
                intent.id, intent.amount_received, reading.fee_of(intent.latest_charge)
            )


def _paying_intents(client: stripe.StripeClient, subscription_id: str) -> Iterator[str]:
    paid = client.v1.invoices.list(
        {
            "subscription": subscription_id,
            "status": "paid",
            "limit": _PAGE,
            "expand": ["data.payments"],
        }
    )
    for invoice in paid.auto_paging_iter():
        for payment in invoice.payments.data if invoice.payments else []:
            intent_id = reading.id_of(payment.payment.payment_intent)
            if payment.status == "paid" and intent_id:
                yield intent_id
