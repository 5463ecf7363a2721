"""How an invoice of a subscription is written, line by line."""

from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.operations import list_of


def draft(account: Account, subscription: Json, reason: str, *, is_free: bool = False) -> Json:
    """Write the invoice of the current period of a subscription; a free one is for nothing."""
    id_, now = new_id("in_1"), account.clock.now()
    items = subscription["items"]["data"]
    lines = [_line(account, id_, item, is_free=is_free) for item in items]
    total = sum(line["amount"] for line in lines)
    customer = account.get("customer", subscription["customer"])
    invoice = account.new(
        "invoice",
        id_,
        auto_advance=True,
        customer=customer["id"],
        customer_email=customer["email"],
        customer_name=customer["name"],
        currency=subscription["currency"],
        billing_reason=reason,
        collection_method="charge_automatically",
        issuer=account.blank("Invoice.Issuer", "stripe._invoice", type="self"),
        lines=list_of(lines, f"/v1/invoices/{id_}/lines"),
        parent=_parent(account, subscription),
        period_start=now,
        period_end=now,
        status="draft",
        amount_due=total,
        amount_remaining=total,
        subtotal=total,
        total=total,
        metadata={},
        test_clock=customer["test_clock"],
    )
    del invoice["confirmation_secret"]  # only sent when it is expanded
    account.save(invoice)
    account.emit("invoice.created", invoice)
    return invoice


def number_of(account: Account, customer_id: str) -> str:
    """Return the next number of a customer's invoices, and count it as used."""
    customer = account.get("customer", customer_id)
    number = customer["next_invoice_sequence"]
    account.save(customer | {"next_invoice_sequence": number + 1})
    return f"{customer['invoice_prefix']}-{number:04}"


def subscription_of(invoice: Json) -> str:
    """Return the subscription an invoice is for."""
    id_: str = invoice["parent"]["subscription_details"]["subscription"]
    return id_


def _parent(account: Account, subscription: Json) -> Json:
    details = {"subscription": subscription["id"], "metadata": subscription["metadata"]}
    return account.blank(
        "Invoice.Parent",
        "stripe._invoice",
        type="subscription_details",
        subscription_details=details,
    )


def _line(account: Account, invoice_id: str, item: Json, *, is_free: bool) -> Json:
    price = item["price"]
    start, end = item["current_period_start"], item["current_period_end"]
    amount = 0 if is_free else price["unit_amount"] * item["quantity"]
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
