"""Invoices: finalised, paid, tried again, given up."""

from typing import Final

from booking_service.simulator import billing, charging, payments, standing
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.charging import Attempt
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import StripeError, invalid
from booking_service.simulator.timers import timer

FINALIZES: Final = "invoice.finalizes"
_RETRIES: Final = (3 * DAY, 5 * DAY, 7 * DAY)  # seconds from each failure to the next attempt


def finalize(account: Account, invoice: Json) -> Json:
    """Make an invoice final, with the intent that is to pay it; one for nothing is paid by that."""
    now = account.clock.now()
    account.change(
        invoice,
        "invoice.finalized",
        status="open",
        effective_at=now,
        number=billing.number_of(account, invoice["customer"]),
        status_transitions=invoice["status_transitions"] | {"finalized_at": now},
    )
    if not invoice["total"]:
        return settle(account, invoice)
    order = charging.Order(
        amount=invoice["total"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description="Subscription creation" if _is_first(invoice) else "Subscription update",
        setup_future_usage="off_session" if _is_first(invoice) else None,
    )
    intent = charging.intend(account, order)
    account.store.remember(f"invoice of {intent['id']}", invoice["id"])
    account.new(
        "invoice_payment",
        new_id("inpay_1"),
        invoice=invoice["id"],
        amount_requested=invoice["total"],
        currency=invoice["currency"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="open",
        status_transitions={"paid_at": None, "canceled_at": None},
    )
    return invoice


def collect(
    account: Account, invoice: Json, attempt: Attempt, *, is_automatic: bool = False
) -> Json:
    """Charge a card for an open invoice.

    Raises:
        StripeError: 402, the card is declined; the attempt is kept.
    """
    counts = _count(invoice, is_automatic=is_automatic)
    try:
        intent = charging.confirm(account, intent_of(account, invoice), attempt)
    except StripeError:
        _fail(account, invoice, counts=counts)
        raise
    account.save(invoice)
    if intent["status"] == "succeeded":
        return settle(account, invoice)
    account.emit("invoice.payment_action_required", invoice)
    return invoice


def _count(invoice: Json, *, is_automatic: bool) -> bool:
    """Note an attempt; return whether it counts: any first one does, later only automatic ones."""
    counts = is_automatic or invoice["attempt_count"] == 0
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + counts}
    return counts


def _fail(account: Account, invoice: Json, *, counts: bool) -> None:
    """Write down that an attempt at an open invoice failed; one that counts plans the next."""
    if counts:
        _plan_retry(account, invoice)
    account.emit("invoice.payment_failed", invoice)
    if not _is_first(invoice):
        standing.unpaid(account, billing.subscription_of(invoice))


def settle(account: Account, invoice: Json) -> Json:
    """Mark an invoice as paid, and put its subscription right."""
    now, total = account.clock.now(), invoice["total"]
    for payment in account.store.all("invoice_payment", invoice=invoice["id"]):
        at = payment["status_transitions"] | {"paid_at": now}
        fields = {"status": "paid", "amount_paid": total, "status_transitions": at}
        account.change(payment, "invoice_payment.paid", **fields)
    account.change(
        invoice,
        "invoice.paid",
        status="paid",
        amount_paid=total,
        amount_remaining=0,
        auto_advance=False,
        attempted=True,
        next_payment_attempt=None,
        status_transitions=invoice["status_transitions"] | {"paid_at": now},
    )
    account.emit("invoice.payment_succeeded", invoice)
    if account.store.find(billing.subscription_of(invoice)):
        standing.paid(account, billing.subscription_of(invoice))
    return invoice


def void(account: Account, invoice: Json) -> Json:
    """Give an open invoice up, with the intent that was to pay it."""
    payments.cancel(account, intent_of(account, invoice), "void_invoice")
    at = invoice["status_transitions"] | {"voided_at": account.clock.now()}
    fields = {"auto_advance": False, "status_transitions": at}
    return account.change(invoice, "invoice.voided", status="void", **fields)


def intent_of(account: Account, invoice: Json) -> Json:
    """Return the intent that pays, or is to pay, a finalised invoice.

    Raises:
        StripeError: 400, it has none.
    """
    made = account.store.all("invoice_payment", invoice=invoice["id"])
    if not made:
        raise invalid("This invoice has no payment.", "invoice")
    return account.get("payment_intent", made[0]["payment"]["payment_intent"])


def _is_first(invoice: Json) -> bool:
    return bool(invoice["billing_reason"] == "subscription_create")


def method_of(account: Account, invoice: Json) -> Json:
    """Return the card of the invoice's subscription, else its customer's."""
    subscription = account.get("subscription", billing.subscription_of(invoice))
    customer = account.get("customer", invoice["customer"])
    wanted = subscription["default_payment_method"]
    wanted = wanted or customer["invoice_settings"]["default_payment_method"]
    if wanted is None:
        message = "There is no `default_payment_method` set on this Customer or Invoice."
        raise invalid(message, code="invoice_payment_intent_requires_action")
    return account.get("payment_method", wanted)


def _plan_retry(account: Account, invoice: Json) -> None:
    """Set the next attempt at a renewal; a first invoice is not tried again by itself."""
    invoice["next_payment_attempt"] = None
    failures = invoice["attempt_count"]
    if not _is_first(invoice) and failures <= len(_RETRIES):
        wait = _RETRIES[failures - 1]
        invoice["next_payment_attempt"] = account.clock.now() + wait
        account.after(wait, "invoice.retries", invoice["id"])
    account.save(invoice)


@timer(FINALIZES)
def _finalize_in_time(account: Account, invoice_id: str) -> None:
    invoice = account.get("invoice", invoice_id)
    if invoice["status"] == "draft":
        finalize(account, invoice)
        _try(account, invoice)


@timer("invoice.retries")
def _retry(account: Account, invoice_id: str) -> None:
    invoice = account.get("invoice", invoice_id)
    if invoice["status"] == "open":
        _try(account, invoice)


def _try(account: Account, invoice: Json) -> None:
    """Charge a renewal with nobody there; after the last failure the subscription ends."""
    subscription = account.get("subscription", billing.subscription_of(invoice))
    if invoice["status"] != "open" or subscription["status"] in standing.ENDED:
        return
    try:
        attempt = Attempt(method_of(account, invoice), is_off_session=True)
        collect(account, invoice, attempt, is_automatic=True)
    except StripeError:
        invoice = account.get("invoice", invoice["id"])
        if invoice["next_payment_attempt"] is None:
            subscription = account.get("subscription", subscription["id"])
            standing.end(account, subscription, "payment_failed")


def _tried_by_intent(account: Account, invoice_id: str, *, is_paid: bool) -> None:
    invoice = account.get("invoice", invoice_id)
    if invoice["status"] != "open":
        return
    counts = _count(invoice, is_automatic=False)
    if is_paid:
        settle(account, invoice)
    else:
        _fail(account, invoice, counts=counts)


payments.INVOICE_TRIED.append(_tried_by_intent)
