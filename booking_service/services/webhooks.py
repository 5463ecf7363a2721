"""What Stripe tells us: kept once, answered fast, and looked up before it is believed."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import BookingServiceError
from booking_service.gateways.payments import Event, PaymentGateway
from booking_service.models import Topic, WebhookEvent
from booking_service.services import checkout, disputes, outbox, refunds

log: Final = logging.getLogger(__name__)

_STRIPE_TRIES_FOR: Final = timedelta(days=3)

# Each takes the id of the object that changed, and asks Stripe what it is now.
_LISTENERS: Final[Mapping[str, Callable[[str, PaymentGateway], None]]] = {
    "checkout.session.completed": checkout.confirm,
    "checkout.session.async_payment_succeeded": checkout.confirm,
    "checkout.session.async_payment_failed": checkout.confirm,
    "checkout.session.expired": checkout.confirm,
    "refund.created": refunds.apply_news,
    "refund.updated": refunds.apply_news,
    "refund.failed": refunds.apply_news,
    "charge.dispute.created": disputes.apply_news,
    "charge.dispute.updated": disputes.apply_news,
    "charge.dispute.closed": disputes.apply_news,
    "charge.dispute.funds_withdrawn": disputes.apply_news,
    "charge.dispute.funds_reinstated": disputes.apply_news,
}


def receive(event: Event) -> None:
    """Keep a verified event for the workers, the first time it comes.

    Events nobody here listens to are not kept: Stripe sends what its dashboard is set to send.
    """
    if event.type not in _LISTENERS:
        return
    keep = (
        insert(WebhookEvent)
        .values(
            stripe_event_id=event.id,
            type=event.type,
            object_id=event.object_id,
            received_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=[WebhookEvent.stripe_event_id])
        .returning(WebhookEvent.id)
    )
    with transaction() as session:
        event_id = session.scalar(keep)
        if event_id is not None:
            outbox.post(session, Topic.WEBHOOK_RECEIVED, event_id)


def sweep(gateway: PaymentGateway) -> int:
    """Fetch what Stripe could not deliver, as if it had been posted; return how many there were.

    Stripe itself tries for three days; the sweep needs no endpoint that works.
    """
    since = utc_now() - _STRIPE_TRIES_FOR
    try:
        missed = list(gateway.undelivered_events(since, sorted(_LISTENERS)))
    except BookingServiceError as error:
        log.warning("undelivered events not listed", extra={"code": error.code})
        return 0
    for event in missed:
        receive(event)
    return len(missed)


def process(event_id: UUID, gateway: PaymentGateway) -> None:
    """Look up what an event is about and bring our rows up to date. Twice changes nothing."""
    with transaction() as session:
        event = session.get_one(WebhookEvent, event_id)
    _LISTENERS[event.type](event.object_id, gateway)
    with transaction() as session:
        locked(session, WebhookEvent, event_id).processed_at = utc_now()
