"""Invoices as the API offers them."""

from typing import Final

from booking_service.simulator import collecting, methods
from booking_service.simulator.account import Account
from booking_service.simulator.charging import Attempt
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import (
    Call,
    include,
    list_of,
    operation,
    page_of,
    retrieval,
)
from booking_service.simulator.store import field_is

_INVOICE = "/v1/invoices/{invoice}"
_BY_SUBSCRIPTION: Final = "json_extract(body, '$.parent.subscription_details.subscription') = ?"

retrieval(_INVOICE, "invoice")
retrieval("/v1/invoice_payments/{invoice_payment}", "invoice_payment")


@operation(
    "get",
    "/v1/invoices",
    "customer",
    "status",
    "subscription",
    "created",
    "limit",
    "starting_after",
    "ending_before",
)
def _list(call: Call) -> Json:
    names = [name for name in ("customer", "status") if call.get(name)]
    conditions = [field_is(name, call.get(name)) for name in names]
    if call.get("subscription"):
        conditions.append((_BY_SUBSCRIPTION, (call.get("subscription"),)))
    return page_of(call, "/v1/invoices", "invoice", conditions)


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


@include("invoice", "confirmation_secret")
def _secret_of(account: Account, invoice: Json) -> Json:
    secret = collecting.intent_of(account, invoice)["client_secret"]
    return {"client_secret": secret, "type": "payment_intent"}


@operation("post", f"{_INVOICE}/pay", "payment_method", "off_session")
def _pay(call: Call) -> Json:
    account, invoice = call.account, call.account.get("invoice", call.id)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoice = collecting.finalize(account, invoice)
    if invoice["status"] != "open":
        raise invalid(f"This invoice is {invoice['status']}.", code="invoice_not_open")
    method = methods.named(account, call.get("payment_method")) or collecting.method_of(
        account, invoice
    )
    return collecting.collect(
        account, invoice, Attempt(method, call.get("off_session", default=False))
    )


@operation("post", f"{_INVOICE}/finalize")
def _finalize_now(call: Call) -> Json:
    invoice = call.account.get("invoice", call.id)
    if invoice["status"] != "draft":
        raise invalid("This invoice is already finalized.", code="invoice_not_editable")
    return collecting.finalize(call.account, invoice)


@operation("post", f"{_INVOICE}/void")
def _void(call: Call) -> Json:
    invoice = call.account.get("invoice", call.id)
    if invoice["status"] != "open":
        raise invalid("Only an open invoice can be voided.", code="invoice_not_open")
    return collecting.void(call.account, invoice)
