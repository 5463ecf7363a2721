"""Many people at the same instant, and ways to take a protection out."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy import text

from booking_service.db import Base, db


def at_once(app: Flask, count: int, press: Callable[[int], Any]) -> list[Any]:
    """Call `press` from `count` threads that begin together; a refusal is an outcome, too."""
    start = Barrier(count)

    def one(number: int) -> Any:
        with app.app_context():
            start.wait()
            try:
                return press(number)
            except Exception as refusal:  # noqa: BLE001 - it is what the test looks at
                return refusal

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@contextmanager
def without_constraint(table: str, name: str) -> Iterator[None]:
    """Take a constraint or unique index out of the database, and put it back on an empty one."""
    is_index = "pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid"
    is_constraint = "pg_get_constraintdef(oid) FROM pg_constraint WHERE conname"
    db.session.rollback()  # what this thread has read would keep the table locked
    with db.engine.begin() as connection:
        rule = connection.scalar(text(f"SELECT {is_constraint} = :name"), {"name": name})
        if rule is None:
            found = text(f"SELECT {is_index} = CAST(:name AS regclass)")
            drop, restore = f"DROP INDEX {name}", connection.scalar(found, {"name": name})
        else:
            drop = f"ALTER TABLE {table} DROP CONSTRAINT {name}"
            restore = f"ALTER TABLE {table} ADD CONSTRAINT {name} {rule}"
        connection.execute(text(drop))
    try:
        yield
    finally:
        db.session.rollback()
        tables = ", ".join(each.name for each in Base.metadata.sorted_tables)
        with db.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables}"))
            connection.execute(text(restore))


def plain_read(session, model, id_):
    """What `locked` would be without the lock."""
    return session.get_one(model, id_, populate_existing=True)
