"""Idempotency keys: a repeated request gets the first answer again.

A key is claimed before the work and answered after it, each in a transaction of its own, so that
two requests at once cannot both do the work and none waits for the other.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, IdempotencyKeyInUse, IdempotencyKeyReused, Invalid
from booking_service.models import IdempotentAnswer

# As long as Stripe keeps its keys.
_KEPT: Final = timedelta(hours=24)
# No request takes this long: whoever had claimed the key died, and the work may be tried again.
_ABANDONED: Final = timedelta(seconds=60)
_LONGEST_KEY: Final = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to the first request with a key."""

    status: int
    body: dict[str, Any]


def claim(caller: str, key: str, request_hash: str) -> UUID | Answer:
    """Claim a key for this request, or return what was answered to it before.

    Args:
        caller: whose key it is, and for which call; others may use the same key.
        key: what the caller sent, at most 255 characters.
        request_hash: tells one request body from another.

    Raises:
        Invalid: the key is empty or too long.
        IdempotencyKeyReused: it was sent before with another body.
        IdempotencyKeyInUse: the first request has not been answered yet.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        detail = f"Send 1 to {_LONGEST_KEY} characters, new for each new request."
        raise Invalid(FieldError("Idempotency-Key", "length", detail))
    now = utc_now()
    row = IdempotentAnswer
    same_key = (row.caller == caller) & (row.key == key)
    is_over = (row.created_at < now - _KEPT) | (
        row.status.is_(None) & (row.created_at < now - _ABANDONED)
    )
    claimed = (
        insert(row)
        .values(caller=caller, key=key, request_hash=request_hash, created_at=now)
        .on_conflict_do_nothing(index_elements=[row.caller, row.key])
        .returning(row.id)
    )
    with transaction() as session:
        session.execute(delete(row).where(same_key, is_over))
        claim_id: UUID | None = session.scalar(claimed)
        if claim_id is not None:
            return claim_id
        first = session.scalar(select(row).where(same_key))
        if first is not None and first.request_hash != request_hash:
            raise IdempotencyKeyReused("This Idempotency-Key was sent before with another body.")
        if first is None or first.status is None or first.body is None:
            raise IdempotencyKeyInUse("The first request with this key is still at work.")
        return Answer(first.status, first.body)


def keep(claim_id: UUID, answer: Answer) -> None:
    """Keep the answer for those who ask again."""
    row = IdempotentAnswer
    with transaction() as session:
        session.execute(
            update(row).where(row.id == claim_id).values(status=answer.status, body=answer.body)
        )


def give_up(claim_id: UUID) -> None:
    """Free a key whose request failed on our side: it may be tried again with the same key."""
    with transaction() as session:
        session.execute(delete(IdempotentAnswer).where(IdempotentAnswer.id == claim_id))
