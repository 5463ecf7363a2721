"""The life of a subscription: its start, its periods, its end."""

from dataclasses import dataclass, field
from typing import Final

from booking_service.simulator import billing, collecting, pausing, periods, standing
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.charging import Attempt
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY, HOUR
from booking_service.simulator.errors import StripeError
from booking_service.simulator.operations import list_of
from booking_service.simulator.timers import timer

PERIOD_ENDS: Final = "subscription.period_ends"
_LAPSES: Final = "subscription.lapses"
_WARNING: Final = 3 * DAY  # seconds before a trial ends
_DRAFT_FOR: Final = HOUR  # seconds until the invoice of a renewal becomes final


@dataclass(frozen=True)
class Order:
    """Who subscribes to what, how it is paid, and when it begins to cost and ends."""

    customer: str
    items: list[tuple[Json, int]]  # price and quantity
    method: Json | None
    metadata: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    cancels_at_period_end: bool = False
    cancel_at: int | None = None
    behaviour: str = "error_if_incomplete"
    trial_end: int | None = None
    anchor: int | None = None
    is_off_session: bool = False
    is_authenticated: bool = False


def start(account: Account, order: Order) -> Json:
    """Start a subscription with its first invoice, paid or not as `behaviour` allows.

    Raises:
        StripeError: 402, the card is declined and that must leave nothing behind.
    """
    subscription = _new(account, order)
    is_free = bool(order.trial_end or order.anchor)
    reason = "subscription_create"
    invoice = collecting.finalize(
        account, billing.draft(account, subscription, reason, is_free=is_free)
    )
    subscription["latest_invoice"] = invoice["id"]
    account.save(subscription)
    if invoice["status"] != "paid":
        _pay_first(account, invoice, order)
    subscription = account.get("subscription", subscription["id"])
    if invoice["status"] != "paid" and subscription["status"] == "active":
        subscription["status"] = "incomplete"
        account.save(subscription)
        account.after(standing.LAPSES_AFTER, _LAPSES, subscription["id"])
    account.emit("customer.subscription.created", subscription)
    _plan(account, subscription)
    return subscription


def end_trial(account: Account, subscription: Json, at: int | None) -> None:
    """Move the end of a trial, to now when no time is given."""
    if subscription["status"] != "trialing":
        return
    end = at or account.clock.now()
    for item in subscription["items"]["data"]:
        item["current_period_end"] = end
    fields = {"trial_end": end, "billing_cycle_anchor": end, "items": subscription["items"]}
    account.change(subscription, standing.UPDATED, **fields)
    if at is None:
        _turn(account, subscription)
    else:
        _plan(account, subscription)


def period_end(subscription: Json) -> int:
    """Return when the period that is paid for ends."""
    end: int = min(item["current_period_end"] for item in subscription["items"]["data"])
    return end


def _new(account: Account, order: Order) -> Json:
    id_, now = new_id("sub_1"), account.clock.now()
    first_end = order.trial_end or order.anchor
    items = [periods.item(account, id_, *ordered, first_end) for ordered in order.items]
    ends = items[0]["current_period_end"] if order.cancels_at_period_end else order.cancel_at
    return account.new(
        "subscription",
        id_,
        customer=order.customer,
        currency=items[0]["price"]["currency"],
        billing_cycle_anchor=first_end or now,
        billing_mode=account.blank(
            "Subscription.BillingMode", "stripe._subscription", type="flexible"
        ),
        cancellation_details=account.blank(
            "Subscription.CancellationDetails", "stripe._subscription"
        ),
        cancel_at=ends,
        cancel_at_period_end=order.cancels_at_period_end,
        collection_method="charge_automatically",
        default_payment_method=order.method and order.method["id"],
        description=order.description,
        invoice_settings={"issuer": {"type": "self"}, "account_tax_ids": None},
        items=list_of(items, f"/v1/subscription_items?subscription={id_}"),
        metadata=order.metadata,
        start_date=now,
        status="trialing" if order.trial_end else "active",
        test_clock=account.clock.line or None,
        trial_start=now if order.trial_end else None,
        trial_end=order.trial_end,
    )


def _pay_first(account: Account, invoice: Json, order: Order) -> None:
    """Charge the first invoice, as far as `behaviour` wants that.

    Raises:
        StripeError: 402, as it must leave nothing behind.
    """
    method = order.method
    if order.behaviour == "default_incomplete" or method is None:
        intent = collecting.intent_of(account, invoice)
        if method:
            intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
        account.save(intent)
        return
    attempt = Attempt(method, order.is_off_session, order.is_authenticated)
    try:
        collecting.collect(account, invoice, attempt)
    except StripeError as refusal:
        if order.behaviour == "error_if_incomplete":
            refusal.keeps_work = False
            refusal.about = {}
            raise
    if invoice["status"] != "paid" and order.behaviour == "error_if_incomplete":
        message = "Payment for this subscription requires additional user action before it can be "
        message += "completed successfully."
        code = "subscription_payment_intent_requires_action"
        raise StripeError(message, status=402, type_="card_error", code=code)


def _plan(account: Account, subscription: Json) -> None:
    """Set the timers of a subscription's current period."""
    id_, now, end = subscription["id"], account.clock.precise(), period_end(subscription)
    account.after(end - now, PERIOD_ENDS, id_)
    if subscription["cancel_at"] and subscription["cancel_at"] < end:
        account.after(subscription["cancel_at"] - now, PERIOD_ENDS, id_)
    if subscription["status"] == "trialing":
        account.after(max(end - now - _WARNING, 0), "subscription.trial_ends_soon", id_)


@timer(PERIOD_ENDS)
def _turn_in_time(account: Account, subscription_id: str) -> None:
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in {"active", "past_due", "trialing"}:
        now, cancel_at = account.clock.now(), subscription["cancel_at"]
        if cancel_at and cancel_at <= now:
            standing.end(account, subscription, "cancellation_requested")
        elif period_end(subscription) <= now:
            _turn(account, subscription)


def _turn(account: Account, subscription: Json) -> None:
    """Begin the next period, and draft its invoice."""
    anchor = subscription["billing_cycle_anchor"]
    for item in subscription["items"]["data"]:
        start = item["current_period_end"]
        item |= {
            "current_period_start": start,
            "current_period_end": periods.next_end(start, item["price"]["recurring"], anchor),
        }
        account.save(item)
    status = "active" if subscription["status"] == "trialing" else subscription["status"]
    invoice = billing.draft(account, subscription, "subscription_cycle")
    account.change(
        subscription,
        standing.UPDATED,
        items=subscription["items"],
        latest_invoice=invoice["id"],
        status=status,
    )
    if subscription["pause_collection"]:
        pausing.void(account, invoice)
    else:
        account.after(_DRAFT_FOR, collecting.FINALIZES, invoice["id"])
    _plan(account, subscription)


@timer("subscription.trial_ends_soon")
def _warn(account: Account, subscription_id: str) -> None:
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] == "trialing":
        account.emit("customer.subscription.trial_will_end", subscription)


@timer(_LAPSES)
def _lapse(account: Account, subscription_id: str) -> None:
    """Give up a subscription whose first invoice was not paid within a day."""
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] == "incomplete":
        now = account.clock.now()
        fields = {"status": "incomplete_expired", "ended_at": now, "canceled_at": now}
        account.change(subscription, standing.UPDATED, **fields)
        collecting.void(account, account.get("invoice", subscription["latest_invoice"]))
