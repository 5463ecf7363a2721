"""Whether requests can be served, and the numbers monitoring watches."""

from dataclasses import dataclass
from typing import Any

import redis
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.migrations import HEAD
from booking_service.models import Case, CaseStatus, OutboxMessage, Refund, RefundStatus


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ok`; `degraded` when work is delayed but nothing is refused; `down`."""

    status: str
    facts: dict[str, Any]


def readiness(redis_url: str) -> Readiness:
    """Look at what a request needs. Redis only delays work, so its loss is no reason to stop."""
    try:
        migrated = db.session.scalar(text("SELECT version_num FROM alembic_version"))
        oldest = oldest_due_seconds()
    except SQLAlchemyError:
        return Readiness("down", {"database": "down"})
    facts = {
        "database": "ok",
        "migrated": migrated == HEAD,
        "redis": "ok" if _answers(redis_url) else "down",
        "oldest_due_seconds": oldest,
    }
    if not facts["migrated"]:
        return Readiness("down", facts)
    return Readiness("ok" if facts["redis"] == "ok" else "degraded", facts)


def oldest_due_seconds() -> int:
    """Return how long the longest-waiting piece of due work has waited; 0 without any."""
    now = utc_now()
    oldest = db.session.scalar(
        select(func.min(OutboxMessage.not_before)).where(
            OutboxMessage.done_at.is_(None),
            OutboxMessage.needs_review_at.is_(None),
            OutboxMessage.not_before <= now,
        )
    )
    return int((now - oldest).total_seconds()) if oldest else 0


def gauges() -> dict[str, tuple[str, float]]:
    """Return what is counted, by name: its meaning and its value."""
    owed = (RefundStatus.REQUESTED, RefundStatus.SENDING, RefundStatus.BLOCKED)
    return {
        "outbox_oldest_due_seconds": ("Age of the oldest due work", oldest_due_seconds()),
        "outbox_needs_review": (
            "Work that was given up",
            _count(OutboxMessage.needs_review_at.is_not(None)),
        ),
        "refunds_owed": ("Refunds Stripe has not accepted", _count(Refund.status.in_(owed))),
        "cases_open": ("Cases a person must look at", _count(Case.status == CaseStatus.OPEN)),
    }


def _count(condition: Any) -> int:  # noqa: ANN401  # any SQL condition over one table
    return db.session.scalar(select(func.count()).where(condition)) or 0


def _answers(redis_url: str) -> bool:
    try:
        client = redis.Redis.from_url(redis_url, socket_timeout=1, socket_connect_timeout=1)
        return bool(client.ping())
    except redis.RedisError:
        return False
