"""Fixtures: real PostgreSQL, real Valkey, the real Stripe SDK, and the simulator over HTTP."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import text

from booking_service import cli, clock
from booking_service.app import create_app
from booking_service.config import Settings
from booking_service.db import Base, db
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.embedded import Postgres, Valkey
from booking_service.local.ports import free_port, wait_until
from booking_service.services import demo, outbox, staff
from booking_service.simulator.serving import running
from tests.stripe_account import StripeAccount
from workers.app import create_celery

WEBHOOK_SECRET = "whsec_" + "t" * 32
WEBHOOK_DISORDER = 11  # the seed of duplicates and delays
# Without these Chromium looks for its maker's servers at every start.
_CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def var() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="first-visit-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(var: Path) -> Iterator[Postgres]:
    with Postgres(var, free_port(), fast_unsafe=True) as server:
        yield server


@pytest.fixture(scope="session")
def valkey(var: Path) -> Iterator[Valkey]:
    with Valkey(var, free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def stripe_url() -> Iterator[str]:
    # Stripe promises neither order nor just one copy: every test lives with that.
    with running(webhook_disorder=WEBHOOK_DISORDER) as url:
        yield url


@pytest.fixture(scope="session")
def environment(postgres: Postgres, valkey: Valkey, stripe_url: str) -> dict[str, str]:
    """What a process of the service needs to know. Waits are short: nobody sleeps in a test."""
    return {
        "DATABASE_URL": postgres.url,
        "REDIS_URL": valkey.url,
        "SECRET_KEY": "for tests only, and longer than 32 bytes",
        "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
        "STRIPE_API_KEY": "sk_test_first_visit",
        "STRIPE_API_BASE": stripe_url,
        "STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET,
        "SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "MAIL_FROM": "frontdesk@first-visit.example",
        "LOG_FORMAT": "text",
        "LEASE_SECONDS": "2",
        "JANITOR_DELAYS_SECONDS": "1,1,1",
        "STRIPE_TIMEOUT_SECONDS": "2",
    }


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_env(environment)


@pytest.fixture(scope="session")
def served_app(settings: Settings) -> Iterator[Flask]:
    """The service on a migrated database, made once."""
    made = create_app(settings)
    cli.register(made)  # commands and migrations, which a serving process does not carry
    with made.app_context():
        upgrade(directory=str(Path(made.root_path) / "migrations"))
        db.engine.dispose()
    yield made
    made.extensions["ready_answers"].close()
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def app(served_app: Flask, stripe: StripeAccount) -> Iterator[Flask]:
    """Give each test an empty database and an empty Stripe, and commit as production does.

    Nobody has asked for anything too often yet: all tests call from one address.
    """
    with served_app.app_context():
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with db.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables}"))
        [limiter] = served_app.extensions["limiter"]
        limiter.reset()
        yield served_app
        db.session.remove()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def gateway(app: Flask) -> StripeGateway:
    return app.extensions["gateway"]


@pytest.fixture
def stripe(stripe_url: str) -> StripeAccount:
    """The pretend Stripe's memory and moods, emptied; fails the test if it broke its contract."""
    account = StripeAccount(stripe_url)
    account.reset()
    return account


@pytest.fixture
def seeded(app: Flask, settings: Settings) -> demo.Seeded:
    """The demo practice, open around the clock, so that a visit can be at any time."""
    return demo.seed(settings.secret_key, is_live=False, all_hours=True)


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the service's clock; it then stands still. Stripe's clock goes on."""

    def to(at: datetime) -> None:
        monkeypatch.setattr(clock, "source", lambda: at)

    return to


@pytest.fixture(scope="session")
def celery(served_app: Flask):
    """The real task registry, whose tasks tests run in this process."""
    made = create_celery(served_app)
    made.loader.import_default_modules()
    return made


@pytest.fixture
def work(app: Flask, celery, settings: Settings) -> Callable[[], list[str]]:
    """Do all work that is due now, as the relay and one worker would; return the topics done."""

    def until_nothing_is_due() -> list[str]:
        done: list[str] = []
        while messages := outbox.claim(settings.lease):
            for message_id, topic in messages:
                celery.tasks[topic].run(str(message_id))
                done.append(topic.value)
        return done

    return until_nothing_is_due


@pytest.fixture
def mail(app: Flask) -> Iterator[SimpleNamespace]:
    """The letters that would have left, in order; the outermost edge is the mailer."""
    box = SimpleNamespace(letters=[])
    kept = app.extensions["mailer"]
    app.extensions["mailer"] = SimpleNamespace(send=box.letters.append)
    yield box
    app.extensions["mailer"] = kept


@pytest.fixture
def texts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The texts that would have left, in order; without this fixture texts are off."""
    box = SimpleNamespace(sent=[], refusal=None)

    def send(text: object) -> None:
        if box.refusal is not None:
            raise box.refusal
        box.sent.append(text)

    monkeypatch.setitem(app.extensions, "texts", SimpleNamespace(send=send))
    return box


@pytest.fixture
def persevere(work, travel) -> Callable[[], list[str]]:
    """Do all work that is due now or will be within a minute; no time passes but the clock's."""

    def do() -> list[str]:
        started, done = clock.utc_now(), work()
        for seconds in range(3, 61, 3):
            travel(started + timedelta(seconds=seconds))
            done += work()
        return done

    return do


@pytest.fixture
def noon(travel: Callable[[datetime], None], stripe: StripeAccount) -> datetime:
    """A Monday noon at the practice, for the service and for Stripe: no test hangs on tonight."""
    at = datetime.fromisoformat("2026-11-23T17:00:00+00:00")
    stripe.advance(round((at - clock.utc_now()).total_seconds()))
    travel(at)
    return at


@pytest.fixture
def eventually_at_stripe(stripe: StripeAccount) -> Iterator[Callable[[str], None]]:
    """Let an hour pass at Stripe, and wait until its refunds have a status."""

    def wait(status: str) -> None:
        stripe.advance(3601)
        wait_until(lambda: {r["status"] for r in stripe.refunds()} == {status}, f"refunds {status}")

    yield wait
    stripe.settings(refund_delay_seconds=5)


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hash with little work: most tests set up three people, a quarter of a second each."""
    kept = staff.HASHER
    staff.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    staff.HASHER = kept


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM_PATH", "/usr/bin/chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=[*_CHROMIUM])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone. The test fails on anything the browser's console complains about."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []
