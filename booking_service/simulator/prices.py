"""Prices."""

from booking_service.simulator import products
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

_PRICES = "/v1/prices"
_PRICE = f"{_PRICES}/{{price}}"
_RECURRING = ("recurring.interval", "recurring.interval_count")
_AMOUNT = ("currency", "unit_amount", "product", *_RECURRING)
_SETTABLE = ("active", "lookup_key", "metadata", "nickname", "transfer_lookup_key")
_FILTERS = ("active", "product", "currency", "type")
_PAGE = ("created", "limit", "starting_after", "ending_before")

retrieval(_PRICE, "price")


@operation("get", _PRICES, *_FILTERS, "lookup_keys", *_PAGE)
def _list(call: Call) -> Json:
    conditions = [field_is(name, call.params[name]) for name in _FILTERS if name in call.params]
    if keys := call.get("lookup_keys"):
        marks = ", ".join("?" * len(keys))
        conditions.append((f"json_extract(body, '$.lookup_key') IN ({marks})", tuple(keys)))
    return page_of(call, _PRICES, "price", conditions)


@operation("post", _PRICES, *_AMOUNT, *_SETTABLE, "product_data.name", "product_data.metadata")
def _create(call: Call) -> Json:
    _free_lookup_key(call, "")
    price = price_from(call.account, call.params, "")
    price |= {
        "lookup_key": call.get("lookup_key"),
        "nickname": call.get("nickname"),
        "metadata": merged_metadata({}, call.get("metadata")),
        "active": call.get("active", default=True),
    }
    call.account.save(price)
    call.account.emit("price.created", price)
    return price


@operation("post", _PRICE, *_SETTABLE)
def _update(call: Call) -> Json:
    account, price = call.account, call.account.get("price", call.id)
    names = ("active", "lookup_key", "nickname")
    changes = {name: call.params[name] for name in names if name in call.params}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(price["metadata"], call.params["metadata"])
    if changes.get("active") is False:
        product = account.get("product", price["product"])
        if product["default_price"] == price["id"]:
            message = "This price cannot be archived because it is the default price of its "
            raise invalid(f"{message}product.")
    _free_lookup_key(call, price["id"])
    return account.change(price, "price.updated", **changes)


def _free_lookup_key(call: Call, price_id: str) -> None:
    """Let a price have the lookup key it is to get: every key has one price, active or not.

    Raises:
        StripeError: another has it, and it is not to be taken away from that.
    """
    key = call.get("lookup_key")
    for holder in call.account.store.all("price", lookup_key=key) if key else []:
        if holder["id"] == price_id:
            continue
        if not call.get("transfer_lookup_key", default=False):
            message = f"A price (`{holder['id']}`) already uses that lookup key."
            raise invalid(message, "lookup_key")
        call.account.change(holder, "price.updated", lookup_key=None)


def refuse_inactive(account: Account, price: Json, param: str) -> None:
    """Sell only what is for sale.

    Raises:
        StripeError: the price was archived, or its product.
    """
    if not price["active"]:
        raise products.inactive(param)
    if not account.get("product", price["product"])["active"]:
        message = f"Price `{price['id']}` is not available to be purchased because its product is "
        raise invalid(f"{message}not active.", param)


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
    product = products.make(account, inline) if inline else account.get("product", data["product"])
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


def _recurring(account: Account, data: Json) -> Json:
    return account.blank(
        "Price.Recurring",
        "stripe._price",
        interval=data["interval"],
        interval_count=data.get("interval_count", 1),
        usage_type="licensed",
    )
