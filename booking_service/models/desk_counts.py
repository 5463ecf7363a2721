"""Counting what the desk took: the drawer and the card slips, against what was written down."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class DeskCount(Base):
    """One count of a day's takings. The newest of a day is the one that counts; none is changed."""

    __tablename__ = "desk_counts"
    __table_args__ = (
        CheckConstraint("counted_cents >= 0", name="counted_not_negative"),
        CheckConstraint(
            "counted_cents = expected_cents OR note <> ''", name="difference_explained"
        ),
    )

    day: Mapped[date] = mapped_column(index=True)  # on the practice's calendar
    counted_cents: Mapped[int]
    expected_cents: Mapped[int]  # what was written down when it was counted
    note: Mapped[str]
    counted_at: Mapped[datetime]
    counted_by_id: Mapped[UUID | None]
    counted_by: Mapped[str]
