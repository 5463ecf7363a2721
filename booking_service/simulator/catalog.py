"""Products and prices."""

from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import (
    Call,
    operation,
    page_of,
    retrieval,
)
from booking_service.simulator.store import field_is

_RECURRING = ("recurring.interval", "recurring.interval_count")
_PRICE = ("currency", "unit_amount", "product", *_RECURRING)
_FILTERS = ("active", "product", "currency", "type")

retrieval("/v1/products/{id}", "product")
retrieval("/v1/prices/{price}", "price")


@operation(
    "get",
    "/v1/prices",
    *_FILTERS,
    "lookup_keys",
    "created",
    "limit",
    "starting_after",
    "ending_before",
)
def _list(call: Call) -> Json:
    conditions = [field_is(name, call.params[name]) for name in _FILTERS if name in call.params]
    if keys := call.get("lookup_keys"):
        marks = ", ".join("?" * len(keys))
        conditions.append((f"json_extract(body, '$.lookup_key') IN ({marks})", tuple(keys)))
    return page_of(call, "/v1/prices", "price", conditions)


@operation(
    "post",
    "/v1/prices",
    *_PRICE,
    "product_data.name",
    "product_data.metadata",
    "lookup_key",
    "nickname",
    "metadata",
    "active",
)
def _create(call: Call) -> Json:
    key = call.get("lookup_key")
    if key and call.account.store.all("price", lookup_key=key):
        message = f"A price (`{key}`) already uses that lookup key."
        raise invalid(message, "lookup_key", "resource_already_exists")
    price = price_from(call.account, call.params, "")
    price |= {
        "lookup_key": key,
        "nickname": call.get("nickname"),
        "metadata": merged_metadata({}, call.get("metadata")),
        "active": call.get("active", default=True),
    }
    call.account.save(price)
    call.account.emit("price.created", price)
    return price


def price_from(account: Account, data: Json, at: str) -> Json:
    """Make a price of `price_data` or of the parameters of a price; inline ones stay inactive.

    Raises:
        StripeError: it has no amount, or not exactly one product.
    """
    if data.get("unit_amount") is None:
        raise invalid(
            f"Missing required param: {at}unit_amount.", "unit_amount", "parameter_missing"
        )
    if data["unit_amount"] < 0:
        raise invalid(
            "Invalid non-negative integer", f"{at}unit_amount", "parameter_invalid_integer"
        )
    inline = data.get("product_data")
    if bool(inline) == bool(data.get("product")):
        raise invalid(
            "Specify one of: product, product_data", f"{at}product", "parameters_exclusive"
        )
    product = _product(account, inline) if inline else account.get("product", data["product"])
    recurring = data.get("recurring")
    return account.new(
        "price",
        new_id("price_1"),
        active=False,
        billing_scheme="per_unit",
        currency=data["currency"],
        product=product["id"],
        recurring=_recurring(account, recurring) if recurring else None,
        tax_behavior="unspecified",
        type="recurring" if recurring else "one_time",
        unit_amount=data["unit_amount"],
        unit_amount_decimal=str(data["unit_amount"]),
    )


def _product(account: Account, data: Json) -> Json:
    product = account.new(
        "product",
        new_id("prod", 14),
        active=True,
        name=data["name"],
        description=data.get("description"),
        metadata=merged_metadata({}, data.get("metadata")),
        type="service",
        updated=account.clock.now(),
    )
    account.emit("product.created", product)
    return product


def _recurring(account: Account, data: Json) -> Json:
    return account.blank(
        "Price.Recurring",
        "stripe._price",
        interval=data["interval"],
        interval_count=data.get("interval_count", 1),
        usage_type="licensed",
    )
