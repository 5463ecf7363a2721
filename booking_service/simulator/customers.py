"""Customers."""

from collections.abc import Callable

from booking_service.simulator import methods
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval

_SETTABLE = ("email", "name", "phone", "description")
_DEFAULT = "invoice_settings.default_payment_method"
_CUSTOMER = "/v1/customers/{customer}"
ENDED: list[Callable[[Account, Json], None]] = []  # who must hear that a customer is deleted

listing("/v1/customers", "customer", "email", "test_clock")
retrieval(_CUSTOMER, "customer")


@operation(
    "post", "/v1/customers", *_SETTABLE, "metadata", "payment_method", "test_clock", _DEFAULT
)
def _create(call: Call) -> Json:
    account, clock = call.account, call.get("test_clock")
    if clock:
        account.get("test_helpers.test_clock", clock, "test_clock")
    facts = {name: call.get(name) for name in _SETTABLE}
    customer = create(account, merged_metadata({}, call.get("metadata")), clock, **facts)
    if method := methods.named(account, call.get("payment_method")):
        methods.attach(account, method, customer["id"])
    if settings := call.get("invoice_settings"):
        account.change(customer, "customer.updated", **_with_default(account, customer, settings))
    return customer


@operation("post", _CUSTOMER, *_SETTABLE, "metadata", _DEFAULT)
def _update(call: Call) -> Json:
    customer = call.account.get("customer", call.id)
    changes = {name: call.get(name) for name in _SETTABLE if name in call.params}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(customer["metadata"], call.params["metadata"])
    if settings := call.get("invoice_settings"):
        changes |= _with_default(call.account, customer, settings)
    return call.account.change(customer, "customer.updated", **changes)


@operation("delete", _CUSTOMER)
def _delete(call: Call) -> Json:
    return delete(call.account, call.account.get("customer", call.id))


def create(
    account: Account,
    metadata: dict[str, str] | None = None,
    test_clock: str | None = None,
    **facts: str | None,
) -> Json:
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
        test_clock=test_clock,
    )
    account.emit("customer.created", customer)
    return customer


def delete(account: Account, customer: Json) -> Json:
    """Forget a customer, and end what they subscribed to."""
    for ended in ENDED:
        ended(account, customer)
    account.emit("customer.deleted", customer)
    account.store.delete(customer["id"])
    return {"id": customer["id"], "object": "customer", "deleted": True}


def _with_default(account: Account, customer: Json, settings: Json) -> Json:
    """Return the change of the card that is charged when no other is named.

    Raises:
        StripeError: the card is not saved on this customer.
    """
    wanted = settings.get("default_payment_method") or None
    if wanted and account.get("payment_method", wanted)["customer"] != customer["id"]:
        message = f"The customer does not have a payment method with the ID {wanted}."
        raise invalid(message, _DEFAULT, "resource_missing")
    changed = customer["invoice_settings"] | {"default_payment_method": wanted}
    return {"invoice_settings": changed}
