"""Refunds: at once, late, or taken back weeks after they succeeded."""

from booking_service.simulator import balance, cards
from booking_service.simulator.account import Account, merged_metadata, new_id, timer
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, missing
from booking_service.simulator.operations import Call, listing, operation, retrieval

_REFUND = "/v1/refunds/{refund}"

listing("/v1/refunds", "refund", "payment_intent", "charge")
retrieval(_REFUND, "refund")


@operation("post", "/v1/refunds", "payment_intent", "charge", "amount", "reason", "metadata")
def _create(call: Call) -> Json:
    account = call.account
    charge = _charge_of(call)
    amount = _amount_to_return(charge, call.get("amount"))
    way = cards.by_last4(charge["payment_method_details"]["card"]["last4"]).refund
    refund = account.new(
        "refund",
        new_id("re_3"),
        amount=amount,
        charge=charge["id"],
        payment_intent=charge["payment_intent"],
        currency=charge["currency"],
        reason=call.get("reason"),
        metadata=merged_metadata({}, call.get("metadata")),
        status="pending" if way == "pends" else "succeeded",
        pending_reason="processing" if way == "pends" else None,
        destination_details=_destination(account),
    )
    movement = balance.move(account, "refund", refund, -amount, "REFUND FOR CHARGE")
    refund["balance_transaction"] = movement["id"]
    account.save(refund)
    _tell_charge(account, charge, amount)
    account.emit("refund.created", refund)
    if way != "succeeds":
        account.after(account.settings.refund_delay_seconds, f"refund.{way}", refund["id"])
    return refund


@operation("post", _REFUND, "metadata")
def _update(call: Call) -> Json:
    refund = call.account.get("refund", call.id)
    metadata = merged_metadata(refund["metadata"], call.params.get("metadata"))
    return _change(call.account, refund, metadata=metadata)


@operation("post", f"{_REFUND}/cancel")
def _cancel(call: Call) -> Json:
    refund = call.account.get("refund", call.id)
    raise invalid(f"Refunds to a card cannot be canceled by the API ({refund['id']}).")


@timer("refund.pends")
def _succeed(account: Account, refund_id: str) -> None:
    refund = account.get("refund", refund_id)
    _change(account, refund, status="succeeded", pending_reason=None)


@timer("refund.fails")
def _fail(account: Account, refund_id: str) -> None:
    """Bounce a refund: the money is back in our balance, and the charge can be refunded again."""
    refund = account.get("refund", refund_id)
    amount = refund["amount"]
    movement = balance.move(account, "refund_failure", refund, amount, "REFUND FAILURE")
    charge = account.get("charge", refund["charge"])
    left = charge["amount_refunded"] - amount
    account.save(charge | {"amount_refunded": left, "refunded": False})
    _change(
        account,
        refund,
        status="failed",
        failure_reason="expired_or_canceled_card",
        failure_balance_transaction=movement["id"],
    )
    account.emit("refund.failed", refund)


def _change(account: Account, refund: Json, **fields: object) -> Json:
    account.change(refund, "refund.updated", **fields)
    account.emit("charge.refund.updated", refund)
    return refund


def _charge_of(call: Call) -> Json:
    """Find what is to be refunded.

    Raises:
        StripeError: neither or both are named, or there is no such thing.
    """
    account, charge, intent = call.account, call.get("charge"), call.get("payment_intent")
    if not charge and not intent:
        message = "One of the following params should be provided for this request:"
        raise invalid(f"{message} payment_intent or charge.", code="parameter_missing")
    if not intent:
        return account.get("charge", charge, "charge")
    paid = account.get("payment_intent", intent, "payment_intent")["latest_charge"]
    if charge and charge != paid:
        raise missing("charge", charge, "charge")
    return account.get("charge", paid)


def _amount_to_return(charge: Json, wanted: int | None) -> int:
    """Return the cents to give back: what is asked, or all that is left.

    Raises:
        StripeError: nothing is left, or less than is asked.
    """
    left = int(charge["amount_captured"] - charge["amount_refunded"])
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise StripeError(message, code="charge_already_refunded")
    amount = left if wanted is None else wanted
    if amount <= 0:
        raise invalid("This value must be greater than or equal to 1.", "amount")
    if amount > left:
        asked, rest = f"${amount / 100:,.2f}", f"${left / 100:,.2f}"
        whole = "unrefunded amount on charge" if charge["amount_refunded"] else "charge amount"
        raise invalid(f"Refund amount ({asked}) is greater than {whole} ({rest})", "amount")
    return amount


def _tell_charge(account: Account, charge: Json, amount: int) -> None:
    returned = charge["amount_refunded"] + amount
    is_whole = returned == charge["amount_captured"]
    account.change(charge, "charge.refunded", amount_refunded=returned, refunded=is_whole)


def _destination(account: Account) -> Json:
    card = account.blank(
        "Refund.DestinationDetails.Card",
        "stripe._refund",
        type="refund",
        reference_status="pending",
        reference_type="acquirer_reference_number",
    )
    return {"type": "card", "card": card}
