"""Real processes with short timers, a Redis of their own to break, and a mail server to read."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
import requests
from flask import Flask

from booking_service.config import Settings
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.children import Child, Spec
from booking_service.local.embedded import Valkey
from booking_service.local.ports import free_port, is_open, wait_until
from tests.faults.endings import work_left
from tests.processes import ROOT, Service
from tests.stripe_account import StripeAccount

_TIMERS = {
    "LEASE_SECONDS": "2",
    "JANITOR_DELAYS_SECONDS": "1,1,1",
    "STRIPE_TIMEOUT_SECONDS": "2",
    "UNDO_SECONDS": "1",
    "HOLD_SWEEP_SECONDS": "1",
    "CELERY_VISIBILITY_TIMEOUT_SECONDS": "3",
    "CELERY_RESTORE_INTERVAL_SECONDS": "1",
}


@pytest.fixture(scope="session")
def own_valkey(var: Path) -> Iterator[Valkey]:
    with Valkey(var / "faults", free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def mail_server(var: Path) -> Iterator[SimpleNamespace]:
    smtp_port, port = free_port(), free_port()
    folder = str(var / "faults" / "mail")
    ports = ("--smtp-port", str(smtp_port), "--port", str(port))
    module = ("-m", "booking_service.local.mailcatcher")
    spec = Spec("mail", (sys.executable, *module, *ports, "--folder", folder), {}, ROOT)
    catcher = Child.start(spec)
    wait_until(lambda: is_open(smtp_port) and is_open(port), "the mail server", 60)

    @contextmanager
    def asleep() -> Iterator[None]:
        """Connections are taken, and nothing is said."""
        os.kill(catcher.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(catcher.pid, signal.SIGCONT)

    yield SimpleNamespace(
        smtp=f"smtp://127.0.0.1:{smtp_port}", url=f"http://127.0.0.1:{port}", asleep=asleep
    )
    catcher.ask_to_stop()
    catcher.wait(10)


@pytest.fixture(scope="module")
def processes(
    environment: dict[str, str],
    served_app: Flask,
    own_valkey: Valkey,
    mail_server: SimpleNamespace,
    var: Path,
) -> Iterator[Service]:
    """The service on the tests' database and Stripe; nothing runs until it is started.

    It ends with its module: other tests do the work of the outbox themselves.
    """
    own = {"REDIS_URL": own_valkey.url, "SMTP_URL": mail_server.smtp}
    service = Service({**environment, **_TIMERS, **own}, var / "faults")
    yield service
    service.kill_all()


@pytest.fixture
def broker(own_valkey: Valkey) -> Iterator[redis.Redis]:
    """The queues, emptied."""
    if not own_valkey.is_running():
        own_valkey.start()
    with redis.Redis.from_url(own_valkey.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def letters(mail_server: SimpleNamespace):
    """What reached the mail server in this test."""
    requests.delete(f"{mail_server.url}/api/messages", timeout=10).raise_for_status()
    return lambda: requests.get(f"{mail_server.url}/api/messages", timeout=10).json()


@pytest.fixture
def service(
    processes: Service,
    app: Flask,
    seeded: object,
    stripe: StripeAccount,
    broker: redis.Redis,
    letters: object,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    """A worker and a relay at work on an empty practice; what was killed lives again."""
    # The test itself is in no hurry; the processes have the short timeout.
    monkeypatch.setitem(app.extensions, "gateway", StripeGateway(settings, timedelta(minutes=1)))
    processes.ensure("worker", "relay")
    yield processes
    stripe.heal()
    wait_until(lambda: work_left() == 0, "all work to be done", 60)
