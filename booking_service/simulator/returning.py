"""What becomes of a refund: sent, held, arrived, bounced."""

from typing import Final

from booking_service.simulator import balance, cards
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import invalid
from booking_service.simulator.timers import timer

WHOLLY_RETURNED: Final = "charge.wholly_returned"  # timer: inquiries about it can be closed
_HELD_AT_MOST: Final = 30 * DAY
_FORCED: Final = ("succeeded", "failed", "pending", "requires_action", "canceled")


def new(
    account: Account, charge: Json, amount: int, reason: str | None, metadata: dict[str, str]
) -> Json:
    """Make a refund, of which no money has moved yet."""
    card = account.blank(
        "Refund.DestinationDetails.Card",
        "stripe._refund",
        type="refund",
        reference_status="pending",
        reference_type="acquirer_reference_number",
    )
    return account.new(
        "refund",
        new_id("re_3"),
        amount=amount,
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        currency=charge["currency"],
        reason=reason,
        metadata=metadata,
        status="pending",
        destination_details={"type": "card", "card": card},
    )


def hold(account: Account, refund: Json) -> None:
    """Keep a refund until the balance can pay for it, or for a month."""
    refund["pending_reason"] = "insufficient_funds"
    account.save(refund)
    account.after_main(_HELD_AT_MOST, "refund.held_too_long", refund["id"])


def send(account: Account, refund: Json, charge: Json) -> Json:
    """Take the money from the balance and send it, the way the test card prescribes."""
    movement = balance.move(account, "refund", refund, -refund["amount"], "REFUND FOR CHARGE")
    way = cards.by_last4(charge["payment_method_details"]["card"]["last4"]).refund
    refund |= {
        "balance_transaction": movement["id"],
        "status": "pending" if way == "pends" else "succeeded",
        "pending_reason": "processing" if way == "pends" else None,
    }
    if way != "succeeds":
        account.after_main(account.settings.refund_delay_seconds, f"refund.{way}", refund["id"])
    return account.save(refund)


def change(account: Account, refund: Json, **fields: object) -> Json:
    """Change a refund and tell it under both of its names, unless nothing changes."""
    if all(refund[name] == value for name, value in fields.items()):
        return refund
    account.change(refund, "refund.updated", **fields)
    account.emit("charge.refund.updated", refund)
    return refund


def fail(account: Account, refund: Json, reason: str) -> Json:
    """Bounce a refund: the money is back in our balance, and the charge can be refunded again."""
    fields = {"status": "failed", "pending_reason": None, "failure_reason": reason}
    change(account, refund, **fields, failure_balance_transaction=_take_back(account, refund))
    account.emit("refund.failed", refund)
    return refund


def cancel(account: Account, refund: Json) -> Json:
    """Call a refund back before it has left."""
    fields = {"status": "canceled", "pending_reason": None, "failure_reason": "merchant_request"}
    back = _take_back(account, refund)
    return change(account, refund, **fields, failure_balance_transaction=back)


def force(account: Account, refund: Json, status: str, reason: str) -> Json:
    """Give a refund a status, as its bank or the dashboard would.

    Raises:
        StripeError: 400, there is no such status, or the refund is over.
    """
    if status not in _FORCED:
        raise invalid(f"status must be one of {', '.join(_FORCED)}", "status")
    if refund["status"] in {"failed", "canceled"}:
        raise invalid(f"This refund is {refund['status']}.", "status")
    if status == "failed":
        return fail(account, refund, reason)
    if status == "canceled":
        return cancel(account, refund)
    if refund["balance_transaction"] is None:
        raise invalid("This refund waits for money.", "status")
    why = "processing" if status == "pending" else None
    return change(account, refund, status=status, pending_reason=why)


def held(account: Account) -> list[Json]:
    """Return the refunds that wait for money, oldest first."""
    return account.store.all("refund", pending_reason="insufficient_funds")[::-1]


def _take_back(account: Account, refund: Json) -> str | None:
    """Undo what a refund moved, and return the movement; None if it had moved nothing yet."""
    charge = account.get("charge", refund["charge"])
    left = charge["amount_refunded"] - refund["amount"]
    account.change(charge, "charge.updated", amount_refunded=left, refunded=False)
    if refund["balance_transaction"] is None:
        return None
    back = balance.move(account, "refund_failure", refund, refund["amount"], "REFUND FAILURE")
    movement_id: str = back["id"]
    return movement_id


@timer("refund.pends")
def _arrive(account: Account, refund_id: str) -> None:
    refund = account.get("refund", refund_id)
    if refund["status"] == "pending":
        change(account, refund, status="succeeded", pending_reason=None)


@timer("refund.fails")
def _bounce(account: Account, refund_id: str) -> None:
    refund = account.get("refund", refund_id)
    if refund["status"] == "succeeded":
        fail(account, refund, "expired_or_canceled_card")


@timer("refund.held_too_long")
def _give_up(account: Account, refund_id: str) -> None:
    refund = account.get("refund", refund_id)
    if refund["pending_reason"] == "insufficient_funds":
        fail(account, refund, "insufficient_funds")


@timer(balance.FUNDS_ARRIVED)
def _resume(account: Account, _subject: str) -> None:
    """Send the refunds that waited for money, in their order, as far as it goes."""
    for refund in held(account):
        if balance.available(account) < refund["amount"]:
            return
        before = {name: refund[name] for name in ("status", "pending_reason")}
        send(account, refund, account.get("charge", refund["charge"]))
        account.emit("refund.updated", refund, before)
        account.emit("charge.refund.updated", refund)
