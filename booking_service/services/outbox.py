"""The outbox: owe work now, hand it to the queue later, until it says it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import BookingServiceError
from booking_service.models import Case, CaseStatus, CaseType, OutboxMessage, Topic
from booking_service.services import cases

CHANNEL: Final = "outbox"  # what the relay listens to

# Tries within about a quarter of an hour; then the janitor's longer and longer waits.
_QUICK_ATTEMPTS: Final = 20
# What nobody foresaw does not get better by waiting a day.
_BUG_ATTEMPTS: Final = 8

NOBODY: Final = UUID(int=0)  # what a case is about that concerns the whole service
_AT_STRIPE: Final = frozenset(
    {
        Topic.MEMBERSHIP_DUE,
        Topic.MEMBERSHIP_CHANGED,
        Topic.REFUND_REQUESTED,
        Topic.WEBHOOK_RECEIVED,
        Topic.RECONCILIATION_ASKED,
    }
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long work may take, and how long to wait between tries."""

    lease: timedelta
    janitor_delays: Sequence[timedelta]
    key_max_age: timedelta

    def before_next(self, attempts: int) -> timedelta | None:
        """Return the wait after so many attempts, or None when a person must look."""
        if attempts < _QUICK_ATTEMPTS:
            return min(timedelta(seconds=2 ** min(attempts, 10)), self.lease)
        late = attempts - _QUICK_ATTEMPTS
        return self.janitor_delays[late] if late < len(self.janitor_delays) else None


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is about to do."""

    message_id: UUID
    topic: Topic
    subject_id: UUID
    attempts: int
    lease_until: datetime  # whoever begins it later has another: only the latest may write


def post(
    session: Session, topic: Topic, subject_id: UUID, not_before: datetime | None = None
) -> None:
    """Owe `topic` about `subject_id`, from `not_before` on, if and only if the caller commits."""
    now = utc_now()
    session.add(
        OutboxMessage(
            topic=topic, subject_id=subject_id, created_at=now, not_before=not_before or now
        )
    )
    if not_before is None:
        session.execute(text(f"NOTIFY {CHANNEL}"))  # wakes the relay when this commits


def claim(lease: timedelta, limit: int = 100) -> Sequence[tuple[UUID, Topic]]:
    """Take due messages to hand to the queue; they are not handed out again for a lease.

    Relays may run side by side: each takes rows the others have not.
    """
    now = utc_now()
    due = (
        select(OutboxMessage.id)
        .where(_is_due(now))
        .order_by(OutboxMessage.not_before)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(due.scalar_subquery()))
        .values(lease_until=now + lease)
        .returning(OutboxMessage.id, OutboxMessage.topic)
    )
    with transaction() as session:
        return [(row.id, row.topic) for row in session.execute(taken)]


def give_back(message_ids: Sequence[UUID]) -> None:
    """Make messages due again that the queue did not take."""
    with transaction() as session:
        session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id.in_(message_ids), OutboxMessage.done_at.is_(None))
            .values(lease_until=None)
        )


def begin(message_id: UUID, patience: Patience) -> Work | None:
    """Start on a message, or return None when there is nothing to do (yet, or any more).

    The attempt is counted before it is made, so that work which kills its worker runs out of
    attempts like any other.
    """
    now = utc_now()
    with transaction() as session:
        message = locked(session, OutboxMessage, message_id)
        if message.done_at or message.needs_review_at or message.not_before > now:
            return None
        if patience.before_next(message.attempts) is None:
            _give_up(session, message)
            return None
        message.attempts += 1
        message.lease_until = now + patience.lease
        return Work(
            message.id, message.topic, message.subject_id, message.attempts, message.lease_until
        )


def finish(work: Work) -> None:
    """Write down that the work is done, and that Stripe accepts our key if it was asked.

    A worker that slept through its lease writes nothing: what it saw is not what is.
    """
    with transaction() as session:
        message = locked(session, OutboxMessage, work.message_id)
        if message.lease_until != work.lease_until:
            return
        message.done_at = utc_now()
        if message.topic in _AT_STRIPE:
            cases.resolve(session, CaseType.STRIPE_LOCKED_OUT, NOBODY)


def lock_out(work: Work, patience: Patience, error: BookingServiceError) -> bool:
    """Stop everything that needs Stripe for a lease; return whether this is the first to notice.

    A key that is not accepted is nobody's work failing: it is not counted as an attempt, and the
    one case for the whole service closes itself when Stripe is asked with success.
    """
    until = utc_now() + patience.lease
    waiting = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.topic.in_(_AT_STRIPE),
            OutboxMessage.done_at.is_(None),
            OutboxMessage.needs_review_at.is_(None),
            OutboxMessage.not_before < until,
        )
        .with_for_update(skip_locked=True)
    )
    stopped = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(waiting.scalar_subquery()))
        .values(not_before=until)
    )
    with transaction() as session:
        message = locked(session, OutboxMessage, work.message_id)
        message.attempts = max(message.attempts - 1, 0)
        message.last_error = type(error).__name__
        message.lease_until = None
        message.not_before = until
        session.flush()
        session.execute(stopped)
        known = select(Case.id).where(
            Case.type == CaseType.STRIPE_LOCKED_OUT, Case.status == CaseStatus.OPEN
        )
        is_news = session.scalar(known) is None
        cases.open_(session, CaseType.STRIPE_LOCKED_OUT, NOBODY, error.code)
        return is_news


def postpone(work: Work, patience: Patience, error: Exception, *, foreseen: bool) -> None:
    """Owe the work again later, or give it to a person when it was tried often enough."""
    wait = patience.before_next(work.attempts)
    if not foreseen and work.attempts >= _BUG_ATTEMPTS:
        wait = None
    with transaction() as session:
        message = locked(session, OutboxMessage, work.message_id)
        if message.lease_until != work.lease_until:
            return  # another worker has begun it since
        message.last_error = type(error).__name__
        message.lease_until = None
        if wait is None:
            _give_up(session, message)
        else:
            message.not_before = utc_now() + wait


def withdraw(session: Session, topic: Topic, subject_id: UUID) -> None:
    """Owe no more what is still to be done of `topic` about `subject_id`."""
    owed = update(OutboxMessage).where(
        OutboxMessage.topic == topic,
        OutboxMessage.subject_id == subject_id,
        OutboxMessage.done_at.is_(None),
    )
    session.execute(owed.values(done_at=utc_now()))


def replay(message_id: UUID | None = None) -> int:
    """Make work that was given up due again, one message or all; return how many."""
    with transaction() as session:
        return renew(session, message_id)


def renew(session: Session, message_id: UUID | None = None) -> int:
    """Make work that was given up due again, as part of the caller's transaction."""
    stuck = update(OutboxMessage).where(OutboxMessage.needs_review_at.is_not(None))
    if message_id is not None:
        stuck = stuck.where(OutboxMessage.id == message_id)
    renewed = stuck.values(
        needs_review_at=None, attempts=0, lease_until=None, not_before=utc_now()
    ).returning(OutboxMessage.id)
    replayed = session.scalars(renewed).all()
    for renewed_id in replayed:
        cases.resolve(session, CaseType.WORK_STUCK, renewed_id)
    return len(replayed)


def _is_due(now: datetime) -> ColumnElement[bool]:
    return (
        OutboxMessage.done_at.is_(None)
        & OutboxMessage.needs_review_at.is_(None)
        & (OutboxMessage.not_before <= now)
        & (OutboxMessage.lease_until.is_(None) | (OutboxMessage.lease_until <= now))
    )


def _give_up(session: Session, message: OutboxMessage) -> None:
    message.needs_review_at = utc_now()
    cases.open_(session, CaseType.WORK_STUCK, message.id, message.topic)
