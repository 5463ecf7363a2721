"""Notifications: each message to a patient, sent once."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.models.outbox import Topic


class NotificationStatus(StrEnum):
    """Whether it left."""

    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"  # it would not have been true any more


class Notification(Base):
    """One message about one thing over one channel."""

    __tablename__ = "notifications"
    __table_args__ = (UniqueConstraint("topic", "subject_id", "channel"),)

    topic: Mapped[Topic]
    subject_id: Mapped[UUID]
    channel: Mapped[str]
    status: Mapped[NotificationStatus] = mapped_column(default=NotificationStatus.SENDING)
    sent_count: Mapped[int] = mapped_column(default=0)
    sending_since: Mapped[datetime]  # by one worker at a time
    sent_at: Mapped[datetime | None]
