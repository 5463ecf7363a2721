"""Cases: opening what a person must look at, once while it is open."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import Case, CaseStatus, CaseType

_DUE_AFTER: Final = timedelta(days=1)


def open_(
    session: Session,
    type_: CaseType,
    subject_id: UUID,
    detail: str,
    amount_cents: int | None = None,
) -> None:
    """Open a case, unless the same one is open. `detail` is a code, never personal data."""
    now = utc_now()
    session.execute(
        insert(Case)
        .values(
            type=type_,
            status=CaseStatus.OPEN,
            subject_id=subject_id,
            detail=detail,
            amount_cents=amount_cents,
            opened_at=now,
            due_at=now + _DUE_AFTER,
        )
        .on_conflict_do_nothing(
            index_elements=[Case.type, Case.subject_id],
            # In words: as a parameter of a prepared statement it fits no partial index.
            index_where=text("status = 'open'"),
        )
    )


def resolve(session: Session, type_: CaseType, subject_id: UUID) -> None:
    """Close a case whose reason is gone."""
    session.execute(
        update(Case)
        .where(Case.type == type_, Case.subject_id == subject_id, Case.status == CaseStatus.OPEN)
        .values(status=CaseStatus.RESOLVED, resolved_at=utc_now())
    )
