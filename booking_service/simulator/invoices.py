"""Invoices: the first one of a subscription, paid at once or not at all."""

from booking_service.simulator import payments
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import (
    Call,
    include,
    list_of,
    listing,
    operation,
    page_of,
    retrieval,
)
from booking_service.simulator.store import field_is

listing("/v1/invoices", "invoice", "customer", "status", "subscription")
retrieval("/v1/invoices/{invoice}", "invoice")


@operation(
    "get",
    "/v1/invoice_payments",
    "invoice",
    "status",
    "payment",
    "created",
    "limit",
    "starting_after",
    "ending_before",
)
def _payments(call: Call) -> Json:
    names = [name for name in ("invoice", "status") if call.get(name)]
    conditions = [field_is(name, call.get(name)) for name in names]
    if paid_by := call.get("payment"):
        if paid_by["type"] not in paid_by:
            raise invalid("Missing required param.", f"payment[{paid_by['type']}]")
        conditions.append(field_is("payment.payment_intent", paid_by[paid_by["type"]]))
    return page_of(call, "/v1/invoice_payments", "invoice_payment", conditions)


@include("invoice", "payments")
def _payments_of(account: Account, invoice: Json) -> Json:
    made = account.store.all("invoice_payment", invoice=invoice["id"])
    return list_of(made, "/v1/invoice_payments")


def bill(account: Account, subscription: Json, method: Json, *, is_off_session: bool) -> Json:
    """Make the invoice of a subscription's first period and pay it.

    Raises:
        StripeError: 402, the card is declined; nothing is kept.
    """
    invoice_id, now = new_id("in_1"), account.clock.now()
    lines = [_line(account, invoice_id, item) for item in subscription["items"]["data"]]
    total = sum(line["amount"] for line in lines)
    number = len(account.store.all("invoice", customer=subscription["customer"])) + 1
    customer = account.get("customer", subscription["customer"])
    invoice = account.new(
        "invoice",
        invoice_id,
        customer=customer["id"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        currency=subscription["currency"],
        billing_reason="subscription_create",
        collection_method="charge_automatically",
        issuer=account.blank("Invoice.Issuer", "stripe._invoice", type="self"),
        lines=list_of(lines, f"/v1/invoices/{invoice_id}/lines"),
        number=f"{customer['invoice_prefix']}-{number:04}",
        parent=_parent(account, subscription),
        period_start=now,
        period_end=now,
        effective_at=now,
        status="open",
        amount_due=total,
        amount_remaining=total,
        subtotal=total,
        total=total,
        metadata={},
    )
    account.emit("invoice.created", invoice)
    account.emit("invoice.finalized", invoice)
    intent = _pay(account, invoice, method, is_off_session=is_off_session)
    _settle(account, invoice, intent)
    return invoice


def _pay(account: Account, invoice: Json, method: Json, *, is_off_session: bool) -> Json:
    order = payments.Order(
        amount=invoice["total"],
        currency=invoice["currency"],
        method=method,
        customer=invoice["customer"],
        description="Subscription creation",
        setup_future_usage="off_session",
        is_off_session=is_off_session,
    )
    return payments.take(account, order)


def _settle(account: Account, invoice: Json, intent: Json) -> None:
    now, total = account.clock.now(), invoice["total"]
    account.new(
        "invoice_payment",
        new_id("inpay_1"),
        invoice=invoice["id"],
        amount_paid=total,
        amount_requested=total,
        currency=invoice["currency"],
        is_default=True,
        payment={"type": "payment_intent", "payment_intent": intent["id"]},
        status="paid",
        status_transitions={"paid_at": now, "canceled_at": None},
    )
    invoice |= {
        "status": "paid",
        "amount_paid": total,
        "amount_remaining": 0,
        "attempted": True,
        "attempt_count": 1,
        "status_transitions": invoice["status_transitions"] | {"finalized_at": now, "paid_at": now},
    }
    account.save(invoice)
    account.emit("invoice.paid", invoice)
    account.emit("invoice.payment_succeeded", invoice)


def _parent(account: Account, subscription: Json) -> Json:
    details = {"subscription": subscription["id"], "metadata": subscription["metadata"]}
    return account.blank(
        "Invoice.Parent",
        "stripe._invoice",
        type="subscription_details",
        subscription_details=details,
    )


def _line(account: Account, invoice_id: str, item: Json) -> Json:
    price = item["price"]
    start, end = item["current_period_start"], item["current_period_end"]
    amount = price["unit_amount"] * item["quantity"]
    product = account.get("product", price["product"])
    return account.blank(
        "line_item",
        id=new_id("il_1"),
        invoice=invoice_id,
        amount=amount,
        subtotal=amount,
        currency=price["currency"],
        description=f"{item['quantity']} × {product['name']}",  # noqa: RUF001 - Stripe's own sign
        discountable=True,
        period={"start": start, "end": end},
        quantity=item["quantity"],
        parent=account.blank(
            "InvoiceLineItem.Parent",
            "stripe._invoice_line_item",
            type="subscription_item_details",
            subscription_item_details={
                "subscription": item["subscription"],
                "subscription_item": item["id"],
                "invoice_item": None,
                "proration": False,
                "proration_details": None,
            },
        ),
        pricing={
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
    )
