"""Products."""

from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, missing
from booking_service.simulator.operations import Call, operation, page_of, retrieval
from booking_service.simulator.store import Condition, field_is

_PRODUCTS = "/v1/products"
_PRODUCT = f"{_PRODUCTS}/{{id}}"
_TEXTS = ("description", "statement_descriptor", "unit_label", "url")
_PAGE = ("created", "limit", "starting_after", "ending_before")

retrieval(_PRODUCT, "product")


@operation("get", _PRODUCTS, "active", "ids", "url", *_PAGE)
def _list(call: Call) -> Json:
    conditions: list[Condition] = [
        field_is(name, call.params[name]) for name in ("active", "url") if name in call.params
    ]
    if ids := call.get("ids"):
        conditions.append((f"id IN ({', '.join('?' * len(ids))})", tuple(ids)))
    return page_of(call, _PRODUCTS, "product", conditions)


@operation("post", _PRODUCTS, "id", "name", "active", "metadata", *_TEXTS)
def _create(call: Call) -> Json:
    if call.get("id") and call.account.store.find(call.get("id")):
        raise invalid("Product already exists.", "id", "resource_already_exists")
    return make(call.account, call.params)


def make(account: Account, facts: Json) -> Json:
    """Make a product, of a request of its own or of the `product_data` of a price."""
    product = account.new(
        "product",
        facts.get("id") or new_id("prod", 14),
        active=facts.get("active", True),
        metadata=merged_metadata({}, facts.get("metadata")),
        name=facts["name"],
        type="service",
        updated=account.clock.now(),
        **{name: facts.get(name) or None for name in _TEXTS},
    )
    account.emit("product.created", product)
    return product


@operation("post", _PRODUCT, "name", "active", "metadata", "default_price", *_TEXTS)
def _update(call: Call) -> Json:
    account, product = call.account, call.account.get("product", call.id)
    changes: Json = {name: call.get(name) for name in _TEXTS if name in call.params}
    changes |= {name: call.params[name] for name in ("name", "active") if name in call.params}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(product["metadata"], call.params["metadata"])
    if price := call.get("default_price"):
        changes["default_price"] = _default(account, product, price)
    if any(product[name] != value for name, value in changes.items()):
        changes["updated"] = account.clock.now()
    return account.change(product, "product.updated", **changes)


def _default(account: Account, product: Json, price_id: str) -> str:
    """Return the price that a product costs when nobody names another.

    Raises:
        StripeError: it is no price of this product, or cannot be bought any more.
    """
    price = account.store.find(price_id, "price")
    if price is None:
        raise missing("price", price_id, "default_price")
    if price["product"] != product["id"]:
        message = f"The price {price_id} does not belong to the product {product['id']}."
        raise invalid(message, "default_price")
    if not price["active"]:
        raise inactive("default_price")
    return price_id


def inactive(param: str) -> StripeError:
    """Return the refusal of a price that is not for sale any more."""
    message = "The price specified is inactive. This field only accepts active prices."
    return invalid(message, param)
