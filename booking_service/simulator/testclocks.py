"""Test clocks: a line of time for some customers, which only moves when told."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from booking_service.simulator import customers
from booking_service.simulator.account import Account, new_id
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, listing, operation, retrieval
from booking_service.simulator.timers import run_due, timer

_KIND: Final = "test_helpers.test_clock"
_CLOCKS: Final = "/v1/test_helpers/test_clocks"
_CLOCK: Final = f"{_CLOCKS}/{{test_clock}}"
_KEPT_FOR: Final = 30 * DAY

listing(_CLOCKS, _KIND)
retrieval(_CLOCK, _KIND)


@contextmanager
def on_clock_of(account: Account, customer: Json) -> Iterator[None]:
    """Do what is inside at the time of a customer's test clock, if they have one."""
    if customer["test_clock"] is None:
        yield
        return
    clock = account.get(_KIND, customer["test_clock"])
    with account.clock.at(clock["frozen_time"], clock["id"]):
        yield


@operation("post", _CLOCKS, "frozen_time", "name")
def _create(call: Call) -> Json:
    account = call.account
    clock = account.new(
        _KIND,
        new_id("clock_1"),
        deletes_after=account.clock.now() + _KEPT_FOR,
        frozen_time=call.params["frozen_time"],
        name=call.get("name"),
        status="ready",
        status_details={},
    )
    account.emit("test_helpers.test_clock.created", clock)
    return clock


@operation("post", f"{_CLOCK}/advance", "frozen_time")
def _advance(call: Call) -> Json:
    account, clock = call.account, call.account.get(_KIND, call.id)
    wanted = call.params["frozen_time"]
    if clock["status"] != "ready":
        raise invalid("This test clock is advancing already.", "test_clock")
    if wanted <= clock["frozen_time"]:
        message = "The frozen_time must be after the clock's current frozen time."
        raise invalid(message, "frozen_time")
    details = {"advancing": {"target_frozen_time": wanted}}
    account.after_main(0, "clock.advances", clock["id"])
    type_ = "test_helpers.test_clock.advancing"
    return account.change(clock, type_, status="advancing", status_details=details)


@operation("delete", _CLOCK)
def _delete(call: Call) -> Json:
    account, clock = call.account, call.account.get(_KIND, call.id)
    for customer in account.store.all("customer", test_clock=clock["id"]):
        customers.delete(account, customer)
    account.store.rows("DELETE FROM timers WHERE line = ?", (clock["id"],))
    account.emit("test_helpers.test_clock.deleted", clock)
    account.store.delete(clock["id"])
    return {"id": clock["id"], "object": _KIND, "deleted": True}


@timer("clock.advances")
def _arrive(account: Account, clock_id: str) -> None:
    clock = account.get(_KIND, clock_id)
    until = clock["status_details"]["advancing"]["target_frozen_time"]
    run_due(account, clock_id, until)
    type_ = "test_helpers.test_clock.ready"
    fields = {"status": "ready", "frozen_time": until, "status_details": {}}
    account.change(clock, type_, **fields)
