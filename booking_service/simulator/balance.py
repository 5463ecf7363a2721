"""The account's balance and every movement of it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.operations import Call, listing, operation, retrieval

_SETTLING_DAYS: Final = 2  # until the money of a charge may be used

listing("/v1/balance_transactions", "balance_transaction", "type", "source", "currency")
retrieval("/v1/balance_transactions/{id}", "balance_transaction")


def move(account: Account, type_: str, source: Json, amount: int, description: str | None) -> Json:
    """Book a movement of `amount` cents, negative for money that leaves; only charges cost fees."""
    now = account.clock.now()
    is_charge = type_ == "charge"
    fee = _fee(account, amount) if is_charge else 0
    return account.new(
        "balance_transaction",
        new_id("txn_3"),
        type=type_,
        reporting_category=type_,
        balance_type="payments",
        source=source["id"],
        amount=amount,
        fee=fee,
        net=amount - fee,
        fee_details=_fee_details(account, fee, source["currency"]) if is_charge else [],
        currency=source["currency"],
        description=description,
        available_on=now + _SETTLING_DAYS * DAY if is_charge else now,
        status="pending" if is_charge else "available",
    )


def _fee(account: Account, amount: int) -> int:
    share = Decimal(amount) * account.settings.fee_percent / 100
    return int(share.quantize(Decimal(1), ROUND_HALF_UP)) + account.settings.fee_fixed_cents


def _fee_details(account: Account, fee: int, currency: str) -> list[Json]:
    detail = account.blank(
        "BalanceTransaction.FeeDetail",
        "stripe._balance_transaction",
        amount=fee,
        currency=currency,
        description="Stripe processing fees",
        type="stripe_fee",
    )
    return [detail]


@operation("get", "/v1/balance")
def _balance(call: Call) -> Json:
    now = call.account.clock.now()
    sums: dict[bool, int] = {True: 0, False: 0}
    for movement in call.account.store.all("balance_transaction"):
        sums[movement["available_on"] <= now] += movement["net"]
    balance = call.account.blank("balance")
    for optional in ("connect_reserved", "instant_available", "issuing"):
        balance.pop(optional, None)
    return balance | {"available": _amounts(sums[True]), "pending": _amounts(sums[False])}


def _amounts(cents: int) -> list[dict[str, Any]]:
    return [{"amount": cents, "currency": "usd", "source_types": {"card": cents}}]
