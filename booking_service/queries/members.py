"""Members as the desk reads them: the list, one of them, and what happened to it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, exists, func, select, tuple_

from booking_service.db import db
from booking_service.errors import FieldError, Invalid
from booking_service.models import (
    Booking,
    Membership,
    MembershipStatus,
    Patient,
    Payment,
    Plan,
    Refund,
    RefundReason,
)
from booking_service.queries.desk_search import fits
from booking_service.queries.desk_visits import JOINED


class Standing(StrEnum):
    """How the desk sorts members. What is past due comes before what is paused or ending."""

    PAST_DUE = "past_due"
    PAUSED = "paused"
    ENDING = "ending"
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members are shown."""

    standing: Standing | None
    q: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One line of the list, and of the file. Money in US cents; `code` is the first visit's."""

    id: UUID
    patient: str
    code: str
    plan: str
    price_cents: int
    standing: Standing
    next_charge_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    joined_at: datetime
    was_refunded: bool  # the first visit went back, or goes


@dataclass(frozen=True, slots=True)
class MemberPage:
    """A part of the list, and how many match in all."""

    items: Sequence[MemberRow]
    count: int
    next_cursor: str | None


_REFUNDED: Final = exists().where(
    Refund.payment_id == Payment.id, Refund.reason == RefundReason.MEMBERSHIP
)
_Matching = Select[Membership, str, str, Plan, bool]
_M: Final = Membership
_ON: Final = _M.status.in_(JOINED)
_ACTIVE: Final = _M.status == MembershipStatus.ACTIVE
_STANDS: Final[dict[Standing, ColumnElement[bool]]] = {
    Standing.PAST_DUE: _M.status == MembershipStatus.PAST_DUE,
    Standing.PAUSED: _ON & _M.paused_at.is_not(None),
    Standing.ENDING: _ON & _M.cancels_at.is_not(None),
    Standing.ACTIVE: _ACTIVE & _M.paused_at.is_(None) & _M.cancels_at.is_(None),
    Standing.ENDED: _M.status.in_((MembershipStatus.CANCELLED, MembershipStatus.ENDED)),
}


def members(chosen: MemberFilter, cursor: str | None = None, limit: int = 50) -> MemberPage:
    """Return one page of the members that match, whoever joined last first, after `cursor`.

    Raises:
        Invalid: the cursor is none of ours.
    """
    query = _matching(chosen)
    if query is None:
        return MemberPage([], 0, None)
    count = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if cursor:
        query = query.where(tuple_(_M.active_at, _M.id) < tuple_(*_read(cursor)))
    rows = [_row(row) for row in db.session.execute(query.limit(limit + 1))]
    more = len(rows) > limit
    return MemberPage(
        items=rows[:limit],
        count=count,
        next_cursor=f"{rows[limit - 1].joined_at.isoformat()}_{rows[limit - 1].id}"
        if more
        else None,
    )


def members_to_export(chosen: MemberFilter) -> Iterator[MemberRow]:
    """Return every member that matches, one after another."""
    query = _matching(chosen)
    if query is not None:
        for row in db.session.execute(query.execution_options(yield_per=500)):
            yield _row(row)


def past_due_count() -> int:
    """Return how many members owe a month."""
    past_due = select(func.count()).where(_M.status == MembershipStatus.PAST_DUE)
    return db.session.scalar(past_due) or 0


def standing_of(membership: Membership) -> Standing:
    """Return how the desk sorts a membership that has begun."""
    if membership.status is MembershipStatus.PAST_DUE:
        return Standing.PAST_DUE
    if not membership.is_running:
        return Standing.ENDED
    if membership.paused_at is not None:
        return Standing.PAUSED
    return Standing.ENDING if membership.cancels_at is not None else Standing.ACTIVE


def _matching(chosen: MemberFilter) -> _Matching | None:
    query = (
        select(Membership, Patient.name, Booking.code, Plan, _REFUNDED)
        .join(Booking, Booking.id == _M.booking_id)
        .join(Patient, Patient.id == _M.patient_id)
        .join(Plan, Plan.id == func.coalesce(_M.next_plan_id, _M.plan_id))
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .where(_M.active_at.is_not(None))
        .order_by(_M.active_at.desc(), _M.id.desc())
    )
    if chosen.standing is not None:
        query = query.where(_STANDS[chosen.standing])
    if chosen.q:
        fitting = fits(chosen.q)
        if fitting is None:
            return None
        query = query.where(fitting)
    return query


def _row(row: Row[Membership, str, str, Plan, bool]) -> MemberRow:
    membership, patient, code, plan, was_refunded = row
    is_charged = membership.is_running and membership.paused_at is None
    ends_at, period_ends_at = membership.cancels_at, membership.period_ends_at
    is_last = ends_at is not None and (period_ends_at is None or ends_at <= period_ends_at)
    return MemberRow(
        id=membership.id,
        patient=patient,
        code=code,
        plan=plan.name,
        price_cents=plan.price_cents,
        standing=standing_of(membership),
        next_charge_at=period_ends_at if is_charged and not is_last else None,
        ends_at=ends_at,
        ended_at=membership.ended_at,
        joined_at=membership.active_at or membership.decided_at,
        was_refunded=was_refunded,
    )


def _read(cursor: str) -> tuple[datetime, UUID]:
    at, _, id_ = cursor.partition("_")
    try:
        return datetime.fromisoformat(at), UUID(id_)
    except ValueError as error:
        detail = "Start again from the first page."
        raise Invalid(FieldError("cursor", "unknown", detail)) from error
