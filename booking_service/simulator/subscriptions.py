"""Subscriptions: started with a paid first invoice, changed, ended."""

from dataclasses import dataclass, field

from booking_service.simulator import invoices, periods
from booking_service.simulator.account import Account, merged_metadata, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, not_simulated
from booking_service.simulator.operations import (
    Call,
    list_of,
    operation,
    page_of,
    retrieval,
)
from booking_service.simulator.store import field_is

_PATH = "/v1/subscriptions/{subscription_exposed_id}"
_LIST = ("customer", "status", "created", "limit", "starting_after", "ending_before")

retrieval(_PATH, "subscription")


@dataclass(frozen=True)
class Order:
    """Who subscribes to what, and with which card."""

    customer: str
    items: list[tuple[Json, int]]  # price and quantity
    method: Json
    metadata: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    cancels_at_period_end: bool = False
    is_off_session: bool = False


@operation("get", "/v1/subscriptions", *_LIST)
def _list(call: Call) -> Json:
    conditions = []
    if call.get("customer"):
        conditions.append(field_is("customer", call.get("customer")))
    status = call.get("status")
    if status is None:
        conditions.append(("json_extract(body, '$.status') != ?", ("canceled",)))
    elif status == "ended":
        conditions.append(field_is("status", "canceled"))
    elif status != "all":
        conditions.append(field_is("status", status))
    return page_of(call, "/v1/subscriptions", "subscription", conditions)


@operation(
    "post",
    "/v1/subscriptions",
    "customer",
    "items.price",
    "items.quantity",
    "default_payment_method",
    "off_session",
    "payment_behavior",
    "collection_method",
    "cancel_at_period_end",
    "description",
    "metadata",
)
def _create(call: Call) -> Json:
    account, customer_id = call.account, call.get("customer")
    if customer_id is None:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    customer = account.get("customer", customer_id, "customer")
    items = call.get("items", [])
    if not items:
        raise invalid("Missing required param: items.", "items", "parameter_missing")
    if call.get("collection_method", "charge_automatically") != "charge_automatically":
        raise not_simulated("collection_method other than charge_automatically")
    order = Order(
        customer=customer["id"],
        items=[_ordered(account, item) for item in items],
        method=_card(call, customer),
        metadata=merged_metadata({}, call.get("metadata")),
        description=call.get("description"),
        cancels_at_period_end=call.get("cancel_at_period_end", default=False),
        is_off_session=call.get("off_session", default=False),
    )
    try:
        return start(account, order)
    except StripeError as refusal:
        behaviour = call.get("payment_behavior")
        if refusal.fields["type"] == "card_error" and behaviour != "error_if_incomplete":
            raise not_simulated(
                "a declined card with a payment_behavior other than error_if_incomplete"
            ) from refusal
        raise


@operation(
    "post", _PATH, "cancel_at_period_end", "default_payment_method", "description", "metadata"
)
def _update(call: Call) -> Json:
    subscription = call.account.get("subscription", call.id)
    _refuse_ended(subscription)
    changes: Json = {}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(subscription["metadata"], call.params["metadata"])
    if "description" in call.params:
        changes["description"] = call.get("description")
    if call.get("default_payment_method"):
        customer = call.account.get("customer", subscription["customer"])
        changes["default_payment_method"] = _card(call, customer)["id"]
    if "cancel_at_period_end" in call.params:
        ends = call.params["cancel_at_period_end"]
        changes["cancel_at_period_end"] = ends
        changes["cancel_at"] = _period_end(subscription) if ends else None
        changes["canceled_at"] = call.account.clock.now() if ends else None
    return call.account.change(subscription, "customer.subscription.updated", **changes)


@operation("delete", _PATH)
def _cancel(call: Call) -> Json:
    account = call.account
    subscription = account.get("subscription", call.id)
    _refuse_ended(subscription)
    now = account.clock.now()
    details = subscription["cancellation_details"] | {"reason": "cancellation_requested"}
    subscription |= {
        "status": "canceled",
        "canceled_at": now,
        "ended_at": now,
        "cancellation_details": details,
    }
    account.save(subscription)
    account.emit("customer.subscription.deleted", subscription)
    return subscription


def start(account: Account, order: Order) -> Json:
    """Start a subscription whose first invoice is paid.

    Raises:
        StripeError: 402, the card is declined; nothing is kept.
    """
    id_, now = new_id("sub_1"), account.clock.now()
    items = [periods.item(account, id_, price, quantity) for price, quantity in order.items]
    subscription = account.new(
        "subscription",
        id_,
        customer=order.customer,
        currency=items[0]["price"]["currency"],
        billing_cycle_anchor=now,
        billing_mode=account.blank(
            "Subscription.BillingMode", "stripe._subscription", type="flexible"
        ),
        cancellation_details=account.blank(
            "Subscription.CancellationDetails", "stripe._subscription"
        ),
        cancel_at=items[0]["current_period_end"] if order.cancels_at_period_end else None,
        cancel_at_period_end=order.cancels_at_period_end,
        collection_method="charge_automatically",
        default_payment_method=order.method["id"],
        description=order.description,
        invoice_settings={"issuer": {"type": "self"}, "account_tax_ids": None},
        items=list_of(items, f"/v1/subscription_items?subscription={id_}"),
        metadata=order.metadata,
        start_date=now,
        status="active",
    )
    invoice = invoices.bill(
        account, subscription, order.method, is_off_session=order.is_off_session
    )
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription)
    account.emit("customer.subscription.created", subscription)
    return subscription


def recurring_price(account: Account, price_id: str, param: str) -> Json:
    """Return a price that can be subscribed to.

    Raises:
        StripeError: there is none, or it is paid only once.
    """
    price = account.get("price", price_id, param)
    if price["type"] != "recurring":
        message = f"The price specified is set to `type=one_time`: {price_id}"
        raise invalid(message, param)
    return price


def _ordered(account: Account, item: Json) -> tuple[Json, int]:
    if not item.get("price"):
        raise invalid("Missing required param: items[0][price].", "items", "parameter_missing")
    return recurring_price(account, item["price"], "items[0][price]"), item.get("quantity", 1)


def _card(call: Call, customer: Json) -> Json:
    """Return the card to charge.

    Raises:
        StripeError: none is given, or it is not saved on this customer.
    """
    settings = customer["invoice_settings"]
    method_id = call.get("default_payment_method") or settings["default_payment_method"]
    if method_id is None:
        message = "This customer has no attached payment source or default payment method."
        raise invalid(message, code="resource_missing")
    method = call.account.get("payment_method", method_id, "default_payment_method")
    if method["customer"] != customer["id"]:
        message = f"The customer does not have a payment method with the ID {method_id}."
        raise invalid(message, "default_payment_method", "resource_missing")
    return method


def _refuse_ended(subscription: Json) -> None:
    if subscription["status"] == "canceled":
        message = f"No such subscription: '{subscription['id']}'"
        raise StripeError(message, status=404, code="resource_missing", param="id")


def _period_end(subscription: Json) -> int:
    end: int = min(item["current_period_end"] for item in subscription["items"]["data"])
    return end
