"""The taking of money: intents, their charges, and what the card's bank says."""

from dataclasses import dataclass, field
from typing import Any

from booking_service.simulator import balance, cards
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError

AUTHENTICATE = "authenticate"
_SECONDS_UNTIL_DISPUTED = 1


@dataclass(frozen=True)
class Order:
    """What is to be paid, in cents, and by whom."""

    amount: int
    currency: str
    customer: str | None = None
    description: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    receipt_email: str | None = None
    setup_future_usage: str | None = None


@dataclass(frozen=True)
class Attempt:
    """A card, and how it is used: is its holder away, and have they confirmed it is them."""

    method: Json
    is_off_session: bool = False
    is_authenticated: bool = False


def answer_of_bank(account: Account, attempt: Attempt) -> str:
    """Return the decline code, or `AUTHENTICATE`, or nothing when the card pays."""
    method = attempt.method
    card = cards.by_last4(method["card"]["last4"])
    if card.declines:
        return card.declines
    is_saved = bool(account.store.fact(f"saved {method['id']}"))
    if card.declines_later and (is_saved or attempt.is_off_session):
        return card.declines_later
    is_set_up = bool(account.store.fact(f"set up {method['id']}"))
    must_confirm = card.authenticates == "always" or (card.authenticates and not is_set_up)
    if must_confirm and not attempt.is_authenticated:
        return "authentication_required" if attempt.is_off_session else AUTHENTICATE
    return ""


def set_up(account: Account, method: Json) -> None:
    """Remember that the holder of a card agreed to later payments."""
    account.store.remember(f"set up {method['id']}", "1")


def intend(account: Account, order: Order) -> Json:
    """Make a payment intent; nothing is charged yet."""
    intent_id = new_id("pi_3")
    intent = account.new(
        "payment_intent",
        intent_id,
        amount=order.amount,
        currency=order.currency,
        capture_method="automatic_async",
        confirmation_method="automatic",
        client_secret=f"{intent_id}_secret_{new_id('x', 25)[2:]}",
        customer=order.customer,
        description=order.description,
        metadata=order.metadata,
        payment_method_types=["card"],
        receipt_email=order.receipt_email,
        setup_future_usage=order.setup_future_usage,
        status="requires_payment_method",
    )
    account.emit("payment_intent.created", intent)
    return intent


def confirm(account: Account, intent: Json, attempt: Attempt) -> Json:
    """Charge a card for an intent and return it: paid, or waiting for the card's holder.

    Raises:
        StripeError: 402, the card is declined; the failed charge and the intent are kept.
    """
    answer = answer_of_bank(account, attempt)
    method = attempt.method
    if answer == AUTHENTICATE:
        return account.change(
            intent,
            "payment_intent.requires_action",
            status="requires_action",
            payment_method=method["id"],
            next_action=_next_action(account),
        )
    if answer:
        raise decline(account, intent, method, cards.refuse(answer))
    if intent["setup_future_usage"]:
        set_up(account, method)
    charge = _charge(account, intent, method)
    account.emit("charge.succeeded", charge)
    card = cards.by_last4(method["card"]["last4"])
    if card.dispute:
        account.store.remember(f"dispute of {charge['id']}", card.dispute)
        account.after_main(_SECONDS_UNTIL_DISPUTED, "charge.disputed", charge["id"])
    return account.change(
        intent,
        "payment_intent.succeeded",
        status="succeeded",
        amount_received=intent["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=method["id"],
    )


def take(account: Account, order: Order, attempt: Attempt) -> Json:
    """Make an intent and charge a card for it at once; see `confirm`."""
    return confirm(account, intend(account, order), attempt)


def decline(account: Account, intent: Json, method: Json, refusal: StripeError) -> StripeError:
    """Write a refused payment down, and return the refusal, which keeps what it wrote."""
    fields = refusal.fields
    charge = None
    if fields["code"] != "payment_intent_authentication_failure":  # the bank was never asked
        charge = _failed_charge(account, intent, method, fields)
        account.emit("charge.failed", charge)
    error = account.blank(
        "PaymentIntent.LastPaymentError",
        "stripe._payment_intent",
        charge=charge and charge["id"],
        code=fields["code"],
        decline_code=fields["decline_code"],
        message=fields["message"],
        type=fields["type"],
        payment_method=method,
    )
    account.change(
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        last_payment_error={name: value for name, value in error.items() if value is not None},
        latest_charge=charge["id"] if charge else intent["latest_charge"],
        next_action=None,
        payment_method=None,
    )
    refusal.keeps_work = True
    refusal.about = {"payment_intent": intent, "payment_method": method}
    if charge:
        refusal.about["charge"] = charge["id"]
    return refusal


def _next_action(account: Account) -> Json:
    action = account.blank("PaymentIntent.NextAction", "stripe._payment_intent")
    kept = {name: value for name, value in action.items() if value is not None}
    return kept | {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}


def _charge(account: Account, intent: Json, method: Json) -> Json:
    card = cards.by_last4(method["card"]["last4"])
    amount, words = intent["amount"], intent["description"]
    facts = {"captured": True, "paid": True, "status": "succeeded", "amount_captured": amount}
    outcome = ("approved_by_network", "authorized", "Payment complete.", None)
    charge = _new_charge(account, intent, method, facts, outcome)
    movement = balance.move(
        account,
        "charge",
        charge,
        amount,
        words,
        fee=balance.charge_fee(account, amount),
        settles_late=not card.is_available_at_once,
    )
    charge["balance_transaction"] = movement["id"]
    return account.save(charge)


def _failed_charge(account: Account, intent: Json, method: Json, fields: Json) -> Json:
    facts = {
        "captured": False,
        "paid": False,
        "status": "failed",
        "failure_code": fields["code"],
        "failure_message": fields["message"],
    }
    words = "The bank did not return any further details with this decline."
    outcome = ("declined_by_network", "issuer_declined", words, fields["decline_code"])
    return _new_charge(account, intent, method, facts, outcome)


def _new_charge(
    account: Account, intent: Json, method: Json, facts: Json, outcome: tuple[str | None, ...]
) -> Json:
    network_status, type_, message, reason = outcome
    return account.new(
        "charge",
        new_id("ch_3"),
        amount=intent["amount"],
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        payment_intent=intent["id"],
        payment_method=method["id"],
        billing_details=_billing_details(account, method),
        calculated_statement_descriptor="FIRST VISIT",
        receipt_email=intent["receipt_email"],
        fraud_details={},
        outcome=account.blank(
            "Charge.Outcome",
            "stripe._charge",
            network_status=network_status,
            risk_level="normal",
            reason=reason,
            seller_message=message,
            type=type_,
        ),
        payment_method_details={"type": "card", "card": _card_details(account, method)},
        **facts,
    )


def _billing_details(account: Account, method: Json) -> Json:
    facts = {name: method["billing_details"][name] for name in ("name", "email")}
    return account.blank("Charge.BillingDetails", "stripe._charge", **facts)


def _card_details(account: Account, method: Json) -> Json:
    card: dict[str, Any] = method["card"]
    same = ("brand", "last4", "exp_month", "exp_year", "funding", "country", "fingerprint")
    return account.blank(
        "Charge.PaymentMethodDetails.Card",
        "stripe._charge",
        **{name: card[name] for name in same},
        network=card["brand"],
    )
