"""Finance's reads of cases: the list, one case with what may be done about it, its owners."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, join, or_, select, tuple_
from sqlalchemy.orm import aliased

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import FieldError, Invalid, NotFound
from booking_service.models import (
    ACTIONS,
    Booking,
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    Dispute,
    DisputeStatus,
    Membership,
    OutboxMessage,
    Patient,
    Payment,
    Promise,
    Refund,
    RefundStatus,
    Role,
    Settlement,
    StaffMember,
    Subject,
    objection,
)

# A case is about a refund, a payment, a dispute, a promise, a membership, or work.
_SOURCE: Final = (
    join(Case, Refund, Refund.id == Case.subject_id, isouter=True)
    .outerjoin(Dispute, Dispute.id == Case.subject_id)
    .outerjoin(Promise, Promise.id == Case.subject_id)
    .outerjoin(Membership, Membership.id == func.coalesce(Dispute.membership_id, Case.subject_id))
    .outerjoin(
        Payment,
        Payment.id
        == func.coalesce(
            Refund.payment_id, Dispute.payment_id, Promise.payment_id, Case.subject_id
        ),
    )
    .outerjoin(Booking, Booking.id == func.coalesce(Payment.booking_id, Membership.booking_id))
    .outerjoin(Patient, Patient.id == Booking.patient_id)
    .outerjoin(Settlement, (Settlement.refund_id == Refund.id) & Settlement.withdrawn_at.is_(None))
    .outerjoin(StaffMember, StaffMember.id == Case.owner_id)
    .outerjoin(OutboxMessage, OutboxMessage.id == Case.subject_id)
)


_OTHER: Final = aliased(Refund)
_LOST: Final = aliased(Dispute)
# What of the payment behind a case went back otherwise, or was taken by a bank.
_GONE: Final = (
    select(func.coalesce(func.sum(_OTHER.amount_cents), 0))
    .where(
        _OTHER.payment_id == Refund.payment_id,
        _OTHER.id != Refund.id,
        _OTHER.status.not_in((RefundStatus.FAILED, RefundStatus.CANCELED)),
    )
    .correlate(Refund)
    .scalar_subquery()
) + (
    select(func.coalesce(func.sum(_LOST.amount_cents), 0))
    .where(_LOST.payment_id == Refund.payment_id, _LOST.status == DisputeStatus.LOST)
    .correlate(Refund)
    .scalar_subquery()
)


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which open cases. None means any."""

    type: CaseType | None = None
    owner_id: UUID | None = None
    is_nobodys: bool = False
    is_overdue: bool = False
    q: str = ""  # part of a booking code, or a whole Stripe id


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case in a list. Money in US cents."""

    id: UUID
    type: CaseType
    status: CaseStatus
    subject_id: UUID
    detail: str
    amount_cents: int | None
    owner: str | None
    opened_at: datetime
    due_at: datetime
    refund_id: UUID | None  # when the subject is a refund
    code: str | None  # the booking's, when there is one behind it
    resolution: CaseAction | None
    resolved_by: str | None
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseView(CaseRow):
    """A case with what it is about, and what the one who looks may do about it."""

    owner_id: UUID | None
    note: str | None
    patient: str | None
    booking_id: UUID | None
    subject: Subject
    work: OutboxMessage | None
    actions: Sequence[CaseAction]
    objections: Mapping[CaseAction, str] = field(default_factory=dict)  # what is refused, and why


@dataclass(frozen=True, slots=True)
class GoodwillView:
    """A payment of which some may be given back, and what was decided about it before."""

    payment: Payment
    booking: Booking
    patient: str | None
    refunds: Sequence[Refund]


@dataclass(frozen=True, slots=True)
class CasePage:
    """A page of cases, the most urgent first, with the count and sum of the whole filter."""

    items: Sequence[CaseView]
    count: int
    total_cents: int
    next_cursor: str | None


def cases(
    chosen: CaseFilter, actor_id: UUID | None, cursor: str | None = None, limit: int = 50
) -> CasePage:
    """Return one page of the open cases that match, after `cursor`.

    Raises:
        Invalid: the cursor is none of ours.
    """
    conditions = _conditions(chosen)
    count, total_cents = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Case.amount_cents), 0))
        .select_from(_SOURCE)
        .where(*conditions)
    ).one()
    query = _rows().where(*conditions).limit(limit + 1)
    if cursor:
        query = query.where(tuple_(Case.due_at, Case.id) > tuple_(*_read(cursor)))
    found = [_view(row, actor_id) for row in db.session.execute(query)]
    return CasePage(
        items=found[:limit],
        count=count,
        total_cents=int(total_cents or 0),
        next_cursor=_write(found[limit - 1]) if len(found) > limit else None,
    )


def cases_to_export(chosen: CaseFilter) -> Iterator[CaseRow]:
    """Yield every open case that matches, the most urgent first."""
    for row in db.session.execute(_rows().where(*_conditions(chosen))):
        yield _view(row, None)


def case(case_id: UUID, actor_id: UUID | None) -> CaseView:
    """Return one case, open or closed, as the one who acts sees it.

    Raises:
        NotFound: there is no such case.
    """
    row = db.session.execute(_rows().where(Case.id == case_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such case.")
    return _view(row, actor_id)


def open_cases() -> list[CaseView]:
    """Return all that needs a person, the most urgent first."""
    rows = db.session.execute(_rows().where(*_conditions(CaseFilter())))
    return [_view(row, None) for row in rows]


def case_owners() -> Sequence[StaffMember]:
    """Return who may own a case, by name."""
    return db.session.scalars(
        select(StaffMember)
        .where(StaffMember.role != Role.FRONT_DESK, StaffMember.disabled_at.is_(None))
        .order_by(StaffMember.name)
    ).all()


def goodwill(payment_id: UUID) -> GoodwillView:
    """Return what a goodwill refund of a payment would be about.

    Raises:
        NotFound: there is no such payment.
    """
    row = db.session.execute(
        select(Payment, Booking, Patient.name)
        .join(Booking, Booking.id == Payment.booking_id)
        .outerjoin(Patient, Patient.id == Booking.patient_id)
        .where(Payment.id == payment_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such payment.")
    payment, booking, patient = row
    decided = db.session.scalars(
        select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.requested_at)
    ).all()
    return GoodwillView(payment, booking, patient, decided)


def _rows() -> Select[Any]:
    return (
        select(
            Case,
            Refund,
            Payment,
            Settlement,
            OutboxMessage,
            Booking.id,
            Booking.code,
            Patient.name,
            StaffMember.name,
            _GONE,
        )
        .select_from(_SOURCE)
        .order_by(Case.due_at, Case.id)
    )


def _view(row: Any, actor_id: UUID | None) -> CaseView:  # noqa: ANN401  # a row of mixed values
    case_, refund, payment, settlement, work, booking_id, code, patient, owner, gone = row
    subject = Subject(payment, refund, settlement, int(gone))
    refused = {
        action: objection(case_.type, action, subject, actor_id) for action in ACTIONS[case_.type]
    }
    is_open = case_.status is CaseStatus.OPEN
    return CaseView(
        id=case_.id,
        type=case_.type,
        status=case_.status,
        subject_id=case_.subject_id,
        detail=case_.detail,
        amount_cents=case_.amount_cents,
        owner=owner,
        opened_at=case_.opened_at,
        due_at=case_.due_at,
        refund_id=refund.id if refund else None,
        code=code,
        resolution=CaseAction(case_.resolution) if case_.resolution else None,
        resolved_by=case_.resolved_by,
        resolved_at=case_.resolved_at,
        owner_id=case_.owner_id,
        note=case_.note,
        patient=patient,
        booking_id=booking_id,
        subject=subject,
        work=work,
        actions=[action for action, why in refused.items() if is_open and why is None],
        objections={action: why for action, why in refused.items() if is_open and why},
    )


def _conditions(chosen: CaseFilter) -> list[ColumnElement[bool]]:
    conditions = [Case.status == CaseStatus.OPEN]
    if chosen.type:
        conditions.append(Case.type == chosen.type)
    if chosen.is_nobodys:
        conditions.append(Case.owner_id.is_(None))
    if chosen.owner_id:
        conditions.append(Case.owner_id == chosen.owner_id)
    if chosen.is_overdue:
        conditions.append(Case.due_at < utc_now())
    if words := chosen.q.strip():
        conditions.append(
            or_(
                Booking.code.icontains(words, autoescape=True),
                Case.detail == words,
                Refund.stripe_refund_id == words,
                Payment.stripe_payment_intent_id == words,
                Payment.stripe_checkout_session_id == words,
                Dispute.stripe_dispute_id == words,
                Membership.stripe_subscription_id == words,
            )
        )
    return conditions


def _write(last: CaseRow) -> str:
    return f"{last.due_at.isoformat()}_{last.id.hex}"


def _read(cursor: str) -> tuple[datetime, UUID]:
    at, _, id_ = cursor.partition("_")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), UUID(hex=id_)
    except ValueError as error:
        detail = "This page of the list does not exist. Start from the first page."
        raise Invalid(FieldError("cursor", "unknown", detail)) from error
