"""One pretend Stripe account: its objects, its time, its events, and the work it owes."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from threading import Condition
from typing import Final, TypeVar

from booking_service.simulator.checks import Json, Value, misfits, skeleton
from booking_service.simulator.clock import DAY, MAIN, Clock
from booking_service.simulator.contract import Contract
from booking_service.simulator.disorder import Disorder
from booking_service.simulator.errors import StripeError, missing
from booking_service.simulator.kinds import CLASSES
from booking_service.simulator.limits import Rates
from booking_service.simulator.log import Log, Violation
from booking_service.simulator.store import Store

EVENT_AGES_OUT: Final = "event.ages_out"
EVENTS_KEPT: Final = 30 * DAY  # seconds

_ALPHABET: Final = (string.ascii_letters + string.digits).encode()
_LETTERS: Final = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_Made = TypeVar("_Made")


@dataclass
class Settings:
    """What whoever starts the simulator may choose."""

    webhook_url: str = ""  # empty: events are kept, and sent nowhere
    webhook_secrets: tuple[str, ...] = ()  # several while a secret is being rotated
    fee_percent: Decimal = Decimal("2.9")
    fee_fixed_cents: int = 30
    refund_delay_seconds: float = 5.0  # until a slow refund settles or a doomed one fails
    webhook_disorder: int | None = None  # seed of random duplicates and delays; None: in order
    bank_debits: bool = True  # the bank covers refunds that the balance cannot; else they wait
    payout_interval: str = "daily"  # or "manual"
    rate_limit: Rates | None = None  # None: whoever asks too often is not told so


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
        self.owes_now = False  # work that need not wait for the next look at the clock
        self._disorder: Disorder | None = None
        self.disturb(settings.webhook_disorder)

    def disturb(self, seed: int | None) -> None:
        """Begin to disturb deliveries at random, from a seed; None stops it."""
        self.settings.webhook_disorder = seed
        self._disorder = None if seed is None else Disorder(seed)

    def perform(self, work: Callable[[], _Made], cause: Cause | None = None) -> _Made:
        """Do work in a transaction; a refusal undoes it, unless it says that it keeps it."""
        kept: StripeError
        with self.store.transaction():
            self.cause = cause or Cause()
            try:
                return work()
            except StripeError as refusal:
                if not refusal.keeps_work:
                    raise
                kept = refusal
        raise kept

    def wake(self) -> None:
        """Tell whoever waits that something has changed."""
        self.owes_now = False
        with self.changed:
            self.changed.notify_all()

    def blank(self, class_: str, module: str = "", **fields: Value) -> Json:
        """Return what the contract says of a class, with these fields filled in.

        `class_` is a kind of object, or with `module` a class inside it (`Refund.NextAction`).
        """
        where = (module, class_) if module else CLASSES[class_]
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
        """Change an object, keep it, and tell the world what it was before.

        An update that changes nothing is told to nobody.
        """
        before = _before(thing, fields)
        if not before and event.endswith(".updated"):
            return self.save(thing)
        thing.update(fields)
        self.save(thing)
        self.emit(event, thing, before)
        return thing

    def emit(self, type_: str, thing: Json, before: Json | None = None) -> Json:
        """Make an event of what has become of an object, and owe its delivery."""
        shape = self.contract.resource(*CLASSES[thing["object"]])
        if problems := misfits(self.contract, shape, thing, thing["object"]):
            self.log.violated(Violation("event", "POST", type_, problems))
        data = {"object": thing}
        if before and type_.endswith((".updated", "charge.refunded")):
            data["previous_attributes"] = before
        request = {"id": self.cause.id, "idempotency_key": self.cause.idempotency_key}
        endpoints = self._listening(type_)
        event = self.blank(
            "event",
            id=new_id("evt_1"),
            created=self.clock.now(),
            type=type_,
            data=data,
            api_version=self.contract.version,
            request=request,
            pending_webhooks=len(endpoints),
        )
        for absent in ("account", "context"):  # only sent to platforms
            event.pop(absent, None)
        self.save(event)
        self.after_main(EVENTS_KEPT, EVENT_AGES_OUT, event["id"])
        for endpoint in endpoints:
            for delay in self._disorder.delays() if self._disorder else (0.0,):
                self.owe(event["id"], endpoint, delay)
        return event

    def resend(self, event_id: str, endpoint: str = "") -> Json:
        """Owe an event once more: to one endpoint, or to all it was ever owed to.

        Raises:
            StripeError: 404, there is no such event.
        """
        event = self.get("event", event_id)
        sql = "SELECT DISTINCT endpoint FROM deliveries WHERE event = ?"
        known = [row["endpoint"] for row in self.store.rows(sql, (event_id,))]
        for one in [endpoint] if endpoint else known or [""]:
            self.owe(event_id, one)
        self.wake()
        return event

    def _listening(self, type_: str) -> list[str]:
        """Return who hears of such events: ids of endpoints, and "" for the one of the settings."""
        theirs = self.store.all("webhook_endpoint", status="enabled")
        ids = [one["id"] for one in theirs if {"*", type_} & set(one["enabled_events"])]
        return [""] * bool(self.settings.webhook_url) + ids

    def owe(self, event_id: str, endpoint: str = "", after_seconds: float = 0) -> None:
        """Owe an endpoint one delivery of an event."""
        now = self.clock.real()
        self.owes_now = True
        self.store.rows(
            "INSERT INTO deliveries (event, endpoint, since, due) VALUES (?, ?, ?, ?)",
            (event_id, endpoint, now, now + after_seconds),
        )

    def after(self, seconds: float, name: str, subject: str) -> None:
        """Set a timer, on the line of time of the work being done."""
        self._set_timer(self.clock.precise() + seconds, name, subject, self.clock.line)

    def after_main(self, seconds: float, name: str, subject: str) -> None:
        """Set a timer that no test clock moves."""
        self._set_timer(self.clock.main() + seconds, name, subject, MAIN)

    def _set_timer(self, due: float, name: str, subject: str, line: str) -> None:
        self.owes_now = self.owes_now or due <= self.clock.real()
        sql = "INSERT INTO timers (due, name, subject, line) VALUES (?, ?, ?, ?)"
        self.store.rows(sql, (due, name, subject, line))


def _before(thing: Json, changes: Json) -> Json:
    """Return what will have been different; of a hash, as Stripe does, only the keys that were."""
    found: Json = {}
    for name, new in changes.items():
        old = thing.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
            found |= {name: {key: old.get(key) for key in keys}} if keys else {}
        elif old != new:
            found[name] = old
    return found


def new_id(prefix: str, length: int = 23) -> str:
    """Return a new object id of Stripe's form: `new_id("pi_3")` is `pi_3...`."""
    joint = "" if prefix[-1].isdigit() else "_"
    return prefix + joint + secrets.token_bytes(length).translate(_LETTERS).decode()


def merged_metadata(old: dict[str, str] | None, new: Value) -> dict[str, str]:
    """Apply metadata as Stripe does: keys are merged, an empty value removes its key."""
    if new == "":
        return {}
    return {key: value for key, value in ((old or {}) | (new or {})).items() if value != ""}
