"""Notes of the front desk about a visit. They never leave the building."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base

LONGEST_NOTE = 1000


class VisitNote(Base):
    """What somebody at the desk wrote about a visit. It is in no mail, export, API or log."""

    __tablename__ = "visit_notes"
    __table_args__ = (
        CheckConstraint(f"length(words) BETWEEN 1 AND {LONGEST_NOTE}", name="says_something"),
    )

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), index=True)
    words: Mapped[str]
    written_at: Mapped[datetime]
    written_by: Mapped[str]  # the person's name
