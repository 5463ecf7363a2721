"""The waitlist: who wants an earlier time, which times became free, and who was offered which."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class WaitlistEntry(Base):
    """The wish of a visit's patient to hear of an earlier time; it counts while the visit is ahead.

    Whoever wishes it again waits behind the others again.
    """

    __tablename__ = "waitlist_entries"

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # taken back, or fulfilled


class FreedTime(Base):
    """A time that a confirmed visit left: cancelled, or moved away."""

    __tablename__ = "freed_times"

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioners.id"))
    starts_at: Mapped[datetime]
    freed_at: Mapped[datetime]


class WaitlistOffer(Base):
    """A freed time kept for one person, by a hold, until they decide or the hold ends."""

    __tablename__ = "waitlist_offers"
    __table_args__ = (
        UniqueConstraint("freed_time_id", "entry_id"),  # nobody is asked twice
        Index(
            "uq_waitlist_offers_one_open",
            "entry_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        CheckConstraint("NOT is_taken OR ended_at IS NOT NULL", name="taken_is_over"),
    )

    freed_time_id: Mapped[UUID] = mapped_column(ForeignKey("freed_times.id"))
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entries.id"))
    hold_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    offered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_taken: Mapped[bool] = mapped_column(default=False)
