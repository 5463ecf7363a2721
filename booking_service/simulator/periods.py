"""The items of a subscription, and the period each of them has been paid for."""

import calendar
from datetime import UTC, datetime, timedelta

from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid, not_simulated


def item(
    account: Account, subscription_id: str, price: Json, quantity: int, end: int | None = None
) -> Json:
    """Make a subscription's item, whose first period begins now and lasts as the price says.

    `end` shortens it: a trial's end, or the moment later periods are counted from.
    """
    now = account.clock.now()
    return account.new(
        "subscription_item",
        new_id("si", 14),
        subscription=subscription_id,
        price=price,
        plan=_plan(account, price),
        quantity=quantity,
        current_period_start=now,
        current_period_end=end or one_period_after(now, price["recurring"]),
    )


def with_prices(account: Account, subscription: Json, wanted: dict[str, Json]) -> Json:
    """Give items other prices, which hold from the next period on; return the list of items.

    Raises:
        StripeError: an item is none of the subscription's, or its period would be another.
    """
    known = {one["id"]: one for one in subscription["items"]["data"]}
    for id_, price in wanted.items():
        if id_ not in known:
            raise invalid(f"No such subscription item: '{id_}'", "items", "resource_missing")
        if _length(known[id_]["price"]) != _length(price):
            raise not_simulated("a price with another interval")
        changed = known[id_] | {"price": price, "plan": _plan(account, price)}
        known[id_] = account.save(changed)
    items: Json = subscription["items"] | {"data": list(known.values())}
    return items


def _length(price: Json) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def _plan(account: Account, price: Json) -> Json:
    """Return the older form of a price, which an item still has beside it."""
    recurring = price["recurring"]
    return account.blank(
        "Plan",
        "stripe._plan",
        id=price["id"],
        active=price["active"],
        amount=price["unit_amount"],
        amount_decimal=price["unit_amount_decimal"],
        billing_scheme="per_unit",
        created=price["created"],
        currency=price["currency"],
        interval=recurring["interval"],
        interval_count=recurring["interval_count"],
        metadata=price["metadata"],
        product=price["product"],
        usage_type="licensed",
    )


def next_end(start: int, recurring: Json, anchor: int) -> int:
    """Return the end of the period from `start`, counted from an anchor: Jan 31, Feb 28, Mar 31."""
    periods, end = 1, one_period_after(anchor, recurring)
    while end <= start:
        periods += 1
        end = one_period_after(anchor, recurring, periods)
    return end


def one_period_after(start: int, recurring: Json, periods: int = 1) -> int:
    """Return the end of one period or of several; a month that lacks the day ends on its last."""
    count, at = recurring["interval_count"] * periods, datetime.fromtimestamp(start, UTC)
    if recurring["interval"] in {"day", "week"}:
        days = count * (7 if recurring["interval"] == "week" else 1)
        return int((at + timedelta(days=days)).timestamp())
    months = at.month - 1 + count * (12 if recurring["interval"] == "year" else 1)
    year, month = at.year + months // 12, months % 12 + 1
    day = min(at.day, calendar.monthrange(year, month)[1])
    return int(at.replace(year=year, month=month, day=day).timestamp())
