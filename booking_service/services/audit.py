"""Writing the audit log. The database chains the rows when they commit."""

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
    row = AuditRow(
        id=uuid4(),
        at=utc_now(),
        actor_kind=actor.kind,
        actor_id=actor.id,
        action=action,
        subject_id=subject_id,
        before={},
        after=after,
    )
    session.add(row)
    return row.id
