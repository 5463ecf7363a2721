"""`./run bench`: the service beside the least of Flask's and PostgreSQL's work, in turn.

Prints one table of medians and writes it to var/bench.json. Free times are those of the practice's
usual hours, with half of the day booked; Stripe is a stub without delay.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from pathlib import Path
from statistics import median

import requests

from booking_service.local.embedded import Postgres, Valkey
from booking_service.local.ports import free_port, is_open, wait_until
from tests.benchmarks.load import Result, request, run
from tests.benchmarks.raw import bookings, transactions

ROOT = Path(__file__).resolve().parents[2]
CLIENTS, SECONDS, ROUNDS = 16, 4, 3
HELLO, RAW, BOOKED = "Flask says hello", "one row committed", "a booking stored"
OWN = "a booking's statements"


def main() -> None:
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres(var, free_port()))
        valkey = stack.enter_context(Valkey(var, free_port()))
        stripe = stack.enter_context(_started("tests.benchmarks.stub", free_port()))

        def service(database: str, *options: str) -> int:
            url = postgres.create_database(database)
            environment = _environment(url, valkey.url, f"http://127.0.0.1:{stripe}")
            _booking(environment, "db", "upgrade")
            _booking(environment, "seed", "demo", *options)
            return stack.enter_context(_served("booking_service:create_app()", environment))

        hello = stack.enter_context(_served("tests.benchmarks.hello:app", dict(os.environ)))
        rows = _measure(
            hello, service("usual_hours"), service("all_hours", "--all-hours"), postgres
        )
    _show(rows)


def _measure(hello: int, reading: int, writing: int, postgres: Postgres) -> dict[str, list[Result]]:
    day = _half_booked(reading)
    slots = f"/api/v1/slots?from={day}&days="
    gets = {
        HELLO: (hello, "/"),
        "free times of a day": (reading, f"{slots}1"),
        "free times of 14 days": (reading, f"{slots}14"),
        "free times of 30 days": (reading, f"{slots}30"),
        "the page of free times": (reading, "/book"),
    }
    rows: dict[str, list[Result]] = {name: [] for name in [*gets, RAW, OWN, BOOKED]}
    wanted = _bookings(writing)
    for _ in range(ROUNDS):  # in turn, so that a machine's moods meet all alike
        for name, (port, path) in gets.items():
            rows[name].append(run(port, repeat(request("GET", path)), CLIENTS, SECONDS))
        rows[RAW].append(transactions(postgres.create_database("raw"), CLIENTS, SECONDS))
        rows[OWN].append(bookings(postgres.url_of("all_hours"), CLIENTS, SECONDS))
        rows[BOOKED].append(run(writing, wanted, CLIENTS, SECONDS))
    return rows


def _half_booked(port: int) -> str:
    """Book every second time of a day in a week; return the day."""
    day = (datetime.now(UTC) + timedelta(days=7)).date()
    day += timedelta(days=-day.weekday())  # a Monday
    wanted = list(_bookings(port, day.isoformat(), days=1))
    answers = run(port, iter(wanted[::2]), 1, 60).statuses
    if set(answers) != {201}:
        raise RuntimeError(f"the day could not be booked: {answers}")
    return day.isoformat()


def _bookings(port: int, first: str | None = None, days: int = 28) -> Iterator[bytes]:
    """Book times that do not overlap, each for somebody else, from today on or from a day."""
    base = f"http://127.0.0.1:{port}/api/v1"
    version = requests.get(f"{base}/offer", timeout=10).json()["terms_version"]
    first = first or datetime.now(UTC).date().isoformat()
    free = requests.get(f"{base}/slots?from={first}&days={days}", timeout=10).json()["days"]
    free_from: dict[str, str] = {}
    numbers = count(1_000_000)
    for slot in (slot for day in free for slot in day["slots"]):
        practitioner = slot["practitioner"]["id"]
        if slot["starts_at"] < free_from.get(practitioner, ""):
            continue
        free_from[practitioner] = slot["ends_at"]
        number = next(numbers)
        patient = {
            "name": f"Patient {number}",
            "email": f"p{number}@example.com",
            "phone": f"+1518{number}",
        }
        body = {
            "practitioner_id": practitioner,
            "starts_at": slot["starts_at"],
            "patient": patient,
            "accept_terms_version": version,
        }
        yield request("POST", "/api/v1/bookings", body)


def _show(rows: dict[str, list[Result]]) -> None:
    hello, raw, own = (median(r.per_second for r in rows[name]) for name in (HELLO, RAW, OWN))
    table = {
        name: {
            "per_second": round(median(r.per_second for r in results), 1),
            "of_hello": round(median(r.per_second for r in results) / hello, 3),
            "of_raw": round(median(r.per_second for r in results) / raw, 3),
            "of_own": round(median(r.per_second for r in results) / own, 3),
            "p50_ms": round(median(r.p50 for r in results), 1),
            "p99_ms": round(median(r.p99 for r in results), 1),
            "answers": results[-1].statuses,
        }
        for name, results in rows.items()
    }
    sys.stdout.write(
        f"{'':26}{'a second':>10}{'of hello':>10}{'of raw':>9}{'of own':>9}"
        f"{'p50 ms':>9}{'p99 ms':>9}\n"
    )
    for name, row in table.items():
        figures = (
            f"{row['per_second']:>10}{row['of_hello']:>10}{row['of_raw']:>9}{row['of_own']:>9}"
            f"{row['p50_ms']:>9}{row['p99_ms']:>9}"
        )
        sys.stdout.write(f"{name:26}{figures}  {row['answers']}\n")
    (ROOT / "var").mkdir(exist_ok=True)
    (ROOT / "var" / "bench.json").write_text(json.dumps(table, indent=2))


def _environment(database_url: str, redis_url: str, stripe: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "for measuring only, and longer than 32 bytes",
        "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
        "STRIPE_API_KEY": "sk_test_bench",
        "STRIPE_API_BASE": stripe,
        "STRIPE_WEBHOOK_SECRETS": "whsec_bench",
        "SMTP_URL": "smtp://127.0.0.1:1",
        "MAIL_FROM": "bench@first-visit.example",
        "LOG_FORMAT": "text",
        "HOLDS_PER_CLIENT": "1000000",  # everybody calls from one address
    }


def _booking(environment: dict[str, str], *words: str) -> None:
    booking = Path(sys.executable).parent / "booking"
    subprocess.run([booking, *words], env=environment, check=True, capture_output=True)


@contextmanager
def _served(application: str, environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    server = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    quiet = ["--no-control-socket", "--log-level", "error"]
    with _started(*server, *quiet, application, port=port, environment=environment):
        yield port


@contextmanager
def _started(
    module: str, *words: object, port: int | None = None, environment: dict[str, str] | None = None
) -> Iterator[int]:
    """Run a module until the end of the block, from when it listens; its last word is the port."""
    listens = port or int(str(words[-1]))
    command = [sys.executable, "-m", module, *map(str, words)]
    process = subprocess.Popen(command, env=environment, cwd=ROOT)
    try:
        wait_until(lambda: is_open(listens), module, timeout_seconds=30)
        yield listens
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
