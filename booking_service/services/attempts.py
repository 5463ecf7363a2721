"""Attempts: asking Stripe to move money under a key, and when another key may be used.

The same key moves money at most once, for a day. So an attempt without an answer is asked again
under its own key. Only when Stripe keeps failing, and its list twice did not show the money, a
lease apart, is the attempt given up: by then no request of ours can still be under way.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
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


def end(session: Session, subject_id: UUID, outcome: str, stripe_id: str | None = None) -> None:
    """Write down how the open attempt ended and what it made at Stripe, if one is open."""
    attempt = session.scalar(
        select(Attempt)
        .where(Attempt.subject_id == subject_id, Attempt.ended_at.is_(None))
        .with_for_update()
    )
    if attempt is not None:
        attempt.ended_at = utc_now()
        attempt.outcome = outcome
        attempt.stripe_id = stripe_id


def may_ask(attempt_id: UUID, until: datetime) -> bool:
    """Whether a worker may still ask under an attempt's key; to be called right before it asks.

    A worker that slept through its lease may find that another gave the key up: using it now
    could move the money a second time.
    """
    with transaction() as session:
        attempt = session.get_one(Attempt, attempt_id, populate_existing=True)
        return attempt.ended_at is None and utc_now() < until


def is_open(session: Session, attempt_id: UUID) -> bool:
    """Whether an attempt has not ended; an answer to one that has is an old one."""
    return locked(session, Attempt, attempt_id).ended_at is None


def made(session: Session, subject_id: UUID) -> Sequence[str | None]:
    """Return what the attempts of a subject that have ended made at Stripe."""
    return session.scalars(
        select(Attempt.stripe_id).where(
            Attempt.subject_id == subject_id, Attempt.stripe_id.is_not(None)
        )
    ).all()


def maker_of(session: Session, stripe_id: str) -> UUID | None:
    """Return the subject one of whose attempts made something at Stripe."""
    return session.scalar(select(Attempt.subject_id).where(Attempt.stripe_id == stripe_id))


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
