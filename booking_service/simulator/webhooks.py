"""Deliver events: signed, at least once, in no order, for up to three days."""

import hashlib
import hmac
import http.client
import json
import secrets
import time
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Final
from urllib.parse import urlsplit

from booking_service.simulator.account import (
    EVENT_AGES_OUT,
    EVENTS_KEPT,
    Account,
    new_id,
)
from booking_service.simulator.checks import Json
from booking_service.simulator.clock import DAY
from booking_service.simulator.faults import Fault, Faults
from booking_service.simulator.store import StoreClosed
from booking_service.simulator.timers import run_due

_HOUR: Final = 3600
# Seconds before each further attempt; the last step repeats until three days have passed.
_STEPS: Final = (2, 10, 60, 300, 1800, _HOUR, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 12 * _HOUR)
_GIVES_UP_AFTER: Final = 3 * DAY
_TIMEOUT: Final = 10.0  # seconds for one attempt
_AT_ONCE: Final = 8
_TICK: Final = 0.2  # seconds between looks at the clock


@dataclass(frozen=True)
class Delivery:
    """One event owed to one endpoint since a moment, and how often it was tried."""

    id: int
    event: str
    endpoint: str
    attempts: int
    since: float


@dataclass(frozen=True)
class Target:
    """Where an endpoint is, and the secrets that sign what is sent there."""

    url: str
    secrets: tuple[str, ...]


