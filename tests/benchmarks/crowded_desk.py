"""How the front desk's pages grow: a day of 12 practitioners and 200 visits, then a million past.

Run with `python -m tests.benchmarks.crowded_desk`. Pages are asked for one after another over one
connection, as a desk does; sizes are those of the compressed answer. Rows are written in SQL.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from zoneinfo import ZoneInfo

import psycopg
import requests
from psycopg.sql import SQL

from booking_service.local.embedded import Postgres, Valkey
from booking_service.local.ports import free_port
from tests.benchmarks.__main__ import _booking, _environment, _served

ASKED, PAST = 100, 1_000_000
PRACTITIONERS, VISITS = 12, 200
ZONE = ZoneInfo("America/New_York")
_COLUMNS = """
WITH made AS (
    INSERT INTO practitioners (id, name, room, position, is_bookable)
    SELECT gen_random_uuid(), 'Dr. Number ' || n, 'Room ' || n, n, true
    FROM generate_series(4, {doctors}) n RETURNING id
)
INSERT INTO working_hours (id, practitioner_id, weekday, opens_minute, closes_minute)
SELECT gen_random_uuid(), made.id, weekday, 480, 960 FROM made, generate_series(0, 6) weekday
"""
# Visits of twenty minutes side by side from 6 AM on, each of a patient of its own, all paid.
_VISITS = """
INSERT INTO patients (id, name, name_key, email, phone, locale)
SELECT md5({kind} || n)::uuid, 'Maria Fernández-Villanueva ' || n,
    'maria fernández-villanueva ' || n, {kind} || n || '@example.com',
    '+1518' || lpad(n::text, 7, '0'), 'en'
FROM generate_series(0, {count} - 1) n;
INSERT INTO bookings (id, code, practitioner_id, patient_id, status, starts_at, ends_at, created_at,
    arrived_at, save_card, moves)
SELECT md5({kind} || n)::uuid, upper('FV-' || {kind} || n), doctor.id,
    md5({kind} || n)::uuid, {status}, starts_at, starts_at + interval '20 min', starts_at,
    starts_at, false, 0
FROM generate_series(0, {count} - 1) n
CROSS JOIN LATERAL (SELECT {first}::timestamptz
    + (n / {doctors} % 40) * interval '20 min'
    - (n / {doctors} / 40) * interval '1 day' AS starts_at) at
JOIN (SELECT id, row_number() OVER (ORDER BY position) - 1 AS place FROM practitioners) doctor
    ON doctor.place = n % {doctors};
INSERT INTO payments (id, booking_id, offer_id, status, amount_cents, currency, tender, created_at,
    paid_at, stripe_payment_intent_id, card_brand, card_last4)
SELECT id, id, (SELECT id FROM offers), 'paid', 3900, 'usd', 'card', created_at, created_at,
    'pi_' || id, 'visa', lpad((hashtext(id::text) & 8191)::text, 4, '0')
FROM bookings WHERE code LIKE upper('FV-' || {kind} || '%');
"""


def main() -> None:
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = stack.enter_context(Postgres(var, free_port()))
        valkey = stack.enter_context(Valkey(var, free_port()))
        url = postgres.create_database("desk")
        environment = _environment(url, valkey.url, "http://127.0.0.1:1")
        _booking(environment, "db", "upgrade")
        staff = _seeded(environment)
        port = stack.enter_context(_served("booking_service:create_app()", environment))
        desk = Desk(f"http://127.0.0.1:{port}", staff)
        rows = stack.enter_context(psycopg.connect(url.replace("+psycopg", ""), autocommit=True))

        # What keeps free times and the audit up to date is not measured here.
        rows.execute("SET session_replication_role = replica")
        rows.execute(SQL(_COLUMNS).format(doctors=PRACTITIONERS))
        dawn = datetime.now(ZONE).replace(hour=6, minute=0, second=0, microsecond=0)
        _fill(rows, kind="T", count=VISITS, status="arrived", first=dawn)
        _show(f"{VISITS} visits of {PRACTITIONERS} practitioners", desk, dawn)
        _fill(rows, kind="P", count=PAST, status="completed", first=dawn - timedelta(days=1))
        rows.execute("ANALYZE")
        _show(f"the same, with {PAST:,} past visits", desk, dawn)


def _fill(rows: psycopg.Connection, **values: object) -> None:
    for statement in _VISITS.split(";")[:-1]:
        rows.execute(SQL(statement).format(doctors=PRACTITIONERS, **values))


def _seeded(environment: dict[str, str]) -> dict[str, str]:
    booking = Path(sys.executable).parent / "booking"
    told = subprocess.run(
        [booking, "seed", "demo", "--json"], env=environment, check=True, capture_output=True
    )
    staff: list[dict[str, str]] = json.loads(told.stdout)["staff"]
    return next(one for one in staff if one["role"] == "front_desk")


class Desk:
    """Somebody of the front desk who asks for pages."""

    def __init__(self, base: str, staff: dict[str, str]) -> None:
        self._base = base
        self._session = requests.Session()
        self._session.headers["Accept-Encoding"] = "gzip"
        self._csrf = ""
        self.open("/sign-in")
        self.send("/sign-in", email=staff["email"], password=staff["password"])

    def open(self, path: str) -> requests.Response:
        return self._read(self._session.get(self._base + path, timeout=60))

    def send(self, path: str, **fields: str) -> requests.Response:
        sent = {"csrf_token": self._csrf, **fields}
        return self._read(self._session.post(self._base + path, data=sent, timeout=60))

    def _read(self, answer: requests.Response) -> requests.Response:
        answer.raise_for_status()
        if found := re.search(r'name="csrf_token" value="([^"]+)"', answer.text):
            self._csrf = found[1]
        return answer


def _show(title: str, desk: Desk, day: datetime) -> None:
    path = f"/desk/{day:%Y-%m-%d}"
    visit = re.search(r"/desk/visit/[0-9a-f-]+", desk.open(path).text)
    if visit is None:
        raise RuntimeError("nobody is shown on the day")
    asked = {
        "the day": lambda: desk.open(path),
        "its board, looked at again": lambda: desk.open(f"{path}/board"),
        "one visit": lambda: desk.open(visit[0]),
        "search by a name": lambda: desk.send("/desk/search", q="villanueva 150"),
        "search by four digits": lambda: desk.send("/desk/search", q="0150"),
    }
    sys.stdout.write(f"{title}\n{'':28}{'p50 ms':>9}{'p95 ms':>9}{'KB gzipped':>12}\n")
    for name, ask in asked.items():
        times = []
        for _ in range(ASKED):
            began = time.perf_counter()
            answer = ask()
            times.append((time.perf_counter() - began) * 1000)
        cuts = quantiles(times, n=20)
        size = int(answer.headers["Content-Length"]) / 1024
        sys.stdout.write(f"{name:28}{cuts[9]:>9.1f}{cuts[18]:>9.1f}{size:>12.1f}\n")


if __name__ == "__main__":
    main()
