"""Refunds: asked for, changed, and refused where Stripe refuses."""

from booking_service.simulator import balance, returning
from booking_service.simulator.account import Account, merged_metadata
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, missing
from booking_service.simulator.operations import Call, listing, operation, retrieval

_REFUND = "/v1/refunds/{refund}"
_BLOCKING = (
    "needs_response",
    "under_review",
    "lost",
    "appeal_needs_response",
    "appeal_under_review",
)

listing("/v1/refunds", "refund", "payment_intent", "charge")
retrieval(_REFUND, "refund")


@operation("post", "/v1/refunds", "payment_intent", "charge", "amount", "reason", "metadata")
def _create(call: Call) -> Json:
    metadata = merged_metadata({}, call.get("metadata"))
    return give_back(
        call.account, _charge_of(call), call.get("amount"), call.get("reason"), metadata
    )


@operation("post", _REFUND, "metadata")
def _update(call: Call) -> Json:
    refund = call.account.get("refund", call.id)
    metadata = merged_metadata(refund["metadata"], call.params.get("metadata"))
    return returning.change(call.account, refund, metadata=metadata)


@operation("post", f"{_REFUND}/cancel")
def _cancel(call: Call) -> Json:
    refund = call.account.get("refund", call.id)
    if refund["status"] != "requires_action":
        raise invalid(f"Refunds to a card cannot be canceled by the API ({refund['id']}).")
    return returning.cancel(call.account, refund)


def give_back(
    account: Account,
    charge: Json,
    wanted: int | None,
    reason: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Json:
    """Refund a charge, wholly when no amount in cents is wanted.

    Raises:
        StripeError: it was never paid, is disputed, or is refunded already.
    """
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} was not paid, and cannot be refunded.", "charge")
    disputes = account.store.all("dispute", charge=charge["id"])
    if any(dispute["status"] in _BLOCKING for dispute in disputes):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise invalid(message, code="charge_disputed")
    amount = _amount_to_return(charge, wanted)
    is_held = not account.settings.bank_debits and balance.available(account) < amount
    refund = returning.new(account, charge, amount, reason, metadata or {})
    returned = charge["amount_refunded"] + amount
    is_whole = returned == charge["amount_captured"]
    account.change(charge, "charge.refunded", amount_refunded=returned, refunded=is_whole)
    if is_held:
        returning.hold(account, refund)
    else:
        returning.send(account, refund, charge)
    account.emit("refund.created", refund)
    if is_whole and disputes:
        account.after(0, returning.WHOLLY_RETURNED, charge["id"])
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
    found = account.get("payment_intent", intent, "payment_intent")
    if found["status"] != "succeeded":
        message = f"This PaymentIntent ({intent}) does not have a successful charge to refund."
        raise invalid(message, "payment_intent", "payment_intent_unexpected_state")
    if charge and charge != found["latest_charge"]:
        raise missing("charge", charge, "charge")
    return account.get("charge", found["latest_charge"])


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
