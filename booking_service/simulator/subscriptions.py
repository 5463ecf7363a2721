"""Subscriptions as the API offers them."""

from typing import Final

from booking_service.simulator import customers, pausing, periods, prices, standing, starting
from booking_service.simulator.account import Account, merged_metadata
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import StripeError, invalid, not_simulated
from booking_service.simulator.operations import Call, operation, page_of, retrieval
from booking_service.simulator.starting import Order
from booking_service.simulator.store import field_is
from booking_service.simulator.testclocks import on_clock_of

_PATH = "/v1/subscriptions/{subscription_exposed_id}"
_LIST = ("customer", "status", "created", "limit", "starting_after", "ending_before")
_DAY: Final = 86_400

retrieval(_PATH, "subscription")


@operation("get", "/v1/subscriptions", *_LIST)
def _list(call: Call) -> Json:
    conditions = []
    if call.get("customer"):
        conditions.append(field_is("customer", call.get("customer")))
    status = call.get("status")
    if status is None:
        conditions.append(("json_extract(body, '$.status') != ?", ("canceled",)))
    elif status == "ended":
        over = ("json_extract(body, '$.status') IN (?, ?)", standing.ENDED)
        conditions.append(over)
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
    "cancel_at",
    "cancel_at_period_end",
    "billing_cycle_anchor",
    "proration_behavior",
    "trial_end",
    "trial_period_days",
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
    behaviour = call.get("payment_behavior", "allow_incomplete")
    if behaviour == "pending_if_incomplete":
        raise not_simulated("payment_behavior pending_if_incomplete")
    with on_clock_of(account, customer):
        order = Order(
            customer=customer["id"],
            items=[_ordered(account, at, item) for at, item in enumerate(items)],
            method=_card(call, customer, is_needed=behaviour != "default_incomplete"),
            metadata=merged_metadata({}, call.get("metadata")),
            description=call.get("description"),
            cancels_at_period_end=call.get("cancel_at_period_end", default=False),
            cancel_at=_moment(call, "cancel_at"),
            behaviour=behaviour,
            trial_end=_trial_end(call),
            anchor=_anchor(call),
            is_off_session=call.get("off_session", default=False),
        )
        return starting.start(account, order)


@operation(
    "post",
    _PATH,
    "cancel_at",
    "cancel_at_period_end",
    "default_payment_method",
    "description",
    "items.id",
    "items.price",
    "metadata",
    "pause_collection",
    "trial_end",
    "proration_behavior",
)
def _update(call: Call) -> Json:
    account, subscription = call.account, call.account.get("subscription", call.id)
    _refuse_ended(subscription)
    customer = account.get("customer", subscription["customer"])
    changes: Json = {}
    if "metadata" in call.params:
        changes["metadata"] = merged_metadata(subscription["metadata"], call.params["metadata"])
    if "description" in call.params:
        changes["description"] = call.get("description")
    if call.get("default_payment_method"):
        card = _card(call, customer, is_needed=True)
        changes["default_payment_method"] = card and card["id"]
    if "pause_collection" in call.params:
        changes["pause_collection"] = pausing.wanted(call)
    if call.get("items"):
        changes["items"] = periods.with_prices(account, subscription, _swapped(call))
    with on_clock_of(account, customer):
        changes |= _ending(call, subscription)
        account.change(subscription, standing.UPDATED, **changes)
        if call.get("trial_end"):
            starting.end_trial(account, subscription, _moment(call, "trial_end"))
    return account.get("subscription", subscription["id"])


def _swapped(call: Call) -> dict[str, Json]:
    """Return the prices that items are to have, by the items' ids."""
    if call.get("proration_behavior") != "none":
        raise not_simulated("another price with a proration_behavior other than none")
    wanted = {}
    for at, item in enumerate(call.get("items")):
        if not item.get("id") or not item.get("price"):
            raise not_simulated("items that are added or taken away")
        wanted[item["id"]] = recurring_price(call.account, item["price"], f"items[{at}][price]")
    return wanted


