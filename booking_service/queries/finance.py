"""Finance's reads: the list of refunds, one refund, open cases, and the ledger."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, join, or_, select, tuple_

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.errors import FieldError, Invalid
from booking_service.models import (
    Booking,
    Membership,
    Patient,
    Payment,
    Practice,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.queries.finance_cases import (
    CaseFilter,
    CasePage,
    CaseRow,
    CaseView,
    GoodwillView,
    case,
    case_owners,
    cases,
    cases_to_export,
    goodwill,
    open_cases,
)
from booking_service.queries.finance_ledger import (
    AccountTotal,
    JournalRow,
    ledger,
    trial_balance,
)
from booking_service.queries.finance_refund import Journal, Moment, RefundView, What, refund

__all__ = [
    "AccountTotal",
    "CaseFilter",
    "CasePage",
    "CaseRow",
    "CaseView",
    "GoodwillView",
    "Journal",
    "JournalRow",
    "Moment",
    "RefundFilter",
    "RefundPage",
    "RefundRow",
    "RefundView",
    "What",
    "case",
    "case_owners",
    "cases",
    "cases_to_export",
    "goodwill",
    "ledger",
    "open_cases",
    "practice_zone",
    "refund",
    "refunds",
    "refunds_to_export",
    "trial_balance",
]

# Rows fetched at a time while a file is written.
_BATCH: Final = 500

_SOURCE: Final = (
    join(Refund, Payment, Payment.id == Refund.payment_id)
    .join(Booking, Booking.id == Payment.booking_id)
    .outerjoin(Patient, Patient.id == Booking.patient_id)
)


@dataclass(frozen=True, slots=True)
class RefundFilter:
    """Which refunds. Days are the practice's and both ends count; None means any."""

    status: RefundStatus | None = None
    from_: date | None = None
    to: date | None = None
    q: str = ""  # part of a name or booking code, the card's last four, or a whole Stripe id
    reason: RefundReason | None = None


@dataclass(frozen=True, slots=True)
class RefundRow:
    """One refund in a list. Money in US cents."""

    id: UUID
    payment_id: UUID
    booking_id: UUID
    code: str
    patient: str
    reason: RefundReason
    status: RefundStatus
    amount_cents: int
    card: str  # "Visa 4242"
    requested_at: datetime
    requested_by: str
    sent_at: datetime | None
    answered_at: datetime | None
    failure_code: str | None
    stripe_refund_id: str | None
    stripe_payment_intent_id: str | None


@dataclass(frozen=True, slots=True)
class RefundPage:
    """A page of refunds, newest first, with the count and the sum of the whole filter."""

    items: Sequence[RefundRow]
    count: int
    total_cents: int
    next_cursor: str | None


def practice_zone() -> ZoneInfo:
    """Return the time zone in which finance reads days and months."""
    return db.session.scalars(select(Practice)).one().zone


def refunds(chosen: RefundFilter, cursor: str | None = None, limit: int = 50) -> RefundPage:
    """Return one page of the refunds that match, after `cursor`.

    Raises:
        Invalid: the cursor is none of ours.
    """
    conditions = _conditions(chosen)
    count, total_cents = db.session.execute(
        select(func.count(), func.coalesce(func.sum(Refund.amount_cents), 0))
        .select_from(_SOURCE)
        .where(*conditions)
    ).one()
    query = _rows().where(*conditions).limit(limit + 1)
    if cursor:
        query = query.where(tuple_(Refund.requested_at, Refund.id) < tuple_(*_read(cursor)))
    rows = [_row(*row) for row in db.session.execute(query)]
    return RefundPage(
        items=rows[:limit],
        count=count,
        total_cents=int(total_cents),
        next_cursor=_write(rows[limit - 1]) if len(rows) > limit else None,
    )


def refunds_to_export(chosen: RefundFilter) -> Iterator[RefundRow]:
    """Yield every refund that matches, newest first, without holding them all."""
    query = _rows().where(*_conditions(chosen)).execution_options(yield_per=_BATCH)
    for row in db.session.execute(query):
        yield _row(*row)


def _rows() -> Select[Refund, Payment, str, str | None]:
    return (
        select(Refund, Payment, Booking.code, Patient.name)
        .select_from(_SOURCE)
        .order_by(Refund.requested_at.desc(), Refund.id.desc())
    )


def _row(refund_: Refund, payment: Payment, code: str, patient: str | None) -> RefundRow:
    return RefundRow(
        id=refund_.id,
        payment_id=payment.id,
        booking_id=payment.booking_id,
        code=code,
        patient=patient or "",
        reason=refund_.reason,
        status=refund_.status,
        amount_cents=refund_.amount_cents,
        card=payment.card,
        requested_at=refund_.requested_at,
        requested_by=refund_.requested_by,
        sent_at=refund_.sent_at,
        answered_at=refund_.answered_at,
        failure_code=refund_.failure_code,
        stripe_refund_id=refund_.stripe_refund_id,
        stripe_payment_intent_id=payment.stripe_payment_intent_id,
    )


def _conditions(chosen: RefundFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if chosen.status:
        conditions.append(Refund.status == chosen.status)
    if chosen.reason:
        conditions.append(Refund.reason == chosen.reason)
    if chosen.from_ or chosen.to:
        zone = practice_zone()
        if chosen.from_:
            conditions.append(Refund.requested_at >= day_bounds(chosen.from_, zone)[0])
        if chosen.to:
            conditions.append(Refund.requested_at < day_bounds(chosen.to, zone)[1])
    if words := chosen.q.strip():
        conditions.append(_found_by(words))
    return conditions


def _found_by(words: str) -> ColumnElement[bool]:
    return or_(
        Patient.name.icontains(words, autoescape=True),
        Booking.code.icontains(words, autoescape=True),
        Payment.card_last4 == words,
        Refund.stripe_refund_id == words,
        Payment.stripe_payment_intent_id == words,
        Payment.stripe_checkout_session_id == words,
        Payment.stripe_customer_id == words,
        Booking.id.in_(
            select(Membership.booking_id).where(Membership.stripe_subscription_id == words)
        ),
    )


def _write(last: RefundRow) -> str:
    return f"{last.requested_at.isoformat()}_{last.id.hex}"


def _read(cursor: str) -> tuple[datetime, UUID]:
    at, _, id_ = cursor.partition("_")
    try:
        return datetime.fromisoformat(at).astimezone(UTC), UUID(hex=id_)
    except ValueError as error:
        detail = "This page of the list does not exist. Start from the first page."
        raise Invalid(FieldError("cursor", "unknown", detail)) from error
