"""How comparing the books grows: time and memory of matching up to 1,000,000 movements.

Run with `python -m tests.benchmarks.reconciliation`. Each size is matched by a process of its own,
so that one's memory is not the other's. Movements go through the service's own reading, from
a list that is made as it goes, as pages of Stripe's are; the ledger is filled in SQL.
"""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

from sqlalchemy import text

from booking_service.app import create_app
from booking_service.config import Settings
from booking_service.db import db
from booking_service.gateways.books import BookedMovement
from booking_service.local.embedded import Postgres
from booking_service.local.ports import free_port
from booking_service.services import matching
from tests.benchmarks.__main__ import _booking, _environment

SIZES = (10_000, 100_000, 1_000_000)
AT = datetime(2026, 11, 1, tzinfo=UTC)

# The same million on our side: an entry with two lines for each movement.
_ENTRIES = """
INSERT INTO journal_entries (id, kind, subject_id, reference, at, stripe_id)
SELECT md5('e' || n)::uuid, 'payment', md5('s' || n)::uuid, 'pi_' || n, now(), 'pi_' || n
FROM generate_series(0, :count - 1) n
"""
_LINES = """
INSERT INTO journal_lines (id, entry_id, account, amount_cents)
SELECT md5(a || n)::uuid, md5('e' || n)::uuid, a, cents FROM generate_series(0, :count - 1) n,
    (VALUES ('stripe_balance', 3757), ('refund_liability', -3757)) v(a, cents)
"""


def movements(count: int) -> Iterator[BookedMovement]:
    """Return movements one by one, as a long list of Stripe's does."""
    for n in range(count):
        yield BookedMovement(f"txn_{n}", "charge", f"pi_{n}", f"pi_{n}", None, 3900, 3757, AT)


def measure(count: int) -> None:
    """Match `count` movements and print seconds and megabytes."""
    app = create_app(Settings.from_env())
    with app.app_context():
        with db.engine.begin() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '10min'"))
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("TRUNCATE stripe_movements, journal_entries CASCADE"))
            for made in (_ENTRIES, _LINES):
                connection.execute(text(made), {"count": count})
        nothing = SimpleNamespace(
            movements=lambda _since: movements(count), membership_payments=lambda _since: iter(())
        )
        started = perf_counter()
        matching.read_news(nothing)
        read = perf_counter() - started
        found = matching.match()
        matched = perf_counter() - started - read
    if (found.matched, found.lines) != (count, []):
        raise SystemExit(f"{found.matched} of {count} match")
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{count:>9,}{read:>10.1f}{matched:>10.2f}{megabytes:>8.0f}\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as var, Postgres(Path(var), free_port()) as postgres:
        environment = _environment(postgres.url, "redis://127.0.0.1:1/0", "http://127.0.0.1:1")
        _booking(environment, "db", "upgrade")
        sys.stdout.write(f"{'movements':>9}{'read s':>10}{'match s':>10}{'MB':>8}\n")
        sys.stdout.flush()
        for size in SIZES:
            command = [sys.executable, "-m", "tests.benchmarks.reconciliation", str(size)]
            subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    measure(int(sys.argv[1])) if len(sys.argv) > 1 else main()
