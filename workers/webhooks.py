"""Webhook events, from the queue."""

from celery import shared_task

from booking_service.services import webhooks
from workers.app import gateway
from workers.work import do


@shared_task(name="webhooks.process")
def process(message_id: str) -> None:
    """Look up what one event is about."""
    do(message_id, lambda event_id: webhooks.process(event_id, gateway()))


@shared_task(name="webhooks.sweep")
def sweep() -> None:
    """Fetch the events that Stripe could not deliver."""
    webhooks.sweep(gateway())
