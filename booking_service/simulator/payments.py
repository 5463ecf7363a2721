"""Payment intents and their charges: the taking of money."""

from dataclasses import dataclass, field
from typing import Any

from booking_service.simulator import balance, cards
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.operations import (
    Call,
    include,
    list_of,
    listing,
    operation,
    retrieval,
)

_INTENT = "/v1/payment_intents/{intent}"

listing("/v1/payment_intents", "payment_intent", "customer")
retrieval(_INTENT, "payment_intent")
listing("/v1/charges", "charge", "payment_intent", "customer")
retrieval("/v1/charges/{charge}", "charge")


@dataclass(frozen=True)
class Order:
    """What is to be paid, in cents, by which card, and whether the cardholder is there."""

    amount: int
    currency: str
    method: Json
    customer: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    receipt_email: str | None = None
    setup_future_usage: str | None = None
    is_off_session: bool = False


@operation("post", _INTENT, "metadata", "description")
def _update(call: Call) -> Json:
    intent = call.account.get("payment_intent", call.id)
    if "description" in call.params:
        intent["description"] = call.get("description")
    if "metadata" in call.params:
        intent["metadata"] = merged_metadata(intent["metadata"], call.params["metadata"])
    return call.account.save(intent)


@include("charge", "refunds")
def _refunds_of(account: Account, charge: Json) -> Json:
    refunds = account.store.all("refund", charge=charge["id"])
    return list_of(refunds, f"/v1/charges/{charge['id']}/refunds")


def refuse_bad_card(method: Json, *, is_off_session: bool) -> None:
    """Let the card's bank speak.

    Raises:
        StripeError: 402, the card is declined.
    """
    card = cards.by_last4(method["card"]["last4"])
    if decline := card.declines or (card.declines_later if is_off_session else ""):
        raise cards.refuse(decline)


def take(account: Account, order: Order) -> Json:
    """Charge a card and return the payment intent.

    Raises:
        StripeError: 402, the card is declined; nothing is kept of the attempt.
    """
    refuse_bad_card(order.method, is_off_session=order.is_off_session)
    intent_id = new_id("pi_3")
    intent = account.new(
        "payment_intent",
        intent_id,
        amount=order.amount,
        currency=order.currency,
        capture_method="automatic_async",
        confirmation_method="automatic",
        client_secret=f"{intent_id}_secret_{new_id('x', 25)[2:]}",
        customer=order.customer,
        description=order.description,
        metadata=order.metadata,
        payment_method_types=["card"],
        receipt_email=order.receipt_email,
        setup_future_usage=order.setup_future_usage,
        status="requires_payment_method",
    )
    account.emit("payment_intent.created", intent)
    charge = _charge(account, intent, order)
    account.emit("charge.succeeded", charge)
    return account.change(
        intent,
        "payment_intent.succeeded",
        status="succeeded",
        amount_received=order.amount,
        latest_charge=charge["id"],
        payment_method=order.method["id"],
    )


def _charge(account: Account, intent: Json, order: Order) -> Json:
    charge = account.new(
        "charge",
        new_id("ch_3"),
        amount=order.amount,
        amount_captured=order.amount,
        captured=True,
        paid=True,
        status="succeeded",
        currency=order.currency,
        customer=order.customer,
        description=order.description,
        metadata=dict(order.metadata),
        payment_intent=intent["id"],
        payment_method=order.method["id"],
        billing_details=_billing_details(account, order.method),
        calculated_statement_descriptor="FIRST VISIT",
        receipt_email=order.receipt_email,
        fraud_details={},
        outcome=account.blank(
            "Charge.Outcome",
            "stripe._charge",
            network_status="approved_by_network",
            risk_level="normal",
            seller_message="Payment complete.",
            type="authorized",
        ),
        payment_method_details={"type": "card", "card": _card_details(account, order.method)},
    )
    movement = balance.move(account, "charge", charge, order.amount, order.description)
    charge["balance_transaction"] = movement["id"]
    return account.save(charge)


def _billing_details(account: Account, method: Json) -> Json:
    facts = {name: method["billing_details"][name] for name in ("name", "email")}
    return account.blank("Charge.BillingDetails", "stripe._charge", **facts)


def _card_details(account: Account, method: Json) -> Json:
    card: dict[str, Any] = method["card"]
    same = ("brand", "last4", "exp_month", "exp_year", "funding", "country", "fingerprint")
    return account.blank(
        "Charge.PaymentMethodDetails.Card",
        "stripe._charge",
        **{name: card[name] for name in same},
        network=card["brand"],
    )
