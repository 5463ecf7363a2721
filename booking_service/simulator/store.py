"""What the simulator remembers: objects as JSON in one SQLite table, and small ledgers beside."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import Any, Final

from booking_service.simulator.checks import Json, Value

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
  owner TEXT, created INTEGER NOT NULL, body TEXT NOT NULL,
  payment_intent TEXT, customer TEXT, charge TEXT, invoice TEXT);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS timers (
  id INTEGER PRIMARY KEY, due REAL NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL,
  line TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY, event TEXT NOT NULL, due REAL, attempts INTEGER NOT NULL DEFAULT 0,
  is_done INTEGER NOT NULL DEFAULT 0, endpoint TEXT NOT NULL DEFAULT '',
  since REAL NOT NULL DEFAULT 0, is_received INTEGER NOT NULL DEFAULT 0,
  status INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS paid_out (movement TEXT PRIMARY KEY, payout TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL,
  request_id TEXT NOT NULL, created INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS objects_of_owner ON objects (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_intent ON objects (payment_intent)
  WHERE payment_intent IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_customer ON objects (customer) WHERE customer IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_charge ON objects (charge) WHERE charge IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_of_invoice ON objects (invoice) WHERE invoice IS NOT NULL;
CREATE INDEX IF NOT EXISTS timers_due ON timers (line, due, id);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due) WHERE is_done = 0;
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS answers_created ON answers (created);
"""
# Fields by which objects are looked for: each is a column too, since an index on JSON would read
# every body once more for each of them.
_KEYS: Final = ("payment_intent", "customer", "charge", "invoice")
_PUT: Final = f"""
INSERT INTO objects (id, kind, owner, created, body, {", ".join(_KEYS)})
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET body = excluded.body,
  {", ".join(f"{name} = excluded.{name}" for name in _KEYS)}
"""  # noqa: S608 - our own names
TABLES: Final = ("objects", "timers", "deliveries", "answers", "facts", "paid_out")


Condition = tuple[str, tuple[Any, ...]]  # SQL on a row of objects, and its values


class StoreClosed(Exception):
    """The simulator has stopped; what was still to be written is owed when it starts again."""


@dataclass(frozen=True)
class Page:
    """Which part of a list is asked for, newest first; `limit` counts objects."""

    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


class Store:
    """One SQLite connection behind one lock: everything that happens, happens in a row."""

    def __init__(self, path: str | None) -> None:
        """Open the file, or memory when there is no path."""
        self.lock = RLock()
        self._depth = 0
        self._is_closed = False
        self._db = sqlite3.connect(
            path or ":memory:", isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        if path:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do everything inside or nothing; an inner one is a savepoint of the outer one.

        Raises:
            StoreClosed: the file is closed.
        """
        with self.lock:
            self._refuse_if_closed()
            self._depth += 1
            name = f"level_{self._depth}"
            self._db.execute(f"SAVEPOINT {name}")
            try:
                yield
            except BaseException:
                self._db.execute(f"ROLLBACK TO {name}")
                raise
            finally:
                self._db.execute(f"RELEASE {name}")
                self._depth -= 1

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one statement and return all its rows.

        Raises:
            StoreClosed: the file is closed.
        """
        with self.lock:
            self._refuse_if_closed()
            return self._db.execute(sql, values).fetchall()

    def put(self, thing: Json, owner: str | None = None) -> None:
        """Write an object: a new one, or what has become of an old one."""
        body = json.dumps(thing, separators=(",", ":"))
        keys = [thing.get(name) for name in _KEYS]
        self.rows(_PUT, (thing["id"], thing["object"], owner, thing.get("created", 0), body, *keys))

    def find(self, id_: str, kind: str | None = None) -> Json | None:
        """Return a copy of an object, or None."""
        found = self.rows("SELECT kind, body FROM objects WHERE id = ?", (id_,))
        if not found or (kind is not None and found[0]["kind"] != kind):
            return None
        return _read(found[0])

    def owned(self, owner: str, kind: str) -> list[Json]:
        """Return the objects that exist only as a part of another, oldest first."""
        sql = "SELECT body FROM objects WHERE owner = ? AND kind = ? ORDER BY seq"
        return [_read(row) for row in self.rows(sql, (owner, kind))]

    def owner_of(self, id_: str) -> str | None:
        """Return what an object is a part of."""
        found = self.rows("SELECT owner FROM objects WHERE id = ?", (id_,))
        return found[0]["owner"] if found else None

    def all(self, kind: str, **fields: Value) -> list[Json]:
        """Return the objects of a kind with these field values, newest first."""
        conditions = [field_is(name, value) for name, value in fields.items()]
        return self.select(kind, conditions, Page(limit=-1))[0]

    def select(
        self, kind: str, conditions: Sequence[Condition], page: Page
    ) -> tuple[list[Json], bool]:
        """Return one page of a kind, newest first, and whether more follow.

        Raises:
            LookupError: a cursor names nothing.
        """
        where: list[Condition] = [("kind = ?", (kind,)), *conditions]
        backwards = page.ending_before is not None
        if cursor := page.starting_after or page.ending_before:
            known = self.rows("SELECT seq FROM objects WHERE id = ?", (cursor,))
            if not known:
                raise LookupError(cursor)
            where.append(("seq > ?" if backwards else "seq < ?", (known[0]["seq"],)))
        sql = (
            f"SELECT body FROM objects WHERE {' AND '.join(text for text, _ in where)}"  # noqa: S608 - our own names
            f" ORDER BY seq {'ASC' if backwards else 'DESC'} LIMIT ?"
        )
        more = page.limit + 1 if page.limit >= 0 else -1
        values = [value for _, some in where for value in some]
        found = [_read(row) for row in self.rows(sql, [*values, more])]
        shown = found[: page.limit] if page.limit >= 0 else found
        return shown[::-1] if backwards else shown, len(found) > len(shown)

    def fact(self, name: str, default: str = "") -> str:
        """Return a remembered setting."""
        found = self.rows("SELECT value FROM facts WHERE name = ?", (name,))
        return str(found[0]["value"]) if found else default

    def remember(self, name: str, value: str) -> None:
        """Keep a setting over a restart."""
        self.rows("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, value))

    def delete(self, id_: str) -> None:
        """Forget an object."""
        self.rows("DELETE FROM objects WHERE id = ?", (id_,))

    def clear(self) -> None:
        """Forget everything."""
        with self.transaction():
            for table in TABLES:
                self.rows(f"DELETE FROM {table}")  # noqa: S608 - our own names

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._is_closed = True
            self._db.close()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise StoreClosed


def field_is(name: str, value: Value) -> Condition:
    """Return the condition that a field of an object has this value."""
    return f"{name} = ?" if name in _KEYS else f"json_extract(body, '$.{name}') = ?", (value,)


def _read(row: sqlite3.Row) -> Json:
    thing: Json = json.loads(row["body"])
    return thing
