"""Webhook events as Stripe sent them, kept so that each is handled exactly once."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class WebhookEvent(Base):
    """One event. Redeliveries collide on `stripe_event_id` and are dropped.

    The body is not kept: an event is news that an object changed, and the object is asked for.
    """

    __tablename__ = "webhook_events"

    stripe_event_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    object_id: Mapped[str]
    received_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]
