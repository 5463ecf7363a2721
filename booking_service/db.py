"""The database handle, the model base, and the one way a transaction is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum as PyEnum
from select import POLLIN, poll
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Enum, MetaData
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry
from sqlalchemy.types import TypeEngine

_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}

_TYPES: Final[dict[Any, TypeEngine[Any]]] = {
    datetime: DateTime(timezone=True),
    PyEnum: Enum(
        PyEnum,
        native_enum=False,
        create_constraint=True,
        length=64,
        values_callable=lambda members: [member.value for member in members],
    ),
}


class Base(DeclarativeBase):
    """Base of every model. Models subclass this, not `db.Model`, so that mypy sees the columns."""

    # Flask-SQLAlchemy 3.1 copies this class, so the type map must sit on the registry itself.
    registry = registry(metadata=MetaData(naming_convention=_NAMES), type_annotation_map=_TYPES)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


ModelT = TypeVar("ModelT", bound=Base)

db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


def engine_options(*, pool_size: int) -> dict[str, Any]:
    """Return how to connect: bounded waits everywhere, so that nothing hangs for ever."""
    return {
        "pool_size": pool_size,
        "pool_timeout": 5,
        "pool_recycle": 180,  # seconds; what lies between forgets those that stay silent for longer
        "pool_events": [(_refuse_closed, "checkout")],
        "hide_parameters": True,  # they hold names, and errors are logged
        "connect_args": {
            "connect_timeout": 3,
            "options": "-c timezone=UTC -c lock_timeout=4s -c statement_timeout=15s"
            " -c idle_in_transaction_session_timeout=30s",
        },
    }


def _refuse_closed(connection: Any, *_: object) -> None:  # noqa: ANN401  # psycopg's
    """Let the pool connect anew in the place of a connection that the server has closed.

    It has nothing to say to one that waits for us: whatever has come is its farewell. To look at
    the socket costs a twentieth of asking the server, which a pool can do by itself.
    """
    socket = poll()
    socket.register(connection, POLLIN)
    if socket.poll(0):
        raise DisconnectionError


@contextmanager
def transaction() -> Iterator[Session]:
    """Run a block as one transaction: commit when it ends, roll back when it raises.

    Raises:
        RuntimeError: opened inside another transaction. Pass the session down instead.
    """
    session: Session = db.session()
    if session.info.get("owned"):
        raise RuntimeError("transactions do not nest: pass the session to the inner function")
    # What a page read earlier was another snapshot; deciding starts from a fresh one.
    session.rollback()
    session.info["owned"] = True
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["owned"] = False


def locked(session: Session, model: type[ModelT], id_: UUID) -> ModelT:
    """Lock a row until the transaction ends, and read it afresh.

    Without `populate_existing` a session that already knew the row would wait for the lock and
    then answer with what it remembered from before the wait.

    Raises:
        NoResultFound: there is no such row.
    """
    return session.get_one(model, id_, with_for_update=True, populate_existing=True)


def leave_for_the_network() -> None:
    """Give the connection back before talking to the network, which may be slow.

    What a page has read so far is read again when it is needed next.

    Raises:
        RuntimeError: inside `transaction()`. A row locked across a call of Stripe's would stay
            locked for as long as Stripe is slow.
    """
    session: Session = db.session()
    if session.info.get("owned"):
        raise RuntimeError("network call inside a database transaction")
    session.rollback()


def violated(error: DBAPIError) -> str | None:
    """Return the name of the constraint that refused a statement, if one did."""
    diagnostics = getattr(error.orig, "diag", None)
    name: str | None = getattr(diagnostics, "constraint_name", None)
    return name