class Courier:
    """A background thread that runs what is due: timers first, then deliveries."""

    def __init__(self, account: Account, faults: Faults) -> None:
        self._account = account
        self._faults = faults
        self._on_the_way: set[int] = set()
        self._lock = Lock()
        self._is_stopped = False
        self._thread = Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Begin; what was owed before a restart is still owed."""
        self._thread.start()

    def stop(self) -> None:
        """End. An attempt under way is made again after the next start, if there is a file."""
        self._is_stopped = True
        self._account.wake()
        self._thread.join(_TIMEOUT)

    def _run(self) -> None:
        while not self._is_stopped:
            run_due(self._account)
            for delivery in self._due():
                Thread(target=self._deliver, args=(delivery,), name="delivery", daemon=True).start()
            with self._account.changed:
                self._account.changed.wait(_TICK)

    def _due(self) -> list[Delivery]:
        """Take what is due and not on its way already, as much as may travel at once."""
        sql = (
            "SELECT id, event, endpoint, attempts, since FROM deliveries"
            " WHERE is_done = 0 AND due <= ? ORDER BY due, id"
        )
        with self._lock:
            waiting = [
                Delivery(*row)
                for row in self._account.store.rows(sql, (self._account.clock.real(),))
                if row["id"] not in self._on_the_way
            ]
            taken = waiting[: _AT_ONCE - len(self._on_the_way)]
            self._on_the_way.update(delivery.id for delivery in taken)
        return taken

    def _deliver(self, delivery: Delivery) -> None:
        try:
            event = self._account.store.find(delivery.event)
            if event is not None:
                self._attempt(delivery, event, self._faults.take_event(event["type"]))
        except StoreClosed:
            return
        finally:
            with self._lock:
                self._on_the_way.discard(delivery.id)
            self._account.wake()

    def _attempt(self, delivery: Delivery, event: Json, fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        store, now = self._account.store, self._account.clock.real()
        target = self._target(delivery.endpoint)
        if fault and kind == "delay":
            later = now + fault.seconds
            store.rows("UPDATE deliveries SET due = ? WHERE id = ?", (later, delivery.id))
            return
        if kind == "lose" or target is None:
            store.rows("UPDATE deliveries SET is_done = 1 WHERE id = ?", (delivery.id,))
            return
        if kind == "twin":
            twin = event | {"id": new_id("evt_1")}
            self._account.save(twin)
            self._account.after_main(EVENTS_KEPT, EVENT_AGES_OUT, twin["id"])
            self._account.owe(twin["id"], delivery.endpoint)
        copies = fault.copies if fault and kind == "duplicate" else 1
        statuses = [self._send(event, target, kind) for _ in range(copies)]
        failed = [status for status in statuses if not _is_success(status)]
        self._write_down(delivery, (failed or statuses)[0])

    def _target(self, endpoint: str) -> Target | None:
        """Return where to send; None when the endpoint is gone or disabled."""
        settings = self._account.settings
        if not endpoint:
            return Target(settings.webhook_url, settings.webhook_secrets)
        known = self._account.store.find(endpoint, "webhook_endpoint")
        if known is None or known["status"] != "enabled":
            return None
        return Target(known["url"], (self._account.store.fact(f"secret of {endpoint}"),))

    def _send(self, event: Json, target: Target, fault_kind: str) -> int:
        """Make one attempt and return the status of its answer; 0 without one."""
        if fault_kind == "drop":
            return 0
        body = json.dumps(event, indent=2).encode()
        at = int(self._account.clock.real()) - (600 if fault_kind == "old_timestamp" else 0)
        keys = target.secrets
        if fault_kind == "bad_signature":
            keys = (secrets.token_hex(16),)
        return _post(target.url, body, signature(body, keys, at))

    def _write_down(self, delivery: Delivery, status: int) -> None:
        store, now = self._account.store, self._account.clock.real()
        attempts, was_received = delivery.attempts + 1, _is_success(status)
        due = now + _STEPS[min(attempts, len(_STEPS)) - 1]
        is_done = was_received or now - delivery.since > _GIVES_UP_AFTER
        with store.transaction():
            store.rows(
                "UPDATE deliveries SET attempts = ?, due = ?, is_done = ?, is_received = ?,"
                " status = ? WHERE id = ?",
                (attempts, due, int(is_done), int(was_received), status, delivery.id),
            )
            event = store.find(delivery.event)
            if event is not None and was_received:
                self._account.save(event | {"pending_webhooks": self._waiting_for(event["id"])})

    def _waiting_for(self, event_id: str) -> int:
        """Count the endpoints that have not received an event by any of its deliveries."""
        sql = (
            "SELECT endpoint FROM deliveries WHERE event = ? GROUP BY endpoint"
            " HAVING max(is_received) = 0"
        )
        return len(self._account.store.rows(sql, (event_id,)))

    def wait_for_first_attempt(self, event_id: str, seconds: float) -> None:
        """Block until an event was tried once, or is not to be sent, or time is up."""
        sql = "SELECT 1 FROM deliveries WHERE event = ? AND attempts = 0 AND is_done = 0"
        deadline = time.monotonic() + seconds
        while self._account.store.rows(sql, (event_id,)) and time.monotonic() < deadline:
            with self._account.changed:
                self._account.changed.wait(_TICK)

    def settle(self, seconds: float) -> None:
        """Block until all that is due was sent, or time is up."""
        sql = "SELECT 1 FROM deliveries WHERE is_done = 0 AND due <= ? LIMIT 1"
        deadline = time.monotonic() + seconds
        while self._account.store.rows(sql, (self._account.clock.real(),)):
            if time.monotonic() >= deadline:
                return
            with self._account.changed:
                self._account.changed.wait(_TICK / 20)


def signature(body: bytes, keys: tuple[str, ...], at: int) -> str:
    """Return the `Stripe-Signature` of a body: one `v1` for every secret in use."""
    signed = b"%d.%b" % (at, body)
    digests = [hmac.new(key.encode(), signed, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={at}", *(f"v1={digest}" for digest in digests)])


def _is_success(status: int) -> bool:
    return 200 <= status < 300  # noqa: PLR2004 - what 2xx means


def _post(url: str, body: bytes, header: str) -> int:
    """Send one attempt and return the status of its answer; 0 when none came in time."""
    address = urlsplit(url)
    make = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = make(address.netloc, timeout=_TIMEOUT)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": header,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    target = f"{address.path or '/'}?{address.query}".rstrip("?")
    try:
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
