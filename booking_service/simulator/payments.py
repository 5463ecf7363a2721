"""Payment intents and charges, as the API offers them."""

from typing import Final, Protocol

from booking_service.simulator import cards, charging, methods
from booking_service.simulator.account import Account, merged_metadata
from booking_service.simulator.charging import Attempt, Order
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, not_simulated
from booking_service.simulator.operations import (
    Call,
    include,
    list_of,
    listing,
    operation,
    retrieval,
)

_INTENTS = "/v1/payment_intents"
_INTENT = f"{_INTENTS}/{{intent}}"
_AUTOMATIC = "automatic_payment_methods"
_UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")
_LEAST_CENTS = 50


class Tried(Protocol):
    """Who must hear that somebody tried to pay the intent of an invoice."""

    def __call__(self, account: Account, invoice_id: str, *, is_paid: bool) -> None:
        """Take note; `is_paid` says how it went."""


INVOICE_TRIED: Final[list[Tried]] = []

listing(_INTENTS, "payment_intent", "customer")
retrieval(_INTENT, "payment_intent")
listing("/v1/charges", "charge", "payment_intent", "customer")
retrieval("/v1/charges/{charge}", "charge")


@operation(
    "post",
    _INTENTS,
    "amount",
    "currency",
    "customer",
    "confirm",
    "description",
    "metadata",
    "off_session",
    "payment_method",
    "receipt_email",
    "return_url",
    "setup_future_usage",
    "allowed_payment_method_types",
    _AUTOMATIC,
)
def _create(call: Call) -> Json:
    if call.params["amount"] < _LEAST_CENTS:
        raise invalid("Amount must be at least $0.50 usd", "amount", "amount_too_small")
    account, customer = call.account, call.get("customer")
    if customer:
        account.get("customer", customer, "customer")
    method = methods.named(account, call.get("payment_method"))
    if customer and method and method["customer"] not in {customer, None}:
        message = "The customer does not have this payment method."
        raise invalid(message, "payment_method", "resource_missing")
    order = Order(
        amount=call.params["amount"],
        currency=call.params["currency"],
        customer=customer,
        description=call.get("description"),
        metadata=merged_metadata({}, call.get("metadata")),
        receipt_email=call.get("receipt_email"),
        setup_future_usage=call.get("setup_future_usage"),
    )
    intent = charging.intend(account, order)
    automatic = {"allow_redirects": "always"} | call.get(_AUTOMATIC, {"enabled": True})
    intent[_AUTOMATIC] = automatic
    if method:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    account.save(intent)
    return _confirmed(call, intent) if call.get("confirm") else intent


@operation("post", f"{_INTENT}/confirm", "payment_method", "off_session", "return_url")
def _confirm(call: Call) -> Json:
    intent = call.account.get("payment_intent", call.id)
    if intent["status"] not in _UNFINISHED:
        raise _unexpected(intent, "confirm")
    return _confirmed(call, intent)


def _confirmed(call: Call, intent: Json) -> Json:
    account = call.account
    method = methods.named(account, call.get("payment_method") or intent["payment_method"])
    if method is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(message, code="payment_intent_unexpected_state")
    away = call.get("off_session", default=False)
    if away not in {True, False}:
        raise not_simulated("off_session other than true or false")
    automatic = intent[_AUTOMATIC] or {}
    may_leave = automatic.get("enabled") and automatic.get("allow_redirects") == "always"
    if may_leave and not away and not call.get("return_url"):
        message = "This PaymentIntent is configured to accept payment methods enabled in your "
        message += "Dashboard. Because some of these might redirect, you must provide a return_url."
        raise invalid(message)
    return _settled(account, intent, Attempt(method, is_off_session=away))


def _settled(account: Account, intent: Json, attempt: Attempt) -> Json:
    """Charge a card, and do what follows from that."""
    try:
        confirmed = charging.confirm(account, intent, attempt)
    except StripeError:
        _tell_invoice(account, intent, is_paid=False)
        raise
    if confirmed["status"] == "succeeded":
        keep(account, confirmed, attempt.method)
        _tell_invoice(account, intent, is_paid=True)
    return confirmed


def _tell_invoice(account: Account, intent: Json, *, is_paid: bool) -> None:
    if invoice_id := account.store.fact(f"invoice of {intent['id']}"):
        for told in INVOICE_TRIED:
            told(account, invoice_id, is_paid=is_paid)


def keep(account: Account, intent: Json, method: Json) -> None:
    """Save the card on the customer, where the intent was to do so."""
    if intent["setup_future_usage"] and intent["customer"] and not method["customer"]:
        methods.attach(account, method, intent["customer"])


@operation("post", f"{_INTENT}/cancel", "cancellation_reason")
def _cancel(call: Call) -> Json:
    intent = call.account.get("payment_intent", call.id)
    if intent["status"] not in _UNFINISHED:
        raise _unexpected(intent, "cancel")
    return cancel(call.account, intent, call.get("cancellation_reason"))


def cancel(account: Account, intent: Json, reason: str | None) -> Json:
    """Give up an intent that was not paid."""
    return account.change(
        intent,
        "payment_intent.canceled",
        status="canceled",
        canceled_at=account.clock.now(),
        cancellation_reason=reason,
        next_action=None,
    )


def authenticate(account: Account, intent: Json, *, is_holder: bool) -> Json:
    """Let the card's holder confirm that it is them, or fail to.

    Raises:
        StripeError: 402, they failed; 400, nobody asked them.
    """
    if intent["status"] != "requires_action":
        raise _unexpected(intent, "authenticate")
    method = account.get("payment_method", intent["payment_method"])
    if is_holder:
        return _settled(account, intent, Attempt(method, is_authenticated=True))
    refusal = charging.decline(account, intent, method, cards.unauthenticated())
    _tell_invoice(account, intent, is_paid=False)
    raise refusal


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


def _unexpected(intent: Json, what: str) -> StripeError:
    message = f"You cannot {what} this PaymentIntent because it has a status of {intent['status']}."
    return invalid(message, code="payment_intent_unexpected_state")
