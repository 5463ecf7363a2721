"""Attempts: each time money was asked of Stripe, with the key it was asked under."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class Attempt(Base):
    """One try to move money, committed before Stripe is called.

    The subject is a refund or a membership. At most one attempt of a subject is open: until it
    has ended, asking again means asking with the same key.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        UniqueConstraint("subject_id", "number"),
        Index(
            "uq_attempts_one_open",
            "subject_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_attempts_stripe_id", "stripe_id"),
    )

    subject_id: Mapped[UUID]
    number: Mapped[int]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    started_at: Mapped[datetime]
    not_found_at: Mapped[datetime | None]  # Stripe's list was first seen without it
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    stripe_id: Mapped[str | None]  # what it made there; a later try makes another
