"""Checkout sessions: made, shown, paid, expired."""

import json
from typing import Final

from booking_service.simulator import payments, prices, setups
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import invalid, not_simulated
from booking_service.simulator.operations import (
    Call,
    include,
    list_of,
    listing,
    operation,
    retrieval,
)
from booking_service.simulator.timers import timer

_SESSIONS = "/v1/checkout/sessions"
_SESSION = f"{_SESSIONS}/{{session}}"
_SHORTEST: Final = 30 * 60  # seconds
_LEAST_CENTS: Final = 50
_LONGEST_MESSAGE: Final = 1200  # characters
_LEEWAY: Final = 5  # seconds a request may have been under way

listing(_SESSIONS, "checkout.session", "payment_intent", "customer", "status", "subscription")
retrieval(_SESSION, "checkout.session")

_KEPT = (
    "cancel_url",
    "client_reference_id",
    "customer",
    "customer_email",
    "locale",
    "submit_type",
    "success_url",
    "allowed_payment_method_types",
    "billing_address_collection",
    "currency",
)


@operation(
    "post",
    _SESSIONS,
    *_KEPT,
    "mode",
    "ui_mode",
    "custom_text.submit",
    "customer_creation",
    "expires_at",
    "line_items.price",
    "line_items.quantity",
    "line_items.price_data",
    "metadata",
    "payment_intent_data.metadata",
    "payment_intent_data.description",
    "payment_intent_data.setup_future_usage",
    "payment_intent_data.receipt_email",
    "subscription_data.metadata",
    "subscription_data.description",
)
def _create(call: Call) -> Json:
    account, id_ = call.account, new_id("cs_test_a1", 58)
    mode = _checked_mode(call)
    lines = [_line(call, at, line) for at, line in enumerate(call.get("line_items", []))]
    total = sum(line["amount_total"] for line in lines)
    if mode == "payment" and total < _LEAST_CENTS:
        message = "The Checkout Session's total amount must convert to at least 50 cents."
        raise invalid(message, code="amount_too_small")
    facts = {name: call.get(name) for name in _KEPT}
    session = account.blank(
        "checkout.session",
        id=id_,
        created=account.clock.now(),
        **facts | ({"currency": lines[-1]["currency"]} if lines else {}),
        mode=mode,
        ui_mode="hosted_page",
        amount_subtotal=total if lines else None,
        amount_total=total if lines else None,
        custom_text=_custom_text(call),
        customer_creation=_customer_creation(call, mode),
        customer_details=customer_details(account, _known_email(call), None),
        expires_at=_expires_at(call),
        metadata=merged_metadata({}, call.get("metadata")),
        payment_method_types=["card"],
        payment_method_collection="if_required" if mode == "payment" else "always",
        payment_status="unpaid" if lines else "no_payment_required",
        setup_intent=None if lines else setups.intend(account, call.get("customer"))["id"],
        status="open",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        url=f"{call.host_url}c/pay/{id_}",
    )
    account.save(session)
    for line in lines:
        account.save(line, owner=id_)
    plans = {name: call.get(name, {}) for name in ("payment_intent_data", "subscription_data")}
    account.store.remember(f"plans of {id_}", json.dumps(plans))
    account.after(session["expires_at"] - account.clock.precise(), "checkout.expire", id_)
    return session


@operation("post", f"{_SESSION}/expire")
def _expire_now(call: Call) -> Json:
    session = call.account.get("checkout.session", call.id)
    if session["status"] != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of {session['status']}."
        )
        raise invalid(message)
    return expire(call.account, session)


@operation("get", f"{_SESSION}/line_items", "limit")
def _line_items(call: Call) -> Json:
    session = call.account.get("checkout.session", call.id)
    whole, limit = lines_of(call.account, session), call.page().limit
    return whole | {"data": whole["data"][:limit], "has_more": len(whole["data"]) > limit}


@include("checkout.session", "line_items")
def lines_of(account: Account, session: Json) -> Json:
    """Return what is bought, as Stripe's list."""
    lines = account.store.owned(session["id"], "item")
    return list_of(lines, f"{_SESSIONS}/{session['id']}/line_items")


@timer("checkout.expire")
def _expire_in_time(account: Account, session_id: str) -> None:
    session = account.get("checkout.session", session_id)
    if session["status"] == "open":
        expire(account, session)


