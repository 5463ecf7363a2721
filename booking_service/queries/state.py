"""The whole state in numbers and ids, for checks from outside: `booking state --json`."""

from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    Attempt,
    Booking,
    Case,
    JournalLine,
    Membership,
    Notification,
    OutboxMessage,
    Payment,
    Promise,
    Refund,
    WebhookEvent,
)
from booking_service.queries.health import oldest_due_seconds


def state() -> dict[str, Any]:
    """Return the dump CONTRACT.md section 6 describes."""
    return {
        "bookings": _bookings(),
        "payments": _payments(),
        "refunds": _refunds(),
        "memberships": _rows(
            Membership.id,
            Membership.patient_id,
            Membership.booking_id,
            Membership.status,
            Membership.stripe_subscription_id,
        ),
        "notifications": _rows(
            Notification.id,
            Notification.topic,
            Notification.subject_id,
            Notification.channel,
            Notification.status,
            Notification.sent_count,
        ),
        "outbox": _outbox(),
        "webhook_events": _webhook_events(),
        "exceptions": _rows(Case.id, Case.type, Case.status, Case.subject_id),
        "ledger": _ledger(),
        "audit": audit(),
    }


def audit() -> dict[str, Any]:
    """Re-compute the audit chain; `first_bad_row` says where it was altered."""
    checked = db.session.execute(
        text(
            """
            WITH chain AS (
                SELECT l.number, l.row_id, l.hash, l.previous_hash,
                    lag(l.hash, 1, repeat('0', 64)) OVER (ORDER BY l.number) AS expected,
                    r.id IS NOT NULL AND audit_hash(l.previous_hash, r) = l.hash AS is_true
                FROM audit_links l LEFT JOIN audit_rows r ON r.id = l.row_id
            )
            SELECT count(*) AS rows,
                (SELECT row_id FROM chain WHERE NOT is_true OR previous_hash <> expected
                 ORDER BY number LIMIT 1) AS bad,
                (SELECT r.id FROM audit_rows r LEFT JOIN audit_links l ON l.row_id = r.id
                 WHERE l.id IS NULL LIMIT 1) AS loose
            FROM chain
            """
        )
    ).one()
    first_bad = checked.bad or checked.loose
    answer: dict[str, Any] = {"rows": checked.rows, "verified": first_bad is None}
    return answer if first_bad is None else {**answer, "first_bad_row": str(first_bad)}


def _bookings() -> list[dict[str, Any]]:
    rows = db.session.execute(
        select(
            Booking.id,
            Booking.code,
            Booking.status,
            Booking.practitioner_id,
            Booking.starts_at,
            Booking.ends_at,
            Booking.patient_id,
            Payment.id.label("payment_id"),
            Promise.status.label("promise_status"),
        )
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .outerjoin(Promise, Promise.booking_id == Booking.id)
        .order_by(Booking.created_at, Booking.id)
    )
    return [_plain(row._mapping) for row in rows]  # noqa: SLF001  # SQLAlchemy's public name


def _payments() -> list[dict[str, Any]]:
    rows = _rows(
        Payment.id,
        Payment.booking_id,
        Payment.status,
        Payment.amount_cents,
        Payment.stripe_checkout_session_id,
        Payment.stripe_payment_intent_id,
        Payment.disputed_at,
    )
    return [{"disputed": row.pop("disputed_at") is not None, **row} for row in rows]


def _refunds() -> list[dict[str, Any]]:
    counted = dict(
        db.session.execute(
            select(Attempt.subject_id, func.count()).group_by(Attempt.subject_id)
        ).all()
    )
    rows = db.session.scalars(select(Refund).order_by(Refund.requested_at))
    return [
        {
            "id": str(refund.id),
            "payment_id": str(refund.payment_id),
            "reason": refund.reason,
            "status": refund.status,
            "amount_cents": refund.amount_cents,
            "stripe_refund_id": refund.stripe_refund_id,
            "attempts": counted.get(refund.id, 0),
        }
        for refund in rows
    ]


def _outbox() -> dict[str, int]:
    given_up = OutboxMessage.needs_review_at.is_not(None)
    waiting = OutboxMessage.done_at.is_(None) & OutboxMessage.needs_review_at.is_(None)
    is_due = waiting & (OutboxMessage.not_before <= utc_now())
    return {
        "due": db.session.scalar(select(func.count()).where(is_due)) or 0,
        "oldest_due_seconds": oldest_due_seconds(),
        "needs_review": db.session.scalar(select(func.count()).where(given_up)) or 0,
    }


def _webhook_events() -> dict[str, int]:
    received, processed = db.session.execute(
        select(func.count(WebhookEvent.id), func.count(WebhookEvent.processed_at))
    ).one()
    failed = db.session.scalar(
        select(func.count())
        .select_from(OutboxMessage)
        .join(WebhookEvent, WebhookEvent.id == OutboxMessage.subject_id)
        .where(OutboxMessage.needs_review_at.is_not(None))
    )
    return {"received": received, "unprocessed": received - processed, "failed": failed or 0}


def _ledger() -> dict[str, Any]:
    accounts = dict(
        db.session.execute(
            select(JournalLine.account, func.sum(JournalLine.amount_cents)).group_by(
                JournalLine.account
            )
        ).all()
    )
    return {
        "balanced": sum(accounts.values()) == 0,
        "accounts": {name: int(cents) for name, cents in accounts.items()},
    }


def _rows(*columns: InstrumentedAttribute[Any]) -> list[dict[str, Any]]:
    return [_plain(row._mapping) for row in db.session.execute(select(*columns))]  # noqa: SLF001  # SQLAlchemy's public name


def _plain(row: Any) -> dict[str, Any]:  # noqa: ANN401  # a row mapping of mixed values
    return {
        name: value
        if value is None or isinstance(value, str | int)
        else value.isoformat()
        if hasattr(value, "isoformat")
        else str(value)
        for name, value in row.items()
    }
