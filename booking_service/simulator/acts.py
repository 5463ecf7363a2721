"""What people do who never call the API: payers, cardholders, banks, dashboard users."""

from collections.abc import Callable
from typing import TypeVar

from booking_service.simulator import disputes, paying, payments, payouts, refunds, returning
from booking_service.simulator.cards import Entered
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.parts import Parts

_BOUNCED = "expired_or_canceled_card"
_Made = TypeVar("_Made")


def pay(
    parts: Parts, session_id: str, card: Entered, email: str | None, name: str | None
) -> tuple[Json, Json | None]:
    """Press Pay; see `paying.pay`."""
    return _done(parts, lambda: paying.pay(parts.account, session_id, card, email, name))


def authenticate(parts: Parts, session_id: str, *, is_holder: bool) -> tuple[Json, Json | None]:
    """Confirm a payment as its cardholder, or fail to; see `paying.authenticate`."""
    return _done(parts, lambda: paying.authenticate(parts.account, session_id, is_holder=is_holder))


def authenticate_intent(parts: Parts, intent_id: str, *, is_holder: bool) -> Json:
    """Confirm a payment intent that waits for its cardholder, or fail to; return it as it stands.

    An intent of a payment page is confirmed on that page, so that its session goes on too.

    Raises:
        StripeError: there is no such intent, or it waits for nobody.
    """
    account = parts.account

    def act() -> None:
        intent = account.get("payment_intent", intent_id)
        pages = account.store.all("checkout.session", payment_intent=intent_id, status="open")
        if pages:
            paying.authenticate(account, pages[0]["id"], is_holder=is_holder)
        else:
            payments.authenticate(account, intent, is_holder=is_holder)

    try:
        _done(parts, act)
    except StripeError as refusal:
        if not refusal.keeps_work:
            raise
    return account.get("payment_intent", intent_id)


def open_dispute(parts: Parts, facts: Json) -> Json:
    """Dispute a payment: `charge` or `payment_intent`, and if wanted `status`, `reason`, `amount`.

    Raises:
        StripeError: there is no such payment, or it cannot be disputed like this.
    """
    account = parts.account

    def act() -> Json:
        wanted = {name: facts[name] for name in ("status", "reason", "amount") if facts.get(name)}
        return disputes.open_(account, _charge_of(parts, facts), **wanted)

    return _done(parts, act)


def move_dispute(parts: Parts, dispute_id: str, status: str) -> Json:
    """Let a dispute go on to a status."""
    account = parts.account
    return _done(
        parts, lambda: disputes.proceed(account, account.get("dispute", dispute_id), status)
    )


def refund(parts: Parts, facts: Json) -> Json:
    """Refund a payment as the dashboard does: `charge` or `payment_intent`, and maybe `amount`."""
    return _done(
        parts,
        lambda: refunds.give_back(parts.account, _charge_of(parts, facts), facts.get("amount")),
    )


def force_refund(parts: Parts, refund_id: str, facts: Json) -> Json:
    """Give a refund a `status`, as the bank or the dashboard would; a failure has a `reason`."""
    account, status = parts.account, str(facts.get("status"))
    reason = str(facts.get("reason") or _BOUNCED)
    return _done(
        parts,
        lambda: returning.force(account, account.get("refund", refund_id), status, reason),
    )


def pay_out(parts: Parts) -> Json:
    """Make the automatic payout now.

    Raises:
        StripeError: 400, there is nothing to pay out.
    """

    def act() -> Json:
        payout = payouts.pay_out(parts.account)
        if payout is None:
            raise invalid("There is nothing to pay out, or refunds wait for the money.")
        return payout

    return _done(parts, act)


def fail_payout(parts: Parts, payout_id: str) -> Json:
    """Let the bank send a payout back."""
    return _done(parts, lambda: payouts.fail(parts.account, payout_id))


def _done(parts: Parts, act: Callable[[], _Made]) -> _Made:
    try:
        return parts.account.perform(act)
    finally:
        parts.account.wake()


def _charge_of(parts: Parts, facts: Json) -> Json:
    account = parts.account
    if facts.get("charge"):
        return account.get("charge", str(facts["charge"]), "charge")
    if not facts.get("payment_intent"):
        raise invalid("charge or payment_intent is expected", "charge", "parameter_missing")
    intent = account.get("payment_intent", str(facts["payment_intent"]), "payment_intent")
    return account.get("charge", intent["latest_charge"] or "", "charge")