def expire(account: Account, session: Json) -> Json:
    """Close a session that nobody paid, with what was begun for it."""
    if session["payment_intent"]:
        intent = account.get("payment_intent", session["payment_intent"])
        payments.cancel(account, intent, "automatic")
    return account.change(session, "checkout.session.expired", status="expired", url=None)


def _checked_mode(call: Call) -> str:
    """Return the session's mode.

    Raises:
        StripeError: the request as a whole makes no payment page, or one we do not simulate.
    """
    mode: str = call.get("mode", "")
    for name in ("mode", "success_url", "currency" if mode == "setup" else "line_items"):
        if not call.get(name):
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
    if mode == "setup" and call.get("line_items"):
        raise invalid("`line_items` are not allowed in `setup` mode.", "line_items")
    if call.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_simulated("a ui_mode other than hosted_page")
    if "card" not in call.get("allowed_payment_method_types", ["card"]):
        raise not_simulated("payment methods other than cards")
    if call.get("customer") and call.get("customer_email"):
        message = "You may only specify one of these parameters: customer, customer_email."
        raise invalid(message, "customer_email", "parameters_exclusive")
    its_modes = {"subscription_data": "subscription", "payment_intent_data": "payment"}
    for other, its_mode in its_modes.items():
        if mode != its_mode and call.get(other):
            raise invalid(f"You can not pass `{other}` in `{mode}` mode.", other)
    return mode


def _line(call: Call, index: int, line: Json) -> Json:
    """Make a line item, with its price if that is given inline."""
    account, at = call.account, f"line_items[{index}]"
    if bool(line.get("price")) == bool(line.get("price_data")):
        raise invalid("Specify one of: price, price_data", at, "parameters_exclusive")
    if not line.get("quantity"):
        message = f"Quantity is required. Add `quantity` to `{at}`."
        raise invalid(message, f"{at}[quantity]", "parameter_missing")
    if line.get("price"):
        price = account.get("price", line["price"], f"{at}[price]")
        prices.refuse_inactive(account, price, f"{at}[price]")
    else:
        price = prices.price_from(account, line["price_data"], f"{at}[price_data]")
    wanted = "one_time" if call.get("mode") == "payment" else "recurring"
    if price["type"] != wanted:
        message = f"You specified `{call.get('mode')}` mode but passed a {price['type']} price."
        raise invalid(message, f"{at}[price]")
    amount = price["unit_amount"] * line["quantity"]
    return account.blank(
        "item",
        id=new_id("li_1"),
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"],
        description=account.get("product", price["product"])["name"],
        price=price,
        quantity=line["quantity"],
    )


def _customer_creation(call: Call, mode: str) -> str | None:
    wanted: str | None = call.get("customer_creation")
    if wanted and (mode == "subscription" or call.get("customer")):
        message = "`customer_creation` cannot be used in `subscription` mode or with a customer."
        raise invalid(message, "customer_creation")
    if call.get("customer"):
        return None
    return "always" if mode == "subscription" else wanted or "if_required"


def _known_email(call: Call) -> str | None:
    if not call.get("customer"):
        email: str | None = call.get("customer_email")
        return email
    known: str | None = call.account.get("customer", call.get("customer"), "customer")["email"]
    return known


def customer_details(account: Account, email: str | None, name: str | None) -> Json | None:
    """Return what is known of the payer; None while nothing is."""
    if email is None:
        return None
    return account.blank(
        "Session.CustomerDetails",
        "stripe.checkout._session",
        email=email,
        name=name,
        tax_exempt="none",
    )


def _expires_at(call: Call) -> int:
    now = call.account.clock.now()
    wanted: int = call.get("expires_at", now + DAY)
    if wanted < now + _SHORTEST - _LEEWAY:
        message = "must be at least 30 minutes from Checkout Session creation."
        raise invalid(f"The `expires_at` timestamp {message}", "expires_at")
    if wanted > now + DAY + _LEEWAY:
        message = "must be less than 24 hours from Checkout Session creation."
        raise invalid(f"The `expires_at` timestamp {message}", "expires_at")
    return wanted


def _custom_text(call: Call) -> Json:
    submit = call.get("custom_text", {}).get("submit") or None
    if submit and len(submit["message"]) > _LONGEST_MESSAGE:
        message = "Invalid string: must be at most 1200 characters"
        raise invalid(message, "custom_text[submit][message]")
    return call.account.blank("Session.CustomText", "stripe.checkout._session", submit=submit)
