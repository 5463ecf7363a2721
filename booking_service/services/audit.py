"""Writing the audit log. The database chains the rows when they commit."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import Actor, AuditRow


def record(
    session: Session, actor: Actor, action: str, subject_id: UUID, /, **after: str | int
) -> UUID:
    """Note what an actor changed: ids, statuses and codes only, never names or contact data.

    Returns the row's id, for those who tell of the change.
    """
    row = _row(actor, action, subject_id, after)
    session.add(row)
    return row.id


def moved(
    session: Session, kind: str, subject_id: UUID, was: str | None, is_: str, /, **about: str | int
) -> None:
    """Note that a status followed from something else; who decided that has a row of their own.

    Each row begins where the one before it ended, so the log alone tells the way of a refund, and
    of a promise from `open` on. `was` is None for what did not exist.
    """
    row = _row(Actor.system(), f"{kind}.{is_}", subject_id, {"status": is_, **about})
    row.before = {} if was is None else {"status": was}
    session.add(row)


def _row(actor: Actor, action: str, subject_id: UUID, after: Mapping[str, str | int]) -> AuditRow:
    return AuditRow(
        id=uuid4(),
        at=utc_now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=action,
        subject_id=subject_id,
        before={},
        after=dict(after),
    )
