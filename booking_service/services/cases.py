"""Cases: opening what a person must look at, once while it is open, and giving it an owner."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ScalarSelect, exists, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid
from booking_service.models import (
    Actor,
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    Role,
    Settlement,
    StaffMember,
)
from booking_service.services import audit

# The same trouble may still be there after this long, and nobody would have noticed.
_DUE_AFTER: Final = timedelta(days=1)
_DUE_LATER: Final[Mapping[CaseType, timedelta]] = {
    CaseType.STRIPE_LOCKED_OUT: timedelta(hours=1),
    CaseType.WORK_STUCK: timedelta(hours=4),
    CaseType.GOODWILL_ASKED: timedelta(days=2),
    CaseType.REFUNDED_OUTSIDE: timedelta(days=3),
    CaseType.BOOKS_DIFFER: timedelta(days=3),
    CaseType.REFUND_BLOCKED: timedelta(days=7),  # when the bank does not say by when
    CaseType.DISPUTE_OPEN: timedelta(days=7),
}

# The detail of a case whose refund succeeded while a payment outside Stripe was recorded.
RETURNED_AFTER_ALL: Final = "returned_after_all"


def open_(
    session: Session,
    type_: CaseType,
    subject_id: UUID,
    detail: str,
    amount_cents: int | None = None,
    *,
    due_at: datetime | None = None,
) -> None:
    """Open a case, unless the same one is open, and give it to whoever has the fewest.

    Args:
        session: the caller's transaction.
        type_: why a person must look.
        subject_id: the refund, payment, message or other record it is about.
        detail: a code, never personal data.
        amount_cents: how much money waits for it.
        due_at: until when, if somebody else says so, like a bank; by the type otherwise.
    """
    now = utc_now()
    session.execute(
        insert(Case)
        .values(
            type=type_,
            status=CaseStatus.OPEN,
            subject_id=subject_id,
            detail=detail,
            amount_cents=amount_cents,
            owner_id=_least_busy(),
            opened_at=now,
            due_at=due_at or now + _DUE_LATER.get(type_, _DUE_AFTER),
        )
        .on_conflict_do_nothing(
            index_elements=[Case.type, Case.subject_id],
            # In words: as a parameter of a prepared statement it fits no partial index.
            index_where=text("status = 'open'"),
        )
    )


def resolve(session: Session, type_: CaseType, subject_id: UUID) -> None:
    """Close a case whose reason is gone.

    While a payment outside Stripe waits for approval, the same money is about to be paid twice:
    then the case stays and says so, until somebody has withdrawn that payment.
    """
    case = (Case.type == type_, Case.subject_id == subject_id, Case.status == CaseStatus.OPEN)
    is_paid_elsewhere = exists().where(
        Settlement.refund_id == Case.subject_id,
        Settlement.withdrawn_at.is_(None),
        Settlement.approved_at.is_(None),
    )
    session.execute(update(Case).where(*case, is_paid_elsewhere).values(detail=RETURNED_AFTER_ALL))
    session.execute(
        update(Case)
        .where(*case, ~is_paid_elsewhere)
        .values(status=CaseStatus.RESOLVED, resolved_at=utc_now(), resolved_by=Actor.system().name)
    )


def close(session: Session, case: Case, action: CaseAction, actor: Actor, note: str) -> None:
    """Close a case by what a person did about it."""
    case.status = CaseStatus.RESOLVED
    case.resolved_at = utc_now()
    case.resolved_by = actor.name
    case.resolution = action
    case.note = note or case.note
    audit.record(session, actor, "case.resolved", case.id, type=case.type, action=action)


def assign(case_ids: Sequence[UUID], owner_id: UUID | None, actor: Actor) -> int:
    """Give open cases to somebody, and return how many were open.

    Raises:
        Invalid: that is nobody who works in finance.
    """
    with transaction() as session:
        owner = owner_of(session, owner_id)
        given = session.scalars(
            select(Case)
            .where(Case.id.in_(case_ids), Case.status == CaseStatus.OPEN)
            .order_by(Case.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).all()
        for case in given:
            hand_over(session, case, owner, actor)
    return len(given)


def owner_of(session: Session, owner_id: UUID | None) -> StaffMember:
    """Return who would own a case.

    Raises:
        Invalid: that is nobody who works in finance.
    """
    member = session.get(StaffMember, owner_id) if owner_id else None
    if member is None or member.disabled_at or member.role is Role.FRONT_DESK:
        raise Invalid(FieldError("owner_id", "unknown_choice", "Choose somebody in finance."))
    return member


def hand_over(session: Session, case: Case, owner: StaffMember, actor: Actor) -> None:
    """Give an open case to somebody."""
    case.owner_id = owner.id
    audit.record(session, actor, "case.assigned", case.id, owner=str(owner.id))


def _least_busy() -> ScalarSelect[UUID]:
    """Who of finance has the fewest open cases; nothing when the practice has no finance."""
    has_open = (
        select(func.count())
        .select_from(Case)
        .where(Case.owner_id == StaffMember.id, Case.status == CaseStatus.OPEN)
        .correlate(StaffMember)
        .scalar_subquery()
    )
    return (
        select(StaffMember.id)
        .where(StaffMember.role == Role.FINANCE, StaffMember.disabled_at.is_(None))
        .order_by(has_open, StaffMember.created_at)
        .limit(1)
        .scalar_subquery()
    )
