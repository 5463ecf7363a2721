"""`./run bench`: the service beside the least Flask can do, in turn, on this machine.

Prints one table of medians and writes it to var/bench.json. The bookings include a call to the
simulator, which is a good deal slower than a stub would be.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count, repeat
from pathlib import Path
from statistics import median

import requests

from booking_service.local.embedded import Postgres, Valkey
from booking_service.local.ports import free_port, is_open, wait_until
from booking_service.simulator.serving import running
from tests.benchmarks.load import Result, request, run

ROOT = Path(__file__).resolve().parents[2]
CLIENTS, SECONDS, ROUNDS = 16, 4, 3


def main() -> None:
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres(var, free_port()))
        valkey = stack.enter_context(Valkey(var, free_port()))
        stripe = stack.enter_context(running())
        environment = _environment(postgres.url, valkey.url, stripe)
        _booking(environment, "db", "upgrade")
        _booking(environment, "seed", "demo", "--all-hours")
        hello = stack.enter_context(_served("tests.benchmarks.hello:app", environment))
        service = stack.enter_context(_served("booking_service:create_app()", environment))
        rows = _measure(hello, service)
    _show(rows)


def _measure(hello: int, service: int) -> dict[str, list[Result]]:
    today = datetime.now(UTC).date().isoformat()
    slots = f"/api/v1/slots?from={today}&days="
    gets = {
        "Flask says hello": (hello, "/"),
        "free times of a day": (service, f"{slots}1"),
        "free times of 14 days": (service, f"{slots}14"),
        "free times of 30 days": (service, f"{slots}30"),
        "the page of free times": (service, "/book"),
    }
    rows: dict[str, list[Result]] = {name: [] for name in gets}
    for _ in range(ROUNDS):  # in turn, so that a machine's moods meet all alike
        for name, (port, path) in gets.items():
            rows[name].append(run(port, repeat(request("GET", path)), CLIENTS, SECONDS))
    rows["a booking stored"] = [run(service, _bookings(service), CLIENTS, 3 * SECONDS)]
    return rows


def _bookings(port: int) -> Iterator[bytes]:
    """Book times that do not overlap, each for somebody else."""
    base = f"http://127.0.0.1:{port}/api/v1"
    version = requests.get(f"{base}/offer", timeout=10).json()["terms_version"]
    today = datetime.now(UTC).date().isoformat()
    days = requests.get(f"{base}/slots?from={today}&days=28", timeout=10).json()["days"]
    free_from: dict[str, str] = {}
    numbers = count(1_000_000)
    for slot in (slot for day in days for slot in day["slots"]):
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
    hello = median(result.per_second for result in rows["Flask says hello"])
    table = {
        name: {
            "per_second": round(median(r.per_second for r in results), 1),
            "of_hello": round(median(r.per_second for r in results) / hello, 3),
            "p50_ms": round(median(r.p50 for r in results), 1),
            "p99_ms": round(median(r.p99 for r in results), 1),
            "answers": results[-1].statuses,
        }
        for name, results in rows.items()
    }
    sys.stdout.write(f"{'':26}{'a second':>10}{'of hello':>10}{'p50 ms':>9}{'p99 ms':>9}\n")
    for name, row in table.items():
        figures = (
            f"{row['per_second']:>10}{row['of_hello']:>10}{row['p50_ms']:>9}{row['p99_ms']:>9}"
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
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    quiet = ["--no-control-socket", "--log-level", "error"]
    server = subprocess.Popen([*command, *quiet, application], env=environment, cwd=ROOT)
    try:
        wait_until(lambda: is_open(port), application, timeout_seconds=30)
        yield port
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
