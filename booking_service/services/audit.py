"""Writing the audit log. The database chains the rows when they commit."""

from uuid import UUID

from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import Actor, AuditRow


def record(
    session: Session, actor: Actor, action: str, subject_id: UUID, /, **after: str | int
) -> None:
    """Note what an actor changed: ids, statuses and codes only, never names or contact data."""
    session.add(
        AuditRow(
            at=utc_now(),
            actor_kind=actor.kind,
            actor_id=actor.id,
            action=action,
            subject_id=subject_id,
            before={},
            after=after,
        )
    )
