"""New rows of several tables in one statement: what a booking writes goes over the wire once."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, bindparam, insert, literal_column, select
from sqlalchemy.orm import Session

from booking_service.db import Base

Row = Mapping[str, Any]
_Columns = tuple[str, ...]
_Shape = tuple[tuple[type[Base], tuple[_Columns, ...]], ...]

_NOTHING: Final[ColumnElement[int]] = literal_column("1")  # the statement has to ask for something


def insert_together(session: Session, rows: Mapping[type[Base], Sequence[Row]]) -> None:
    """Insert new rows of several models at once; those of one model in their order.

    What a row leaves out is the model's default. The session does not get to know the rows.

    Raises:
        IntegrityError: a constraint refuses one of them, and none is written.
    """
    whole = [
        (model, [{**_defaults_but(model, row), **row} for row in new])
        for model, new in rows.items()
    ]
    shape = tuple((model, tuple(tuple(row) for row in new)) for model, new in whole)
    facts = {
        _place(name, model, number): value
        for model, new in whole
        for number, row in enumerate(new)
        for name, value in row.items()
    }
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
    """Return the statement that inserts rows with these columns. Built once: it takes long."""
    return select(_NOTHING).add_cte(*(_insert(model, new) for model, new in shape))


def _insert(model: type[Base], new: tuple[_Columns, ...]) -> CTE:
    types = {column.key: column.type for column in model.__table__.columns}
    rows = [
        {name: bindparam(_place(name, model, number), type_=types[name]) for name in columns}
        for number, columns in enumerate(new)
    ]
    return insert(model).values(rows).cte(f"new_{model.__tablename__}")


def _place(name: str, model: type[Base], number: int) -> str:
    """Return the name of a value in the statement."""
    return f"{model.__tablename__}_{number}_{name}"
