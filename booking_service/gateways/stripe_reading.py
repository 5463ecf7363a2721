"""Reading Stripe's objects: what they say, in this service's words."""

from typing import Any, Final
from uuid import UUID

import stripe

from booking_service.gateways.payments import CardPayment, Checkout, CheckoutStatus, RefundOutcome
from booking_service.models import RefundStatus

# Marks what is ours in an account that other applications may share.
APPLICATION: Final = "first_visit"

# What an intent ends in whose money was promised on the page and did not come.
_NEVER: Final = frozenset({"requires_payment_method", "canceled"})


def checkout(session: stripe.checkout.Session) -> Checkout:
    """Read a payment page, whose payment must be expanded."""
    intent = session.payment_intent
    payment = None
    if session.payment_status == "paid" and isinstance(intent, stripe.PaymentIntent):
        payment = card_payment(intent, id_of(session.customer))
    return Checkout(
        id=session.id,
        status=CheckoutStatus(session.status or CheckoutStatus.OPEN),
        booking_id=uuid_of(ours(session).get("booking_id")),
        payment=payment,
        has_failed=session.status == "complete"
        and session.payment_status == "unpaid"
        and getattr(intent, "status", None) in _NEVER,
        membership_id=uuid_of(ours(session).get("membership_id")),
        subscription_id=id_of(session.subscription),
        card_method_id=_set_up_card(getattr(session, "setup_intent", None)),
        is_for_card=getattr(session, "mode", None) == "setup",
    )


def _set_up_card(intent: object) -> str | None:
    """Return the card that was given for later, once its bank has agreed."""
    if isinstance(intent, stripe.SetupIntent) and intent.status == "succeeded":
        return id_of(intent.payment_method)
    return None


def card_payment(intent: stripe.PaymentIntent, customer_id: str | None) -> CardPayment:
    """Read a payment whose charge is expanded."""
    charge = intent.latest_charge
    details = charge.payment_method_details if isinstance(charge, stripe.Charge) else None
    card = details.card if details else None
    kept = intent.setup_future_usage == "off_session" and customer_id is not None
    return CardPayment(
        payment_intent_id=intent.id,
        amount_cents=intent.amount_received,
        currency=intent.currency,
        fee_cents=fee_of(charge),
        customer_id=customer_id,
        payment_method_id=id_of(intent.payment_method) if kept else None,
        card_brand=card.brand if card else None,
        card_last4=card.last4 if card else None,
        has_gone_back=isinstance(charge, stripe.Charge) and charge.amount_refunded > 0,
    )


def fee_of(charge: object) -> int | None:
    """Return what Stripe kept of a charge, in cents; None while it has not booked it."""
    booked = getattr(charge, "balance_transaction", None)
    return booked.fee if isinstance(booked, stripe.BalanceTransaction) else None


def outcome(refund: stripe.Refund) -> RefundOutcome:
    """Read a refund."""
    trace = None
    details = getattr(refund, "destination_details", None)
    if card := getattr(details, "card", None):
        trace = getattr(card, "reference", None)
    return RefundOutcome(
        refund_id=uuid_of(ours(refund).get("refund_id")),
        stripe_refund_id=refund.id,
        payment_intent_id=id_of(refund.payment_intent),
        amount_cents=refund.amount,
        status=RefundStatus(refund.status or RefundStatus.PENDING),
        failure_code=getattr(refund, "failure_reason", None),
        trace_number=trace,
        has_left=refund.balance_transaction is not None,
        came_back=getattr(refund, "failure_balance_transaction", None) is not None,
    )


def ours(thing: stripe.StripeObject | None) -> dict[str, str]:
    """Return an object's metadata if this application made it, and nothing otherwise."""
    metadata = getattr(thing, "metadata", None)
    values: dict[str, str] = metadata.to_dict() if metadata else {}
    return values if values.get("application") == APPLICATION else {}


def id_of(thing: Any) -> str | None:  # noqa: ANN401  # an id or the object
    """Return the id in an expandable field."""
    return thing if isinstance(thing, str) or thing is None else str(thing.id)


def uuid_of(text: str | None) -> UUID | None:
    """Return the id of ours in a metadata value; None when it is not one."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
