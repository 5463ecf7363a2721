"""Objects in words, for people: what happened, for how much, in which state."""

from datetime import UTC, datetime
from typing import Final

from booking_service.simulator.checks import Json, Value

PLURALS: Final = {  # kind -> how a list of them is called, in the order of the menu
    "checkout.session": "Checkout sessions",
    "payment_intent": "Payment intents",
    "charge": "Charges",
    "refund": "Refunds",
    "dispute": "Disputes",
    "balance_transaction": "Balance transactions",
    "payout": "Payouts",
    "customer": "Customers",
    "payment_method": "Payment methods",
    "setup_intent": "Setup intents",
    "subscription": "Subscriptions",
    "invoice": "Invoices",
    "invoice_payment": "Invoice payments",
    "product": "Products",
    "price": "Prices",
    "webhook_endpoint": "Webhook endpoints",
    "test_helpers.test_clock": "Test clocks",
    "event": "Events",
}
_SINGULARS: Final = {kind: plural.removesuffix("s") for kind, plural in PLURALS.items()}
_CENTS: Final = ("amount", "fee", "net", "total", "unit_amount", "subtotal")
_A_TIME: Final = 10**9  # numbers above are Unix times, not counts


def dollars(cents: int) -> str:
    """Return an amount as people write it: `-$39.00`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) / 100:,.2f}"


def moment(at: float) -> str:
    """Return a time as people write it, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def kind_of(thing: Json) -> str:
    """Return what an object is called."""
    return _SINGULARS.get(thing["object"], str(thing["object"]))


def amount_of(thing: Json) -> int | None:
    """Return the cents an object is about, if it is about any."""
    for name in ("amount", "amount_total", "total", "unit_amount", "amount_requested"):
        if isinstance(thing.get(name), int):
            cents: int = thing[name]
            return cents
    return None


def state_of(thing: Json) -> str:
    """Return in a word or two how an object stands."""
    if thing["object"] == "event":
        waiting = thing["pending_webhooks"]
        return "delivered" if not waiting else f"{waiting} to deliver"
    state = str(thing.get("status") or thing.get("type") or "")
    if thing["object"] == "charge":
        is_partly = thing["amount_refunded"] and not thing["refunded"]
        state += ", refunded" * thing["refunded"] + ", partly refunded" * bool(is_partly)
        state += ", disputed" * thing["disputed"]
    if reason := thing.get("pending_reason") or thing.get("failure_reason"):
        state += f" ({reason})"
    return state.replace("_", " ")


def title_of(thing: Json) -> str:
    """Return what an object is about, in the words it brings itself."""
    card = _card_of(thing)
    for found in (
        thing["object"] == "event" and thing.get("type"),
        thing.get("email") or (thing.get("customer_details") or {}).get("email"),
        thing.get("name") or thing.get("number"),
        thing["object"] == "webhook_endpoint" and thing.get("url"),
        card and f"{card['brand']} •••• {card['last4']}",
        thing.get("description") or thing.get("reason"),
    ):
        if found:
            return str(found)
    return ""


def _card_of(thing: Json) -> Json | None:
    if thing["object"] == "payment_method":
        card: Json | None = thing.get("card")
        return card
    details = thing.get("payment_method_details")
    return details.get("card") if isinstance(details, dict) and "last4" in str(details) else None


def facts_of(thing: Json) -> list[tuple[str, str]]:
    """Return the facts of an object worth a line each: names in words, cents as dollars."""
    hidden = {"id", "object", "livemode", "client_secret"}
    return [
        (name.replace("_", " "), _told(name, value))
        for name, value in thing.items()
        if value not in (None, "") and not isinstance(value, dict | list) and name not in hidden
    ]


def _told(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.startswith(_CENTS):
        return dollars(value)
    if isinstance(value, int) and value > _A_TIME:
        return moment(value)
    return str(value)
