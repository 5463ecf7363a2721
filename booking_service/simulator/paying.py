"""What happens when someone presses Pay."""

import json

from booking_service.simulator import (
    cards,
    charging,
    customers,
    methods,
    payments,
    setups,
    starting,
)
from booking_service.simulator.account import Account, merged_metadata
from booking_service.simulator.charging import AUTHENTICATE, Attempt
from booking_service.simulator.checkout import customer_details, lines_of
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid


def pay(
    account: Account, session_id: str, card: cards.Entered, email: str | None, name: str | None
) -> tuple[Json, Json | None]:
    """Pay an open session; return it and the event that says so, or None: the holder must confirm.

    Raises:
        StripeError: 404 there is none; 400 it is not open any more; 402 the card is declined, and
            then the session stays open and nothing was charged.
    """
    session = open_session(account, session_id)
    email = (session["customer_details"] or {}).get("email") or email
    if not email:
        raise invalid("An email is needed.", "email", "parameter_missing")
    method = methods.of_card(account, card, name, email)
    return _settle(account, session, Attempt(method))


def authenticate(account: Account, session_id: str, *, is_holder: bool) -> tuple[Json, Json | None]:
    """Let the card's holder confirm the payment of a session, or fail to; see `pay`.

    Raises:
        StripeError: 402, they failed; 400, nobody asked them.
    """
    session = open_session(account, session_id)
    method_id = account.store.fact(f"authenticating {session_id}")
    if not method_id:
        raise invalid("No payment waits for its cardholder.")
    account.store.remember(f"authenticating {session_id}", "")
    attempt = Attempt(account.get("payment_method", method_id), is_authenticated=True)
    if is_holder:
        return _settle(account, session, attempt)
    refusal = cards.unauthenticated()
    refusal.keeps_work = True
    if session["payment_intent"]:
        intent = account.get("payment_intent", session["payment_intent"])
        raise charging.decline(account, intent, attempt.method, refusal)
    raise refusal


def open_session(account: Account, session_id: str) -> Json:
    """Return a session that can be paid.

    Raises:
        StripeError: 404 there is none; 400 it is not open any more.
    """
    session = account.get("checkout.session", session_id)
    if session["status"] == "complete":
        raise invalid("This Checkout Session was paid already.")
    if session["status"] == "expired" or session["expires_at"] <= account.clock.now():
        raise invalid("This Checkout Session has expired.")
    return session


def _settle(account: Account, session: Json, attempt: Attempt) -> tuple[Json, Json | None]:
    """Do what the session is for, if the bank agrees."""
    plans = json.loads(account.store.fact(f"plans of {session['id']}", "{}"))
    answer = charging.answer_of_bank(account, attempt)
    if answer == AUTHENTICATE:
        account.store.remember(f"authenticating {session['id']}", attempt.method["id"])
    payer = attempt.method["billing_details"]
    if not answer and not session["customer"] and session["customer_creation"] == "always":
        customer = customers.create(account, email=payer["email"], name=payer["name"])
        session["customer"] = customer["id"]
    if session["mode"] == "payment":
        _pay_once(account, session, attempt, plans.get("payment_intent_data") or {})
    elif answer and answer != AUTHENTICATE:
        raise _unpaid(answer)
    elif not answer and session["mode"] == "setup":
        _set_up(account, session, attempt)
    elif not answer:
        _subscribe(account, session, attempt, plans.get("subscription_data") or {})
    if answer:
        return session, None
    account.store.remember(f"saved {attempt.method['id']}", "1")
    return _complete(account, session, payer)


def _unpaid(answer: str) -> StripeError:
    refusal = cards.refuse(answer)
    refusal.keeps_work = True
    return refusal


def _complete(account: Account, session: Json, payer: Json) -> tuple[Json, Json]:
    is_free = session["mode"] == "setup" or not session["amount_total"]
    session |= {
        "customer_details": customer_details(account, payer["email"], payer["name"]),
        "payment_status": "no_payment_required" if is_free else "paid",
        "status": "complete",
        "url": None,
    }
    account.save(session)
    return session, account.emit("checkout.session.completed", session)


def _pay_once(account: Account, session: Json, attempt: Attempt, plan: Json) -> None:
    """Take the money, saving the card first where the session was to do so.

    Every attempt is one at the same intent, which is made with the first of them.
    """
    if session["payment_intent"]:
        intent = account.get("payment_intent", session["payment_intent"])
        intent["customer"] = session["customer"]
    else:
        intent = charging.intend(account, _order(session, plan))
        session["payment_intent"] = intent["id"]
    account.save(session)
    if session["customer"] and not charging.answer_of_bank(account, attempt):
        payments.keep(account, intent, attempt.method)
    charging.confirm(account, intent, attempt)


def _order(session: Json, plan: Json) -> charging.Order:
    return charging.Order(
        amount=session["amount_total"],
        currency=session["currency"],
        customer=session["customer"],
        description=plan.get("description"),
        metadata=merged_metadata({}, plan.get("metadata")),
        receipt_email=plan.get("receipt_email"),
        setup_future_usage=plan.get("setup_future_usage"),
    )


def _set_up(account: Account, session: Json, attempt: Attempt) -> None:
    intent = account.get("setup_intent", session["setup_intent"])
    intent["customer"] = session["customer"]
    setups.confirm(account, intent, attempt)


def _subscribe(account: Account, session: Json, attempt: Attempt, plan: Json) -> None:
    charging.set_up(account, attempt.method)
    methods.attach(account, attempt.method, session["customer"])
    lines = lines_of(account, session)["data"]
    order = starting.Order(
        customer=session["customer"],
        items=[(line["price"], line["quantity"]) for line in lines],
        method=attempt.method,
        metadata=merged_metadata({}, plan.get("metadata")),
        description=plan.get("description"),
        is_authenticated=attempt.is_authenticated,
    )
    subscription = starting.start(account, order)
    session["subscription"] = subscription["id"]
    session["invoice"] = subscription["latest_invoice"]
