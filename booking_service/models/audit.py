"""The audit log: who did what to which record, append-only and chained by hash."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class ActorKind(StrEnum):
    """Who can change something."""

    STAFF = "staff"
    TOKEN = "token"  # noqa: S105  # an API token as an actor, not a secret
    PATIENT = "patient"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or program behind a change. `name` is what colleagues read."""

    kind: ActorKind
    id: UUID | None
    name: str

    @classmethod
    def patient(cls) -> Self:
        """Whoever holds the booking's link. Not named: the booking says who it is."""
        return cls(ActorKind.PATIENT, None, "Patient")

    @classmethod
    def system(cls) -> Self:
        """Nobody: it followed from something else."""
        return cls(ActorKind.SYSTEM, None, "First Visit")


class AuditRow(Base):
    """One change by one actor. Holds ids, statuses and codes; never names or contact data."""

    __tablename__ = "audit_rows"
    __table_args__ = (Index("ix_audit_rows_subject", "subject_id", "at"),)

    at: Mapped[datetime]
    actor_kind: Mapped[ActorKind]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]  # what happened to what, like booking.arrived
    subject_id: Mapped[UUID]
    before: Mapped[dict[str, Any]] = mapped_column(JSONB)
    after: Mapped[dict[str, Any]] = mapped_column(JSONB)


class AuditLink(Base):
    """One link of the chain, forged by the database when an audit row commits."""

    __tablename__ = "audit_links"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    row_id: Mapped[UUID] = mapped_column(ForeignKey("audit_rows.id"), unique=True)
    previous_hash: Mapped[str]
    hash: Mapped[str]
