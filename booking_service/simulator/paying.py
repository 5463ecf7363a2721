"""What happens when someone presses Pay."""

import json

from booking_service.simulator import cards, customers, payments, subscriptions
from booking_service.simulator.account import Account, merged_metadata
from booking_service.simulator.checkout import customer_details, lines_of
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid


def pay(
    account: Account, session_id: str, card: cards.Entered, email: str | None, name: str | None
) -> tuple[Json, Json]:
    """Pay an open session; return it and the event that says so.

    Raises:
        StripeError: 404 there is none; 400 it is not open any more; 402 the card is declined, and
            then the session stays open and nothing was charged.
    """
    session = account.get("checkout.session", session_id)
    if session["status"] == "complete":
        raise invalid("This Checkout Session was paid already.")
    if session["status"] == "expired" or session["expires_at"] <= account.clock.now():
        raise invalid("This Checkout Session has expired.")
    known = session["customer_details"] or {}
    email = known.get("email") or email
    if not email:
        raise invalid("An email is needed.", "email", "parameter_missing")
    method = customers.card_method(account, card, name, email)
    payments.refuse_bad_card(method, is_off_session=False)
    session["customer"] = session["customer"] or _new_customer(account, session, email, name)
    plans = json.loads(account.store.fact(f"plans of {session_id}", "{}"))
    if session["mode"] == "payment":
        _pay_once(account, session, method, plans.get("payment_intent_data") or {})
    else:
        _subscribe(account, session, method, plans.get("subscription_data") or {})
    session |= {
        "customer_details": customer_details(account, email, name),
        "payment_status": "paid",
        "status": "complete",
        "url": None,
    }
    account.save(session)
    return session, account.emit("checkout.session.completed", session)


def _new_customer(account: Account, session: Json, email: str, name: str | None) -> str | None:
    if session["customer_creation"] != "always":
        return None
    customer_id: str = customers.create(account, email=email, name=name)["id"]
    return customer_id


def _pay_once(account: Account, session: Json, method: Json, plan: Json) -> None:
    """Take the money, saving the card first where the session was to do so."""
    if plan.get("setup_future_usage") and session["customer"]:
        customers.attach(account, method, session["customer"])
    order = payments.Order(
        amount=session["amount_total"],
        currency=session["currency"],
        method=method,
        customer=session["customer"],
        description=plan.get("description"),
        metadata=merged_metadata({}, plan.get("metadata")),
        receipt_email=plan.get("receipt_email"),
        setup_future_usage=plan.get("setup_future_usage"),
    )
    session["payment_intent"] = payments.take(account, order)["id"]


def _subscribe(account: Account, session: Json, method: Json, plan: Json) -> None:
    customers.attach(account, method, session["customer"])
    lines = lines_of(account, session)["data"]
    order = subscriptions.Order(
        customer=session["customer"],
        items=[(line["price"], line["quantity"]) for line in lines],
        method=method,
        metadata=merged_metadata({}, plan.get("metadata")),
        description=plan.get("description"),
    )
    subscription = subscriptions.start(account, order)
    session["subscription"] = subscription["id"]
    session["invoice"] = subscription["latest_invoice"]
