"""Answers kept for callers who repeat a POST with the same Idempotency-Key."""

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class IdempotentAnswer(Base):
    """The first answer to a request, or that it is being worked on when there is none yet."""

    __tablename__ = "idempotent_answers"
    __table_args__ = (UniqueConstraint("caller", "key"),)

    caller: Mapped[str]  # which token, or "public", and which call
    key: Mapped[str]
    request_hash: Mapped[str]
    created_at: Mapped[datetime]
    status: Mapped[int | None]
    body: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
