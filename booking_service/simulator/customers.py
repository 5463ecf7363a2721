"""Customers and the cards saved on them."""

from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.cards import Entered
from booking_service.simulator.checks import Json
from booking_service.simulator.operations import (
    Call,
    listing,
    operation,
    page_of,
    retrieval,
)
from booking_service.simulator.store import field_is

_SETTABLE = ("email", "name", "phone", "description")
_CUSTOMER = "/v1/customers/{customer}"

listing("/v1/customers", "customer", "email")
retrieval(_CUSTOMER, "customer")
retrieval("/v1/payment_methods/{payment_method}", "payment_method")


@operation("post", "/v1/customers", *_SETTABLE, "metadata")
def _create(call: Call) -> Json:
    facts = {name: call.get(name) for name in _SETTABLE}
    return create(call.account, merged_metadata({}, call.get("metadata")), **facts)


@operation("post", _CUSTOMER, *_SETTABLE, "metadata")
def _update(call: Call) -> Json:
    customer = call.account.get("customer", call.id)
    changes = {name: call.get(name) for name in _SETTABLE if name in call.params}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(customer["metadata"], call.params["metadata"])
    return call.account.change(customer, "customer.updated", **changes)


@operation(
    "get", f"{_CUSTOMER}/payment_methods", "type", "limit", "starting_after", "ending_before"
)
def _payment_methods(call: Call) -> Json:
    call.account.get("customer", call.id)
    conditions = [field_is("customer", call.id)]
    if call.get("type"):
        conditions.append(field_is("type", call.get("type")))
    url = f"/v1/customers/{call.id}/payment_methods"
    return page_of(call, url, "payment_method", conditions)


def create(account: Account, metadata: dict[str, str] | None = None, **facts: str | None) -> Json:
    """Make a customer."""
    customer = account.new(
        "customer",
        new_id("cus", 14),
        **facts,
        metadata=metadata or {},
        balance=0,
        delinquent=False,
        invoice_prefix=new_id("inv", 8)[4:].upper(),
        invoice_settings=account.blank("Customer.InvoiceSettings", "stripe._customer"),
        next_invoice_sequence=1,
        preferred_locales=[],
        tax_exempt="none",
    )
    account.emit("customer.created", customer)
    return customer


def card_method(account: Account, card: Entered, name: str | None, email: str | None) -> Json:
    """Make a payment method of a card that was just entered, not saved on anybody yet."""
    method = account.blank("payment_method", id=new_id("pm_1"), created=account.clock.now())
    method = {
        key: value for key, value in method.items() if value is not None
    }  # other types' parts
    method |= {
        "type": "card",
        "customer": None,
        "allow_redisplay": "limited",
        "billing_details": account.blank(
            "PaymentMethod.BillingDetails", "stripe._payment_method", name=name, email=email
        ),
        "card": account.blank(
            "PaymentMethod.Card",
            "stripe._payment_method",
            brand=card.card.brand,
            display_brand=card.card.brand,
            last4=card.card.last4,
            exp_month=card.exp_month,
            exp_year=card.exp_year,
            funding="credit",
            country="US",
            fingerprint=f"simulated{card.card.last4}",
        ),
        "metadata": {},
    }
    return account.save(method)


def attach(account: Account, method: Json, customer_id: str) -> None:
    """Save a card on a customer."""
    method["customer"] = customer_id
    account.save(method)
    account.emit("payment_method.attached", method)
