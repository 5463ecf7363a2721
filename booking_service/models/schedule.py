"""When practitioners work, and when they do not."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base

MINUTES_A_DAY = 24 * 60


class Practitioner(Base):
    """A person patients are seen by."""

    __tablename__ = "practitioners"

    name: Mapped[str]
    room: Mapped[str]
    position: Mapped[int]  # order of the columns on the desk
    is_bookable: Mapped[bool] = mapped_column(default=True)


class WorkingHours(Base):
    """A span of one weekday in which a practitioner works, in minutes of the wall clock."""

    __tablename__ = "working_hours"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint(
            f"0 <= opens_minute AND opens_minute < closes_minute"
            f" AND closes_minute <= {MINUTES_A_DAY}",
            name="inside_a_day",
        ),
    )

    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioners.id"), index=True)
    weekday: Mapped[int]  # Monday is 0
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]


class TimeOff(Base):
    """A span in which a practitioner, or everybody, does not work."""

    __tablename__ = "time_off"
    __table_args__ = (
        CheckConstraint("starts_at < ends_at", name="ends_after_start"),
        Index("ix_time_off_span", "ends_at", "starts_at"),
    )

    practitioner_id: Mapped[UUID | None] = mapped_column(ForeignKey("practitioners.id"))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    reason: Mapped[str]  # shown to patients when the whole practice is closed


class TimetableVersion(Base):
    """A word that changes with a practitioner's bookings; one more for everybody's hours.

    `id` is the practitioner's, or all zeros. The database writes it (migration 0004): every
    transaction that changes a free time changes a token, and no other way to tell is needed.
    """

    __tablename__ = "timetable_versions"

    token: Mapped[UUID]
