"""The buttons of the account's pages: which an object offers, and what each does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flask import url_for
from werkzeug.datastructures import ImmutableMultiDict

from booking_service.simulator import acts, cards, checkout, disputes
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY, HOUR
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.parts import Parts
from booking_service.simulator.timers import set_clock

Form = ImmutableMultiDict[str, str]
Action = Callable[[Parts, Form], str]  # returns where to go next
ACTIONS: Final[dict[str, Action]] = {}
_PAYER: Final = "payer@example.com"
_UNITS: Final = {"hours": HOUR, "days": DAY}


@dataclass(frozen=True)
class Button:
    """One button: what it says, which action it is, and what it sends besides the object's id."""

    words: str
    action: str
    sends: str = ""
    asks_amount: bool = False


def offered(thing: Json) -> list[Button]:
    """Return the buttons that make sense for an object as it stands."""
    offer = _OFFERS.get(thing["object"])
    return offer(thing) if offer else []


def _of_session(session: Json) -> list[Button]:
    if session["status"] != "open":
        return []
    return [
        Button("Pay", "pay", "4242424242424242"),
        Button("Be declined", "pay", "4000000000000002"),
        Button("Walk away (expire it)", "expire"),
    ]


def _of_intent(intent: Json) -> list[Button]:
    if intent["status"] != "requires_action":
        return []
    return [
        Button("Confirm as its cardholder", "authenticate", "complete"),
        Button("Fail to confirm", "authenticate", "fail"),
    ]


def _of_dispute(dispute: Json) -> list[Button]:
    steps = disputes.STEPS[dispute["status"]]
    return [Button(s.replace("_", " ").capitalize(), "dispute_goes_on", s) for s in steps]


def _of_payout(payout: Json) -> list[Button]:
    is_over = payout["status"] in {"failed", "canceled"}
    return [] if is_over else [Button("Let the bank return it", "fail_payout")]


def _of_event(_event: Json) -> list[Button]:
    return [Button("Send again", "resend")]


def _of_charge(charge: Json) -> list[Button]:
    if charge["status"] != "succeeded":
        return []
    found = [] if charge["refunded"] else [Button("Refund", "refund", asks_amount=True)]
    if not charge["disputed"] and not charge["refunded"]:
        found += [
            Button("Dispute it", "dispute", "needs_response"),
            Button("Ask about it (inquiry)", "dispute", "warning_needs_response"),
        ]
    return found


def _of_refund(refund: Json) -> list[Button]:
    if refund["status"] in {"failed", "canceled"}:
        return []
    found = [Button("Let it fail", "refund_goes_on", "failed")]
    if refund["status"] != "succeeded":
        found += [Button("Cancel it", "refund_goes_on", "canceled")]
        if refund["balance_transaction"]:
            found += [Button("Let it succeed", "refund_goes_on", "succeeded")]
    return found


_OFFERS: Final[dict[str, Callable[[Json], list[Button]]]] = {
    "checkout.session": _of_session,
    "payment_intent": _of_intent,
    "charge": _of_charge,
    "dispute": _of_dispute,
    "refund": _of_refund,
    "payout": _of_payout,
    "event": _of_event,
}


def _action(function: Action) -> Action:
    ACTIONS[function.__name__] = function
    return function


@_action
def pay(parts: Parts, form: Form) -> str:
    """Pay a session with a card; a decline is shown on the session's page by its failed charge."""
    try:
        acts.pay(parts, form["id"], cards.read(form["sends"]), _PAYER, "Test Payer")
    except StripeError as refusal:
        if not refusal.keeps_work:
            raise
    return _page_of(form)


@_action
def expire(parts: Parts, form: Form) -> str:
    """Walk away from an open session, and let its time run out."""
    account = parts.account

    def act() -> Json:
        session = account.get("checkout.session", form["id"])
        if session["status"] != "open":
            raise invalid(f"This session is {session['status']}.")
        return checkout.expire(account, session)

    account.perform(act)
    account.wake()
    return _page_of(form)


@_action
def authenticate(parts: Parts, form: Form) -> str:
    """Confirm a payment as its cardholder, or fail to."""
    acts.authenticate_intent(parts, form["id"], is_holder=form["sends"] == "complete")
    return _page_of(form)


@_action
def refund(parts: Parts, form: Form) -> str:
    """Refund a charge, wholly when no amount in dollars is given."""
    amount = form.get("amount", "").strip().lstrip("$")
    try:
        cents = round(float(amount) * 100) if amount else None
    except ValueError as wrong:
        raise invalid(f"{amount} is not an amount in dollars.", "amount") from wrong
    made = acts.refund(parts, {"charge": form["id"], "amount": cents})
    return _page_of_id(made["id"])


@_action
def dispute(parts: Parts, form: Form) -> str:
    """Dispute a charge, or ask about it."""
    made = acts.open_dispute(parts, {"charge": form["id"], "status": form["sends"]})
    return _page_of_id(made["id"])


@_action
def dispute_goes_on(parts: Parts, form: Form) -> str:
    """Move a dispute on."""
    acts.move_dispute(parts, form["id"], form["sends"])
    return _page_of(form)


@_action
def refund_goes_on(parts: Parts, form: Form) -> str:
    """Let a refund fail, succeed, or be cancelled."""
    acts.force_refund(parts, form["id"], {"status": form["sends"]})
    return _page_of(form)


@_action
def pay_out(parts: Parts, _form: Form) -> str:
    """Pay out what is available now."""
    return _page_of_id(acts.pay_out(parts)["id"])


@_action
def fail_payout(parts: Parts, form: Form) -> str:
    """Let the bank send a payout back."""
    acts.fail_payout(parts, form["id"])
    return _page_of(form)


@_action
def resend(parts: Parts, form: Form) -> str:
    """Send an event again."""
    parts.account.resend(form["id"])
    return _page_of(form)


@_action
def move_clock(parts: Parts, form: Form) -> str:
    """Move the clock forwards by some hours or days."""
    count, unit = form.get("count", ""), form.get("unit", "")
    if not count.isdecimal() or unit not in _UNITS:
        raise invalid("A number of hours or days is expected.", "count")
    set_clock(parts.account, parts.account.clock.offset + int(count) * _UNITS[unit])
    return url_for("account.index")


def _page_of(form: Form) -> str:
    return _page_of_id(form["id"])


def _page_of_id(id_: str) -> str:
    return url_for("account.detail", id_=id_)
