"""Payouts: the balance on its way to the bank, every midnight or by hand."""

from typing import Final

from booking_service.simulator import balance
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY, HOUR
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval
from booking_service.simulator.timers import timer

_PAYOUT = "/v1/payouts/{payout}"
_SENT_AFTER: Final = HOUR  # seconds in which it may be cancelled
_DAY_OF_ARRIVAL: Final = 1

listing("/v1/payouts", "payout", "status")
retrieval(_PAYOUT, "payout")


@operation("post", "/v1/payouts", "amount", "currency", "description", "metadata", "method")
def _create(call: Call) -> Json:
    amount = call.params["amount"]
    if amount <= 0:
        raise invalid("This value must be greater than or equal to 1.", "amount")
    if amount > balance.available(call.account):
        message = "You have insufficient funds in your Stripe account for this transfer."
        raise invalid(message, "amount", "balance_insufficient")
    payout = _make(call.account, amount, is_automatic=False)
    payout |= {
        "description": call.get("description"),
        "metadata": merged_metadata({}, call.get("metadata")),
        "method": call.get("method", "standard"),
    }
    return call.account.save(payout)


@operation("post", _PAYOUT, "metadata")
def _update(call: Call) -> Json:
    payout = call.account.get("payout", call.id)
    metadata = merged_metadata(payout["metadata"], call.params.get("metadata"))
    return call.account.change(payout, "payout.updated", metadata=metadata)


@operation("post", f"{_PAYOUT}/cancel")
def _cancel(call: Call) -> Json:
    account, payout = call.account, call.account.get("payout", call.id)
    if payout["status"] != "pending":
        raise invalid("This payout cannot be canceled: it is not pending any more.")
    back = balance.move(account, "payout_cancel", payout, payout["amount"], "PAYOUT CANCEL")
    fields = {"status": "canceled", "failure_balance_transaction": back["id"]}
    return account.change(payout, "payout.canceled", **fields)


def pay_out(account: Account) -> Json | None:
    """Pay out all that is available; None when there is nothing, or refunds wait for money.

    A balance below zero is taken from the bank, where the bank covers debts.
    """
    movements = account.store.rows(
        "SELECT id, json_extract(body, '$.net') AS net FROM objects"
        " WHERE kind = 'balance_transaction' AND json_extract(body, '$.status') = 'available'"
        " AND id NOT IN (SELECT movement FROM paid_out)"
    )
    amount = sum(movement["net"] for movement in movements)
    held = account.store.all("refund", pending_reason="insufficient_funds")
    if amount == 0 or held or (amount < 0 and not account.settings.bank_debits):
        return None
    payout = _make(account, amount, is_automatic=True)
    for id_ in (*(movement["id"] for movement in movements), payout["balance_transaction"]):
        account.store.rows("INSERT INTO paid_out VALUES (?, ?)", (id_, payout["id"]))
    return payout


def fail(account: Account, payout_id: str) -> Json:
    """Let the bank send a payout back.

    Raises:
        StripeError: 404; 400, it was cancelled or sent back already.
    """
    payout = account.get("payout", payout_id)
    if payout["status"] in {"failed", "canceled"}:
        raise invalid("This payout is over.")
    back = balance.move(account, "payout_failure", payout, payout["amount"], "PAYOUT FAILURE")
    return account.change(
        payout,
        "payout.failed",
        status="failed",
        failure_code="account_closed",
        failure_message="The bank account has been closed.",
        failure_balance_transaction=back["id"],
    )


def _make(account: Account, amount: int, *, is_automatic: bool) -> Json:
    now = account.clock.now()
    payout = account.new(
        "payout",
        new_id("po_1"),
        amount=amount,
        arrival_date=now - now % DAY + _DAY_OF_ARRIVAL * DAY,
        automatic=is_automatic,
        currency="usd",
        description="STRIPE PAYOUT",
        destination="ba_1simulated",
        metadata={},
        method="standard",
        reconciliation_status="in_progress" if is_automatic else "not_applicable",
        source_type="card",
        status="pending",
        type="bank_account",
    )
    movement = balance.move(account, "payout", payout, -amount, "STRIPE PAYOUT")
    payout["balance_transaction"] = movement["id"]
    account.save(payout)
    account.emit("payout.created", payout)
    account.after(_SENT_AFTER, "payout.leaves", payout["id"])
    account.after(max(payout["arrival_date"] - now, _SENT_AFTER), "payout.arrives", payout["id"])
    return payout


@timer(balance.PAYOUT_DUE)
def _pay_out_daily(account: Account, _subject: str) -> None:
    pay_out(account)


@timer("payout.leaves")
def _leave(account: Account, payout_id: str) -> None:
    payout = account.get("payout", payout_id)
    if payout["status"] == "pending":
        account.change(payout, "payout.updated", status="in_transit")


@timer("payout.arrives")
def _arrive(account: Account, payout_id: str) -> None:
    payout = account.get("payout", payout_id)
    if payout["status"] != "in_transit":
        return
    account.change(payout, "payout.paid", status="paid")
    if payout["automatic"]:
        done = {"reconciliation_status": "completed"}
        account.change(payout, "payout.reconciliation_completed", **done)
