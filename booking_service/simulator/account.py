"""One pretend Stripe account: its objects, its time, its events, and the work it owes."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from threading import Condition
from typing import Final

from booking_service.simulator.checks import Json, Value, misfits, skeleton
from booking_service.simulator.clock import Clock
from booking_service.simulator.contract import Contract
from booking_service.simulator.errors import missing
from booking_service.simulator.log import Log, Violation
from booking_service.simulator.store import Store

_ALPHABET: Final = string.ascii_letters + string.digits
_CLASSES: Final = {  # kind of object -> where the SDK describes it
    "balance": ("stripe._balance", "Balance"),
    "balance_transaction": ("stripe._balance_transaction", "BalanceTransaction"),
    "charge": ("stripe._charge", "Charge"),
    "checkout.session": ("stripe.checkout._session", "Session"),
    "customer": ("stripe._customer", "Customer"),
    "event": ("stripe._event", "Event"),
    "invoice": ("stripe._invoice", "Invoice"),
    "invoice_payment": ("stripe._invoice_payment", "InvoicePayment"),
    "item": ("stripe._line_item", "LineItem"),
    "line_item": ("stripe._invoice_line_item", "InvoiceLineItem"),
    "payment_intent": ("stripe._payment_intent", "PaymentIntent"),
    "payment_method": ("stripe._payment_method", "PaymentMethod"),
    "price": ("stripe._price", "Price"),
    "product": ("stripe._product", "Product"),
    "refund": ("stripe._refund", "Refund"),
    "subscription": ("stripe._subscription", "Subscription"),
    "subscription_item": ("stripe._subscription_item", "SubscriptionItem"),
}
Timer = Callable[["Account", str], None]
TIMERS: dict[str, Timer] = {}


def timer(name: str) -> Callable[[Timer], Timer]:
    """Register what happens when a timer of this name is due; it gets the id of its subject."""

    def register(function: Timer) -> Timer:
        TIMERS[name] = function
        return function

    return register


@dataclass
class Settings:
    """What whoever starts the simulator may choose."""

    webhook_url: str = ""  # empty: events are kept, and sent nowhere
    webhook_secrets: tuple[str, ...] = ()  # several while a secret is being rotated
    fee_percent: Decimal = Decimal("2.9")
    fee_fixed_cents: int = 30
    refund_delay_seconds: float = 5.0  # until a slow refund settles or a doomed one fails


@dataclass
class Cause:
    """The API request whose work is being done now; events name it."""

    id: str | None = None
    idempotency_key: str | None = None


class Account:
    """Everything the operations share. Whoever changes objects holds `store.transaction()`."""

    def __init__(self, store: Store, contract: Contract, settings: Settings, log: Log) -> None:
        self.store = store
        self.log = log
        self.contract = contract
        self.settings = settings
        self.clock = Clock(float(store.fact("clock_offset", "0")))
        self.cause = Cause()
        self.changed = Condition()

    def set_clock(self, offset: float) -> None:
        """Set the clock, in seconds from the real one, and see to what has become due."""
        self.clock.offset = offset
        self.store.remember("clock_offset", str(self.clock.offset))
        self.wake()

    def wake(self) -> None:
        """Tell whoever waits that something has changed."""
        with self.changed:
            self.changed.notify_all()

    def blank(self, class_: str, module: str = "", **fields: Value) -> Json:
        """Return what the contract says of a class, with these fields filled in.

        `class_` is a kind of object, or with `module` a class inside it (`Refund.NextAction`).
        """
        where = (module, class_) if module else _CLASSES[class_]
        record = self.contract.resource(*where).record
        made = skeleton(self.contract, record)
        if unknown := fields.keys() - self.contract.record(record).fields.keys():
            raise KeyError(f"not fields of {class_}: {sorted(unknown)}")
        return made | fields

    def new(self, kind: str, id_: str, owner: str | None = None, **fields: Value) -> Json:
        """Make and keep an object; `created` is now, where the kind has it."""
        made = self.blank(kind, id=id_)
        if "created" in made:
            made["created"] = self.clock.now()
        return self.save(made | fields, owner)

    def save(self, thing: Json, owner: str | None = None) -> Json:
        """Keep an object and return it."""
        self.store.put(thing, owner)
        return thing

    def get(self, kind: str, id_: str, param: str = "id") -> Json:
        """Return an object.

        Raises:
            StripeError: 404 `resource_missing`.
        """
        found = self.store.find(id_, kind)
        if found is None:
            raise missing(kind.rpartition(".")[2], id_, param)
        return found

    def change(self, thing: Json, event: str, **fields: Value) -> Json:
        """Change an object, keep it, and tell the world what it was before."""
        before = {name: thing.get(name) for name in fields if thing.get(name) != fields[name]}
        thing.update(fields)
        self.save(thing)
        self.emit(event, thing, before)
        return thing

    def emit(self, type_: str, thing: Json, before: Json | None = None) -> Json:
        """Make an event of what has become of an object, and owe its delivery."""
        shape = self.contract.resource(*_CLASSES[thing["object"]])
        if problems := misfits(self.contract, shape, thing, thing["object"]):
            self.log.violated(Violation("event", "POST", type_, problems))
        data = {"object": thing}
        if before and type_.endswith((".updated", "charge.refunded")):
            data["previous_attributes"] = before
        request = {"id": self.cause.id, "idempotency_key": self.cause.idempotency_key}
        event = self.new(
            "event",
            new_id("evt_1"),
            type=type_,
            data=data,
            api_version=self.contract.version,
            request=request,
            pending_webhooks=int(bool(self.settings.webhook_url)),
        )
        for absent in ("account", "context"):  # only sent to platforms
            event.pop(absent, None)
        self.save(event)
        if self.settings.webhook_url:
            self.owe(event["id"])
        return event

    def owe(self, event_id: str, after_seconds: float = 0) -> None:
        """Owe one delivery of an event."""
        due = self.clock.precise() + after_seconds
        self.store.rows("INSERT INTO deliveries (event, due) VALUES (?, ?)", (event_id, due))

    def after(self, seconds: float, name: str, subject: str) -> None:
        """Set a timer by the simulator's clock."""
        due = self.clock.precise() + seconds
        sql = "INSERT INTO timers (due, name, subject) VALUES (?, ?, ?)"
        self.store.rows(sql, (due, name, subject))

    def run_due_timers(self) -> None:
        """Run what is due, each for itself, the longest overdue first."""
        sql = "SELECT id, name, subject FROM timers WHERE due <= ? ORDER BY due, id LIMIT 1"
        while True:
            with self.store.transaction():
                due = self.store.rows(sql, (self.clock.precise(),))
                if not due:
                    return
                self.store.rows("DELETE FROM timers WHERE id = ?", (due[0]["id"],))
                self.cause = Cause()
                self._run_timer(due[0]["name"], due[0]["subject"])

    def _run_timer(self, name: str, subject: str) -> None:
        """Run one timer; if it breaks, its work is undone, and the others still run."""
        try:
            with self.store.transaction():
                TIMERS[name](self, subject)
        except Exception as failure:  # noqa: BLE001 - written down; the thread must live on
            self.log.violated(Violation("timer", "POST", name, [repr(failure)]))


def new_id(prefix: str, length: int = 23) -> str:
    """Return a new object id of Stripe's form: `new_id("pi_3")` is `pi_3...`."""
    joint = "" if prefix[-1].isdigit() else "_"
    return prefix + joint + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def merged_metadata(old: dict[str, str] | None, new: Value) -> dict[str, str]:
    """Apply metadata as Stripe does: keys are merged, an empty value removes its key."""
    if new == "":
        return {}
    return {key: value for key, value in ((old or {}) | (new or {})).items() if value != ""}
