"""The waitlist: who wants which time, which times became free, and who was offered which."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.languages import Language


class WaitlistEntry(Base):
    """The wish to hear of a time: of a visit's patient, or of a newcomer, who has no visit yet.

    A patient's counts while the visit is ahead and is about earlier times. A newcomer is an e-mail
    address, which is forgotten at the end. Whoever wishes it again waits behind the others again.
    """

    __tablename__ = "waitlist_entries"
    __table_args__ = (
        CheckConstraint(
            "ended_at IS NOT NULL OR num_nonnulls(booking_id, email) = 1", name="somebody_waits"
        ),
        CheckConstraint("ended_at IS NULL OR email IS NULL", name="address_forgotten"),
        CheckConstraint("email IS NULL OR locale IS NOT NULL", name="language_known"),
        CheckConstraint("num_nulls(saw_first_at, saw_last_at) <> 1", name="saw_a_span"),
    )

    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"), unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)  # a newcomer's, lower case
    locale: Mapped[Language | None]  # a newcomer is written to in it
    # The first and the last time that was free as a newcomer asked. What is free between them is
    # no news: they looked, and took none. None: nothing was free.
    saw_first_at: Mapped[datetime | None]
    saw_last_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]  # taken back, fulfilled, or given up

    def is_news(self, starts_at: datetime) -> bool:
        """Return whether a time that is free was not there to be seen as somebody asked."""
        first, last = self.saw_first_at, self.saw_last_at
        return first is None or last is None or not first <= starts_at <= last

    def end(self, at: datetime) -> None:
        """Wait no longer, and forget the address. Ending twice is once."""
        self.ended_at = self.ended_at or at
        self.email = None


class FreedTime(Base):
    """A time that a confirmed visit left: cancelled, or moved away."""

    __tablename__ = "freed_times"

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioners.id"))
    starts_at: Mapped[datetime]
    freed_at: Mapped[datetime]


class WaitlistOffer(Base):
    """A time kept for one person, by a hold, until they decide or the hold ends."""

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

    # None: nobody left it; it opened as a day or the practice's hours did.
    freed_time_id: Mapped[UUID | None] = mapped_column(ForeignKey("freed_times.id"))
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("waitlist_entries.id"))
    hold_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    offered_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    is_taken: Mapped[bool] = mapped_column(default=False)
