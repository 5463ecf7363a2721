"""The practice itself: name, place, time zone and the rules its staff may change."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.models.bookings import BookingKind


class Practice(Base):
    """The one practice this installation serves."""

    __tablename__ = "practices"
    __table_args__ = (
        CheckConstraint("only_row", name="only_row"),
        CheckConstraint("visit_minutes > 0", name="visit_positive"),
        CheckConstraint("follow_up_minutes > 0", name="follow_up_positive"),
        CheckConstraint("grid_minutes > 0", name="grid_positive"),
        CheckConstraint("offer_minutes > 0", name="offer_positive"),
        CheckConstraint("no_show_after_minutes >= 0", name="no_show_not_before_visit"),
        CheckConstraint("notice_days BETWEEN 0 AND 365", name="notice_within_a_year"),
        CheckConstraint(
            "0 < last_reminder_hours AND last_reminder_hours + 4 < first_reminder_hours",
            name="reminders_in_order",
        ),
    )

    only_row: Mapped[bool] = mapped_column(default=True, unique=True)
    name: Mapped[str]
    # In text messages, which are read over shoulders: without a health word.
    short_name: Mapped[str | None]
    phone: Mapped[str]  # E.164
    email: Mapped[str]
    street: Mapped[str]
    city: Mapped[str]
    directions: Mapped[str]  # parking, step-free entrance
    directions_es: Mapped[str | None]  # the same in Spanish
    timezone: Mapped[str]  # an IANA name
    visit_minutes: Mapped[int]
    follow_up_minutes: Mapped[int] = mapped_column(default=20, server_default="20")
    grid_minutes: Mapped[int]
    lead_minutes: Mapped[int]  # a visit may start this long from now, not sooner
    horizon_days: Mapped[int]  # the last bookable day, counted from today
    cutoff_hours: Mapped[int]  # cancelled earlier: money back; later: kept
    # Reminders of a visit: by mail, and then by text message to those who agreed.
    first_reminder_hours: Mapped[int] = mapped_column(default=24, server_default="24")
    last_reminder_hours: Mapped[int] = mapped_column(default=2, server_default="2")
    # How long a freed time is kept for one person of the waitlist.
    offer_minutes: Mapped[int] = mapped_column(default=30, server_default="30")
    # So long after the start of a visit, and not before, the desk may say that nobody came.
    no_show_after_minutes: Mapped[int] = mapped_column(default=10, server_default="10")
    # A membership ends with the first period that ends at least so many days after cancelling.
    notice_days: Mapped[int] = mapped_column(default=0, server_default="0")

    @property
    def called(self) -> str:
        """What text messages call the practice."""
        return self.short_name or self.name

    @property
    def zone(self) -> ZoneInfo:
        """The practice's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def visit_length(self) -> timedelta:
        """How long a first visit takes."""
        return self.length_of(BookingKind.FIRST)

    def length_of(self, kind: BookingKind) -> timedelta:
        """How long a visit takes."""
        is_first = kind is BookingKind.FIRST
        return timedelta(minutes=self.visit_minutes if is_first else self.follow_up_minutes)
