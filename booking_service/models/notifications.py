"""Notifications: each message to a patient, sent once."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.models.outbox import Topic


class Channel(StrEnum):
    """The way a message takes."""

    EMAIL = "email"
    SMS = "sms"


class NotificationStatus(StrEnum):
    """What became of it. Of a mail we know that it left; of a text also whether it arrived."""

    SENDING = "sending"
    QUEUED = "queued"  # the provider has the text
    SENT = "sent"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"  # the phone company could not deliver the text
    FAILED = "failed"  # the provider would not send the text
    BOUNCED = "bounced"  # the mail server refused the mail for good
    SKIPPED = "skipped"  # it would not have been true any more


S = NotificationStatus
_ARRIVED_OR_NOT: Final = frozenset({S.DELIVERED, S.UNDELIVERED, S.FAILED})
_NEXT: Final[Mapping[NotificationStatus, frozenset[NotificationStatus]]] = {
    S.SENDING: frozenset(S) - {S.SENDING},
    S.QUEUED: _ARRIVED_OR_NOT | {S.SENT},
    S.SENT: _ARRIVED_OR_NOT,
}


class Notification(Base):
    """One message about one thing over one channel."""

    __tablename__ = "notifications"
    __table_args__ = (UniqueConstraint("topic", "subject_id", "channel"),)

    topic: Mapped[Topic]
    subject_id: Mapped[UUID]
    channel: Mapped[Channel]
    status: Mapped[NotificationStatus] = mapped_column(default=NotificationStatus.SENDING)
    sent_count: Mapped[int] = mapped_column(default=0)
    sending_since: Mapped[datetime]  # by one worker at a time
    sent_at: Mapped[datetime | None]
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("bookings.id"), index=True)
    failure_code: Mapped[str | None]  # of the mail server, or of the provider of texts

    def move_to(self, status: NotificationStatus) -> bool:
        """Move to `status` and return whether anything changed.

        News of a text comes late, twice and out of order; what is older changes nothing.
        """
        if status not in _NEXT.get(self.status, ()):
            return False
        self.status = status
        return True
