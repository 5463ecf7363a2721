"""Attempts: asking Stripe to move money under a key, and when another key may be used.

The same key moves money at most once, for a day. So an attempt without an answer is asked again
under its own key. Only when Stripe keeps failing, and its list twice did not show the money, a
lease apart, is the attempt given up: by then no request of ours can still be under way.
"""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked
from booking_service.models import Attempt


def current(session: Session, operation: str, subject_id: UUID) -> Attempt:
    """Return the open attempt of a subject, or begin the next."""
    attempt = session.scalar(
        select(Attempt).where(Attempt.subject_id == subject_id, Attempt.ended_at.is_(None))
    )
    if attempt is None:
        last = select(func.max(Attempt.number)).where(Attempt.subject_id == subject_id)
        number = (session.scalar(last) or 0) + 1
        attempt = Attempt(
            subject_id=subject_id,
            number=number,
            idempotency_key=f"{operation}:{subject_id}:{number}",
            started_at=utc_now(),
        )
        session.add(attempt)
        session.flush()
    return attempt


def end(session: Session, subject_id: UUID, outcome: str) -> None:
    """Write down how the open attempt ended, if one is open."""
    attempt = session.scalar(
        select(Attempt)
        .where(Attempt.subject_id == subject_id, Attempt.ended_at.is_(None))
        .with_for_update()
    )
    if attempt is not None:
        attempt.ended_at = utc_now()
        attempt.outcome = outcome


def not_found(session: Session, attempt_id: UUID, apart: timedelta) -> None:
    """Note that Stripe's list does not show the money; the second time, give the attempt up."""
    attempt = locked(session, Attempt, attempt_id)
    now = utc_now()
    if attempt.ended_at is not None:
        return
    if attempt.not_found_at is None:
        attempt.not_found_at = now
    elif attempt.not_found_at <= now - apart:
        attempt.ended_at = now
        attempt.outcome = "not_found"
