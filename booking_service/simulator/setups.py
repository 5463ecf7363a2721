"""Setup intents: cards saved for later without a payment."""

from booking_service.simulator import cards, charging, methods
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.charging import AUTHENTICATE, Attempt
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval

_INTENTS = "/v1/setup_intents"
_INTENT = f"{_INTENTS}/{{intent}}"
_UNFINISHED = ("requires_payment_method", "requires_confirmation", "requires_action")

listing(_INTENTS, "setup_intent", "customer", "payment_method")
retrieval(_INTENT, "setup_intent")


@operation(
    "post",
    _INTENTS,
    "customer",
    "payment_method",
    "confirm",
    "usage",
    "description",
    "metadata",
    "return_url",
    "allowed_payment_method_types",
    "automatic_payment_methods",
)
def _create(call: Call) -> Json:
    account, customer = call.account, call.get("customer")
    if customer:
        account.get("customer", customer, "customer")
    method = methods.named(account, call.get("payment_method"))
    intent = intend(account, customer, call.get("usage", "off_session"))
    intent |= {
        "description": call.get("description"),
        "metadata": merged_metadata({}, call.get("metadata")),
    }
    if method:
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    account.save(intent)
    return _confirmed(call, intent) if call.get("confirm") else intent


@operation("post", f"{_INTENT}/confirm", "payment_method", "return_url")
def _confirm(call: Call) -> Json:
    intent = call.account.get("setup_intent", call.id)
    if intent["status"] not in _UNFINISHED:
        raise _unexpected(intent, "confirm")
    return _confirmed(call, intent)


@operation("post", f"{_INTENT}/cancel", "cancellation_reason")
def _cancel(call: Call) -> Json:
    intent = call.account.get("setup_intent", call.id)
    if intent["status"] not in _UNFINISHED:
        raise _unexpected(intent, "cancel")
    fields = {"status": "canceled", "cancellation_reason": call.get("cancellation_reason")}
    return call.account.change(intent, "setup_intent.canceled", **fields)


def _confirmed(call: Call, intent: Json) -> Json:
    wanted = call.get("payment_method") or intent["payment_method"]
    method = methods.named(call.account, wanted)
    if method is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise invalid(message, code="setup_intent_unexpected_state")
    return confirm(call.account, intent, Attempt(method))


def intend(account: Account, customer: str | None, usage: str = "off_session") -> Json:
    """Make a setup intent."""
    id_ = new_id("seti_1")
    intent = account.new(
        "setup_intent",
        id_,
        client_secret=f"{id_}_secret_{new_id('x', 25)[2:]}",
        customer=customer,
        metadata={},
        payment_method_types=["card"],
        status="requires_payment_method",
        usage=usage,
    )
    account.emit("setup_intent.created", intent)
    return intent


def confirm(account: Account, intent: Json, attempt: Attempt) -> Json:
    """Save a card for later.

    Raises:
        StripeError: 402, its bank refuses; the intent is kept.
    """
    method, answer = attempt.method, charging.answer_of_bank(account, attempt)
    if answer == AUTHENTICATE:
        action = account.blank("SetupIntent.NextAction", "stripe._setup_intent")
        kept = {name: value for name, value in action.items() if value is not None}
        kept |= {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        fields = {"payment_method": method["id"], "next_action": kept}
        return account.change(
            intent, "setup_intent.requires_action", status="requires_action", **fields
        )
    if answer:
        raise decline(account, intent, cards.refuse(answer))
    charging.set_up(account, method)
    if intent["customer"] and not method["customer"]:
        methods.attach(account, method, intent["customer"])
    return account.change(
        intent,
        "setup_intent.succeeded",
        status="succeeded",
        payment_method=method["id"],
        last_setup_error=None,
        next_action=None,
    )


def decline(account: Account, intent: Json, refusal: StripeError) -> StripeError:
    """Write a refused setup down, and return the refusal, which keeps what it wrote."""
    told = ("code", "decline_code", "message", "type")
    error = {name: refusal.fields[name] for name in told if refusal.fields[name] is not None}
    account.change(
        intent,
        "setup_intent.setup_failed",
        status="requires_payment_method",
        last_setup_error=error,
        next_action=None,
        payment_method=None,
    )
    refusal.keeps_work = True
    refusal.about = {"setup_intent": intent}
    return refusal


def _unexpected(intent: Json, what: str) -> StripeError:
    message = f"You cannot {what} this SetupIntent because it has a status of {intent['status']}."
    return invalid(message, code="setup_intent_unexpected_state")
