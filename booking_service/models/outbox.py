"""The outbox: work owed, written in the same transaction as the change that owes it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class Topic(StrEnum):
    """What happened. The value is the name of the Celery task that must hear of it."""

    BOOKING_CONFIRMED = "notifications.booking_confirmed"
    BOOKING_MOVED = "notifications.booking_moved"  # about the audit row that says from when
    BOOKING_CANCELLED = "notifications.booking_cancelled"
    SLOT_LOST = "notifications.slot_lost"
    VISIT_REMINDER = "notifications.visit_reminder"  # the day before; about a reminder
    VISIT_SOON = "notifications.visit_soon"  # two hours before; about a reminder
    VISIT_MISSED = "notifications.visit_missed"
    VISITS_ASKED = "notifications.visits_asked"  # about a link request
    LINK_SENT = "notifications.visit_link"  # about the audit row of sending it
    TIME_FREED = "waitlist.offer"
    TIME_OFFERED = "notifications.time_offered"  # about a waitlist offer
    AGREEMENT_TO_SIGN = "notifications.agreement_to_sign"  # about a booking
    AGREEMENT_SIGNED = "notifications.agreement_signed"  # about a signature
    MEMBERSHIP_DUE = "memberships.start"
    MEMBERSHIP_CHANGED = "memberships.change"  # about what was decided
    PAYMENT_FAILED = "notifications.payment_failed"  # about the audit row of noting it
    CARD_LINK_SENT = "notifications.card_link"  # about the audit row of sending it
    MEMBERSHIP_STARTED = "notifications.membership_started"
    REFUND_REQUESTED = "refunds.execute"
    REFUND_SENT = "notifications.refund_sent"
    REFUND_FAILED = "notifications.refund_failed"
    RECONCILIATION_ASKED = "reconciliation.asked"
    REFUND_SETTLED_OTHERWISE = "notifications.refund_settled_otherwise"
    WEBHOOK_RECEIVED = "webhooks.process"


class OutboxMessage(Base):
    """One piece of work: the task named by `topic` is told until it says it is done."""

    __tablename__ = "outbox_messages"
    __table_args__ = (
        Index(
            "ix_outbox_messages_due",
            "not_before",
            postgresql_where=text("done_at IS NULL AND needs_review_at IS NULL"),
        ),
    )

    sequence: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    topic: Mapped[Topic]
    subject_id: Mapped[UUID] = mapped_column(index=True)
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    lease_until: Mapped[datetime | None]  # handed to the queue; not handed out again before
    attempts: Mapped[int] = mapped_column(default=0)  # how often a worker has begun it
    last_error: Mapped[str | None]  # the name of an exception class, never its text
    done_at: Mapped[datetime | None]
    needs_review_at: Mapped[datetime | None]  # given up; a case is open
