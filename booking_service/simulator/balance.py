"""The account's balance and every movement of it."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, operation, page_of, retrieval
from booking_service.simulator.store import Condition, field_is
from booking_service.simulator.timers import timer

FUNDS_ARRIVED: Final = "balance.arrived"  # timer: refunds that wait for money may go on
PAYOUT_DUE: Final = "payout.due"  # timer: the automatic payout of the day
_SETTLING_DAYS: Final = 2  # until the money of a charge may be used
_FILTERS: Final = ("type", "source", "currency")

retrieval("/v1/balance_transactions/{id}", "balance_transaction")


@operation(
    "get",
    "/v1/balance_transactions",
    *_FILTERS,
    "payout",
    "created",
    "limit",
    "starting_after",
    "ending_before",
)
def _list(call: Call) -> Json:
    conditions: list[Condition] = [
        field_is(name, call.params[name]) for name in _FILTERS if call.get(name)
    ]
    if payout_id := call.get("payout"):
        payout = call.account.get("payout", payout_id, "payout")
        if not payout["automatic"]:
            message = "Balance transaction history can only be filtered on automatic transfers."
            raise invalid(message, "payout")
        in_it = "id IN (SELECT movement FROM paid_out WHERE payout = ?)"
        conditions.append((in_it, (payout_id,)))
    return page_of(call, "/v1/balance_transactions", "balance_transaction", conditions)


def move(
    account: Account,
    type_: str,
    source: Json,
    amount: int,
    description: str | None,
    *,
    category: str = "",
    fee: int = 0,
    settles_late: bool = False,
) -> Json:
    """Book a movement of `amount` cents, negative for money that leaves.

    `fee` is taken besides; what settles late can be used and paid out two days from now. Test
    clocks move no money.
    """
    with account.clock.at(account.clock.main()):
        now = account.clock.now()
        movement = account.new(
            "balance_transaction",
            new_id("txn_3"),
            type=type_,
            reporting_category=category or type_,
            balance_type="payments",
            source=source["id"],
            amount=amount,
            fee=fee,
            net=amount - fee,
            fee_details=_fee_details(account, fee, source["currency"]) if fee else [],
            currency=source["currency"],
            description=description,
            available_on=now + _SETTLING_DAYS * DAY if settles_late else now,
            status="pending" if settles_late else "available",
        )
        if settles_late:
            account.after(_SETTLING_DAYS * DAY, "balance.settles", movement["id"])
        elif amount > 0:
            account.after(0, FUNDS_ARRIVED, "")
        expect_payout(account)
    return movement


def charge_fee(account: Account, amount: int) -> int:
    """Return what Stripe keeps of a charge, in cents; half a cent counts as one."""
    share = Decimal(amount) * account.settings.fee_percent / 100
    return int(share.quantize(Decimal(1), ROUND_HALF_UP)) + account.settings.fee_fixed_cents


def available(account: Account) -> int:
    """Return what may be used now, in cents; below zero it is owed."""
    return _sums(account)["available"]


def expect_payout(account: Account) -> None:
    """See to it that money is paid out at the next midnight (UTC), if that happens by itself."""
    waiting = account.store.rows("SELECT 1 FROM timers WHERE name = ?", (PAYOUT_DUE,))
    if account.settings.payout_interval == "daily" and not waiting:
        account.after_main(DAY - account.clock.main() % DAY, PAYOUT_DUE, "")


@timer("balance.settles")
def _settle(account: Account, movement_id: str) -> None:
    movement = account.get("balance_transaction", movement_id)
    account.save(movement | {"status": "available"})
    account.emit("balance.available", whole(account))
    account.after(0, FUNDS_ARRIVED, "")
    expect_payout(account)


@operation("get", "/v1/balance")
def _balance(call: Call) -> Json:
    return whole(call.account)


def whole(account: Account) -> Json:
    """Return the balance as Stripe shows it."""
    balance, sums = account.blank("balance"), _sums(account)
    for optional in ("connect_reserved", "instant_available", "issuing"):
        balance.pop(optional, None)
    return balance | {status: _amounts(cents) for status, cents in sums.items()}


def _sums(account: Account) -> dict[str, int]:
    sql = (
        "SELECT json_extract(body, '$.status') AS status, sum(json_extract(body, '$.net')) AS net"
        " FROM objects WHERE kind = 'balance_transaction' GROUP BY 1"
    )
    found = {row["status"]: row["net"] for row in account.store.rows(sql)}
    return {"available": 0, "pending": 0} | found


def _amounts(cents: int) -> list[dict[str, Any]]:
    return [{"amount": cents, "currency": "usd", "source_types": {"card": cents}}]


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
