"""Reminders: a visit at one time is reminded of once, the day before and again shortly before."""

from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.models.outbox import Topic


class Reminder(Base):
    """One reminder of a visit at the time it had after so many moves."""

    __tablename__ = "reminders"
    __table_args__ = (UniqueConstraint("booking_id", "topic", "moves"),)

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"))
    topic: Mapped[Topic]
    moves: Mapped[int]
