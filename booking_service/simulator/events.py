"""Events as the API shows them, for 30 days (https://docs.stripe.com/api/events)."""

from booking_service.simulator.account import EVENT_AGES_OUT, Account
from booking_service.simulator.checks import Json
from booking_service.simulator.errors import invalid
from booking_service.simulator.operations import Call, operation, page_of, retrieval
from booking_service.simulator.store import Condition
from booking_service.simulator.timers import timer

retrieval("/v1/events/{id}", "event")


@operation(
    "get",
    "/v1/events",
    "type",
    "types",
    "delivery_success",
    "created",
    "limit",
    "starting_after",
    "ending_before",
)
def _list(call: Call) -> Json:
    conditions: list[Condition] = []
    if call.get("type") and call.get("types"):
        raise invalid("Specify one of: type, types", "types", "parameters_exclusive")
    kinds = call.get("types") or ([call.get("type")] if call.get("type") else [])
    if kinds:
        one_of = " OR ".join(["json_extract(body, '$.type') GLOB ?"] * len(kinds))
        conditions.append((f"({one_of})", tuple(kinds)))  # `*` stands for anything, as at Stripe
    if "delivery_success" in call.params:
        sign = "=" if call.params["delivery_success"] else ">"
        conditions.append((f"json_extract(body, '$.pending_webhooks') {sign} ?", (0,)))
    return page_of(call, "/v1/events", "event", conditions)


@timer(EVENT_AGES_OUT)
def _forget(account: Account, event_id: str) -> None:
    """Drop an event, with what was still owed of it."""
    account.store.rows("DELETE FROM deliveries WHERE event = ?", (event_id,))
    account.store.delete(event_id)
