"""What happened to a visit and who did it, and what the desk noted about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select

from booking_service.db import db
from booking_service.models import (
    ActorKind,
    ApiToken,
    AuditLink,
    AuditRow,
    Booking,
    Membership,
    Payment,
    Refund,
    StaffMember,
    VisitNote,
)

# Looking is written down, too, but nothing happened by it; of notes the words are shown instead.
_NOT_TOLD: Final = ("booking.view", "booking.print", "patient.view", "booking.note")
_WHO: Final = {ActorKind.PATIENT: "Patient", ActorKind.SYSTEM: "First Visit"}


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: its action as the audit log has it, with what it is told by."""

    at: datetime
    by: str
    action: str
    after: dict[str, Any]


def happened(booking_id: UUID) -> list[Happened]:
    """Return everything that was done about a visit, its money and its membership, newest first."""
    patient = select(Booking.patient_id).where(Booking.id == booking_id)
    membership = select(Membership.id).where(Membership.booking_id == booking_id)
    refund = select(Refund.id).join(Payment, Payment.id == Refund.payment_id)
    about = or_(
        AuditRow.subject_id == booking_id,
        AuditRow.subject_id.in_(patient),
        AuditRow.subject_id.in_(membership),
        AuditRow.subject_id.in_(refund.where(Payment.booking_id == booking_id)),
    )
    rows = db.session.execute(
        select(AuditRow, func.coalesce(StaffMember.name, ApiToken.name))
        .join(AuditLink, AuditLink.row_id == AuditRow.id)
        .outerjoin(StaffMember, StaffMember.id == AuditRow.actor_id)
        .outerjoin(ApiToken, ApiToken.id == AuditRow.actor_id)
        .where(about, AuditRow.action.not_in(_NOT_TOLD))
        .order_by(AuditLink.number.desc())
    )
    return [
        Happened(row.at, _WHO.get(row.actor_kind, name or "Somebody"), row.action, row.after)
        for row, name in rows
    ]


def notes(booking_id: UUID) -> Sequence[VisitNote]:
    """Return what the desk noted about a visit, newest first."""
    return db.session.scalars(
        select(VisitNote)
        .where(VisitNote.booking_id == booking_id)
        .order_by(VisitNote.written_at.desc(), VisitNote.id)
    ).all()
