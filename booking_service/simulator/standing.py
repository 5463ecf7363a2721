"""Whether a subscription is in good standing: paid for, past due, ended."""

from typing import Final

from booking_service.simulator.account import Account
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import HOUR

LAPSES_AFTER: Final = 23 * HOUR  # seconds an unpaid first invoice may stay so
UPDATED: Final = "customer.subscription.updated"
ENDED: Final = ("canceled", "incomplete_expired")


def paid(account: Account, subscription_id: str) -> None:
    """Put a subscription right whose invoice was paid."""
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in {"incomplete", "past_due", "unpaid"}:
        account.change(subscription, UPDATED, status="active")


def unpaid(account: Account, subscription_id: str) -> None:
    """Mark a running subscription whose invoice could not be paid."""
    subscription = account.get("subscription", subscription_id)
    if subscription["status"] in {"active", "trialing"}:
        account.change(subscription, UPDATED, status="past_due")


def end(account: Account, subscription: Json, reason: str | None, **details: str | None) -> Json:
    """End a subscription now; `reason` is Stripe's word for why, `details` what its holder said."""
    now = account.clock.now()
    said = {"reason": reason} | {name: text for name, text in details.items() if text}
    return account.change(
        subscription,
        "customer.subscription.deleted",
        status="canceled",
        canceled_at=subscription["canceled_at"] or now,
        ended_at=now,
        cancellation_details=subscription["cancellation_details"] | said,
    )
