"""The service, PostgreSQL, the pretend Stripe and the wall clock of one simulated month."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import requests
from celery import Celery
from flask import Flask
from flask_migrate import upgrade
from psycopg.rows import dict_row
from sqlalchemy import text
from stripe import _webhook as stripe_webhook

from booking_service import cli, clock
from booking_service.app import create_app
from booking_service.config import Settings
from booking_service.db import Base, db
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import free_port
from booking_service.services import demo, webhooks
from booking_service.simulator.serving import running, server
from tests.month.edges import DatabaseEdge, GatewayEdge, MailEdge, plain
from tests.month.front_door import FrontDoor
from tests.month.trouble import Trouble
from tests.stripe_account import StripeAccount
from workers.app import create_celery

# A Monday's midnight at the practice. The first of November has 25 hours there.
STARTS = datetime(2026, 10, 26, 4, tzinfo=UTC)
_CLIENT_WAITS = timedelta(milliseconds=600)  # real time: each late answer of Stripe costs this
_SLOW_REFUND_SECONDS = 3 * 86_400


@dataclass
class World:
    """Everything a simulation touches. `now` is the time for the service and for Stripe."""

    app: Flask
    celery: Celery
    settings: Settings
    stripe: StripeAccount
    trouble: Trouble
    mail: MailEdge
    database: DatabaseEdge
    door: FrontDoor
    logged: list[str]
    reader: psycopg.Connection[dict[str, Any]]
    seeded: demo.Seeded | None = None
    now: datetime = STARTS
    caller: requests.Session = field(default_factory=requests.Session)

    def rows(self, query: LiteralString) -> list[dict[str, Any]]:
        """Read past the service, without its session and what may befall that."""
        return self.reader.execute(query).fetchall()

    kept: dict[str, Any] = field(default_factory=dict)  # what actors wish to remember

    def travel(self, at: datetime) -> None:
        """Let time pass until an instant, for both together, and hear what Stripe says then."""
        self.now = max(self.now, at)
        offset = self.now.timestamp() - time.time()
        self.caller.post(f"{self.stripe.url}/_sim/clock", json={"offset": offset, "settle": 5})

    def settle(self) -> None:
        """Wait until what Stripe has to say now was said."""
        self.caller.post(f"{self.stripe.url}/_sim/clock", json={"advance": 0, "settle": 5})


@contextmanager
def world(database_url: str, seed: int) -> Iterator[World]:
    """Build a world on an empty database, and take it down."""
    with running() as stripe_url, _logs() as logged:
        stripe = StripeAccount(stripe_url)
        stripe._post("/_sim/clock", {"offset": STARTS.timestamp() - time.time()})
        port = free_port()
        settings = _settings(database_url, stripe_url, _endpoint(stripe, port))
        stripe.settings(webhook_disorder=seed, refund_delay_seconds=_SLOW_REFUND_SECONDS)
        app = create_app(settings)
        logging.getLogger().handlers[:] = [logged]
        with app.app_context():
            # Asked at each step whether it still lives, which here it does: those that are cut off
            # are cut off in a transaction.
            db.engine.pool._pre_ping = False
        celery = create_celery(app)
        celery.loader.import_default_modules()
        _migrate(app)
        trouble = Trouble(seed, stripe)
        mail, door = MailEdge(trouble), FrontDoor(app, trouble)
        database = DatabaseEdge(app, trouble, database_url)
        app.extensions["gateway"] = GatewayEdge(StripeGateway(settings, _CLIENT_WAITS), trouble)
        app.extensions["mailer"] = mail
        parts = (app, celery, settings, stripe, trouble, mail, database, door, logged.lines)
        with psycopg.connect(plain(database_url), autocommit=True, row_factory=dict_row) as reader:
            made = World(*parts, reader)
            made.caller.trust_env = False  # it reads the whole environment for each request
            try:
                with _time_of(made), _served(door, port):
                    with app.app_context():
                        made.seeded = demo.seed(settings.secret_key, is_live=False, all_hours=True)
                    yield made
            finally:
                database.close()
                app.extensions["ready_answers"].close()
                with app.app_context():
                    db.engine.dispose()


@contextmanager
def _time_of(made: World) -> Iterator[None]:
    """Let the service, and the SDK where it looks at the age of a signature, ask the world."""
    kept, clock.source = clock.source, lambda: made.now
    kept_time = stripe_webhook.time
    stripe_webhook.time = SimpleNamespace(time=lambda: clock.source().timestamp())
    try:
        yield
    finally:
        clock.source = kept
        stripe_webhook.time = kept_time


def _settings(database_url: str, stripe_url: str, secret: str) -> Settings:
    settings = Settings.from_env(
        {
            "DATABASE_URL": database_url,
            "REDIS_URL": "redis://127.0.0.1:1/0",  # nobody calls: the month is its own queue
            "SECRET_KEY": "for simulations only, longer than 32 bytes",
            "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
            "STRIPE_API_KEY": "sk_test_first_visit",
            "STRIPE_API_BASE": stripe_url,
            "STRIPE_WEBHOOK_SECRETS": secret,
            "SMTP_URL": "smtp://127.0.0.1:1",
            "MAIL_FROM": "frontdesk@first-visit.example",
            "HOLDS_PER_CLIENT": "1000000",  # all patients of all months call from one address
        }
    )
    return replace(settings, stripe_timeout=_CLIENT_WAITS)


def _endpoint(stripe: StripeAccount, port: int) -> str:
    """Register the service's address at Stripe, for what it listens to; return the secret."""
    answer = requests.post(
        f"{stripe.url}/v1/webhook_endpoints",
        data={
            "url": f"http://127.0.0.1:{port}/webhooks/stripe",
            **{f"enabled_events[{n}]": name for n, name in enumerate(webhooks._LISTENERS)},
        },
        headers={
            "Authorization": "Bearer sk_test_first_visit",
            "Stripe-Version": "2026-10-28.endive",
        },
    )
    answer.raise_for_status()
    secret: str = answer.json()["secret"]
    return secret


def _migrate(app: Flask) -> None:
    cli.register(app)
    with app.app_context():
        upgrade(directory=str(Path(app.root_path) / "migrations"))
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        with db.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables}"))


@contextmanager
def _served(door: FrontDoor, port: int) -> Iterator[None]:
    http = server(door, "127.0.0.1", port)
    thread = Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def _logs() -> Iterator[_Kept]:
    """Keep what the service logs, tracebacks included, instead of printing it."""
    root, handler = logging.getLogger(), _Kept()
    kept, level = root.handlers[:], root.level
    try:
        yield handler
    finally:
        root.handlers[:], root.level = kept, level
