"""Writing the audit log. The database chains the rows when they commit."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import Actor, AuditRow
from booking_service.services.inserts import Row

_KEEP: Final = insert(AuditRow)


def record(
    session: Session, actor: Actor, action: str, subject_id: UUID, /, **after: str | int
) -> UUID:
    """Note what an actor changed: ids, statuses and codes only, never names or contact data.

    Returns the row's id, for those who tell of the change.
    """
    return write(session, row(actor, action, subject_id, **after))


def row(actor: Actor, action: str, subject_id: UUID, /, **after: str | int) -> Row:
    """Return what `record` would write, for those who write it together with other rows."""
    return _row(actor, action, subject_id, before={}, after=after)


def moved(
    session: Session, kind: str, subject_id: UUID, was: str | None, is_: str, /, **about: str | int
) -> None:
    """Note that a status followed from something else; who decided that has a row of their own.

    Each row begins where the one before it ended, so the log alone tells the way of a refund, and
    of a promise from `open` on. `was` is None for what did not exist.
    """
    before = {} if was is None else {"status": was}
    after = {"status": is_, **about}
    write(session, _row(Actor.system(), f"{kind}.{is_}", subject_id, before=before, after=after))


def write(session: Session, row: Row) -> UUID:
    """Write a row, and return its id."""
    # The connection's, not the session's: nothing reads the row back, and there are many.
    session.connection().execute(_KEEP, row)
    row_id: UUID = row["id"]
    return row_id


def _row(actor: Actor, action: str, subject_id: UUID, **states: Mapping[str, Any]) -> Row:
    return {
        "id": uuid4(),
        "at": utc_now(),
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "action": action,
        "subject_id": subject_id,
        **states,
    }
