"""The items of a subscription, and the period each of them has been paid for."""

import calendar
from datetime import UTC, datetime, timedelta

from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json


def item(
    account: Account, subscription_id: str, price: Json, quantity: int, end: int | None = None
) -> Json:
    """Make a subscription's item, whose first period begins now and lasts as the price says.

    `end` shortens it: a trial's end, or the moment later periods are counted from.
    """
    now = account.clock.now()
    recurring = price["recurring"]
    plan = account.blank(
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
    return account.new(
        "subscription_item",
        new_id("si", 14),
        subscription=subscription_id,
        price=price,
        plan=plan,
        quantity=quantity,
        current_period_start=now,
        current_period_end=end or one_period_after(now, recurring),
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
