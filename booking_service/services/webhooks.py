"""What Stripe tells us: kept once, answered fast, and looked up before it is believed."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import BookingServiceError, GatewayRefused
from booking_service.gateways.books import BooksGateway
from booking_service.gateways.payments import Event
from booking_service.models import Topic, WebhookEvent
from booking_service.services import (
    checkout,
    disputes,
    membership_cards,
    membership_news,
    membership_pages,
    outbox,
    payouts,
    refunds,
)

log: Final = logging.getLogger(__name__)

_STRIPE_TRIES_FOR: Final = timedelta(days=3)


def _page_changed(session_id: str, gateway: BooksGateway) -> None:
    """Hand a payment page over by what it is for: a first visit, a membership, or its card."""
    found = gateway.find_checkout(session_id)
    if found.is_for_card:
        membership_cards.write_down(found, gateway)
    elif found.membership_id is None:
        checkout.bring_up_to_date(found, gateway)
    else:
        membership_pages.write_down(found, gateway)


# Each takes the id of the object that changed, and asks Stripe what it is now.
_LISTENERS: Final[Mapping[str, Callable[[str, BooksGateway], None]]] = {
    "checkout.session.completed": _page_changed,
    "checkout.session.async_payment_succeeded": _page_changed,
    "checkout.session.async_payment_failed": _page_changed,
    "checkout.session.expired": _page_changed,
    "customer.subscription.updated": membership_news.subscription_changed,
    "customer.subscription.deleted": membership_news.subscription_changed,
    "invoice.paid": membership_news.invoice_changed,
    "invoice.payment_failed": membership_news.invoice_changed,
    "refund.created": refunds.apply_news,
    "refund.updated": refunds.apply_news,
    "refund.failed": refunds.apply_news,
    "payout.created": payouts.apply_news,
    "payout.updated": payouts.apply_news,
    "payout.paid": payouts.apply_news,
    "payout.failed": payouts.apply_news,
    "payout.canceled": payouts.apply_news,
    "payout.reconciliation_completed": payouts.apply_news,
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


def sweep(gateway: BooksGateway) -> int:
    """Fetch what Stripe could not deliver, as if it had been posted; return how many there were.

    Stripe itself tries for three days; the sweep needs no endpoint that works.
    """
    since = utc_now() - _STRIPE_TRIES_FOR
    try:
        listed = list(gateway.undelivered_events(since))
    except BookingServiceError as error:
        log.warning("undelivered events not listed", extra={"code": error.code})
        return 0
    missed = [event for event in listed if event.type in _LISTENERS]
    for event in missed:
        receive(event)
    return len(missed)


def process(event_id: UUID, gateway: BooksGateway) -> None:
    """Look up what an event is about and bring our rows up to date. Twice changes nothing.

    News of something that Stripe does not know under our key (another account's, or the other
    mode's) is noted and done with: asking again would not make it ours.
    """
    with transaction() as session:
        event = session.get_one(WebhookEvent, event_id)
    try:
        _LISTENERS[event.type](event.object_id, gateway)
    except GatewayRefused as refusal:
        if refusal.reason != "resource_missing":
            raise
        log.warning("news of what is not ours", extra={"code": event.stripe_event_id})
    with transaction() as session:
        locked(session, WebhookEvent, event_id).processed_at = utc_now()