def _ending(call: Call, subscription: Json) -> Json:
    """Return what changes when a subscription is told to end later, or not to."""
    account, now = call.account, call.account.clock.now()
    if "cancel_at_period_end" in call.params:
        ends = call.params["cancel_at_period_end"]
        at = starting.period_end(subscription) if ends else None
    elif "cancel_at" in call.params:
        ends, at = False, _moment(call, "cancel_at")
        if at:
            account.after(at - account.clock.precise(), starting.PERIOD_ENDS, subscription["id"])
    else:
        return {}
    return {
        "cancel_at_period_end": ends,
        "cancel_at": at,
        "canceled_at": now if at else None,
        "cancellation_details": subscription["cancellation_details"]
        | {"reason": "cancellation_requested" if at else None},
    }


@operation("delete", _PATH, "cancellation_details.comment", "cancellation_details.feedback")
def _cancel(call: Call) -> Json:
    account = call.account
    subscription = account.get("subscription", call.id)
    _refuse_ended(subscription)
    said = call.get("cancellation_details", {})
    with on_clock_of(account, account.get("customer", subscription["customer"])):
        return standing.end(account, subscription, "cancellation_requested", **said)


def recurring_price(account: Account, price_id: str, param: str) -> Json:
    """Return a price that can be subscribed to.

    Raises:
        StripeError: there is none, it is not for sale any more, or it is paid only once.
    """
    price = account.get("price", price_id, param)
    prices.refuse_inactive(account, price, param)
    if price["type"] != "recurring":
        message = f"The price specified is set to `type=one_time`: {price_id}"
        raise invalid(message, param)
    return price


def _ordered(account: Account, index: int, item: Json) -> tuple[Json, int]:
    at = f"items[{index}][price]"
    if not item.get("price"):
        raise invalid(f"Missing required param: {at}.", "items", "parameter_missing")
    return recurring_price(account, item["price"], at), item.get("quantity", 1)


def _trial_end(call: Call) -> int | None:
    if days := call.get("trial_period_days"):
        return int(call.account.clock.now() + days * _DAY)
    return None if call.get("trial_end") == "now" else _moment(call, "trial_end")


def _anchor(call: Call) -> int | None:
    """Return when the paid periods begin to be counted; until then nothing is charged."""
    anchor = _moment(call, "billing_cycle_anchor")
    if anchor and call.get("proration_behavior") != "none":
        raise not_simulated("billing_cycle_anchor with a proration_behavior other than none")
    return anchor


def _moment(call: Call, name: str) -> int | None:
    """Return a parameter that is a moment to come, or None.

    Raises:
        StripeError: it has passed already.
    """
    at = call.get(name)
    if at is None or at == "now":
        return None
    if not isinstance(at, int):
        raise not_simulated(f"{name} other than a time")
    if at <= call.account.clock.now():
        raise invalid(f"`{name}` must be in the future.", name)
    return at


def _card(call: Call, customer: Json, *, is_needed: bool) -> Json | None:
    """Return the card to charge.

    Raises:
        StripeError: none is given though one is needed, or it is not saved on this customer.
    """
    settings = customer["invoice_settings"]
    method_id = call.get("default_payment_method") or settings["default_payment_method"]
    if method_id is None and not is_needed:
        return None
    if method_id is None:
        message = "This customer has no attached payment source or default payment method."
        raise invalid(message, code="resource_missing")
    method = call.account.get("payment_method", method_id, "default_payment_method")
    if method["customer"] != customer["id"]:
        message = f"The customer does not have a payment method with the ID {method_id}."
        raise invalid(message, "default_payment_method", "resource_missing")
    return method


def _refuse_ended(subscription: Json) -> None:
    if subscription["status"] in standing.ENDED:
        message = f"No such subscription: '{subscription['id']}'"
        raise StripeError(message, status=404, code="resource_missing", param="id")


def _end_all(account: Account, customer: Json) -> None:
    for subscription in account.store.all("subscription", customer=customer["id"]):
        if subscription["status"] not in standing.ENDED:
            standing.end(account, subscription, None)


customers.ENDED.append(_end_all)
