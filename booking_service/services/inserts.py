"""New rows of several tables in one statement: what a booking writes goes over the wire once."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, bindparam, insert, literal_column, select
from sqlalchemy.orm import Session

from booking_service.db import Base

Row = Mapping[str, Any]
_Shape = tuple[tuple[type[Base], tuple[str, ...]], ...]

_NOTHING: Final[ColumnElement[int]] = literal_column("1")  # the statement has to ask for something


def insert_together(session: Session, *rows: tuple[type[Base], Row]) -> None:
    """Insert new rows of several models at once.

    What a row leaves out is the model's default. The session does not get to know the rows.

    Raises:
        IntegrityError: a constraint refuses one of them, and none is written.
    """
    whole = [(model, {**_defaults_but(model, row), **row}) for model, row in rows]
    facts = {
        _place(number, name): value
        for number, (_, row) in enumerate(whole)
        for name, value in row.items()
    }
    shape = tuple((model, tuple(row)) for model, row in whole)
    session.connection().execute(_statement(shape), facts)


def _defaults_but(model: type[Base], row: Row) -> Row:
    return {
        name: default.arg(None) if default.is_callable else default.arg
        for name, default in _defaults(model).items()
        if name not in row
    }


@cache
def _defaults(model: type[Base]) -> Mapping[str, Any]:
    return {column.key: column.default for column in model.__table__.columns if column.default}


@cache
def _statement(shape: _Shape) -> Select[int]:
    """Return the statement that inserts such rows. Built once: to build it takes long."""
    parts = [_insert(number, *row) for number, row in enumerate(shape)]
    # PostgreSQL works such parts off from the last to the first.
    return select(_NOTHING).add_cte(*reversed(parts))


def _insert(number: int, model: type[Base], columns: tuple[str, ...]) -> CTE:
    types = {column.key: column.type for column in model.__table__.columns}
    row = {name: bindparam(_place(number, name), type_=types[name]) for name in columns}
    return insert(model).values(row).cte(f"row_{number}")


def _place(number: int, name: str) -> str:
    """Return the name of a value in the statement."""
    return f"{name}_{number}"
