"""Webhook events, from the queue."""

from celery import shared_task

from booking_service.services import webhooks
from workers.app import gateway
from workers.work import do


@shared_task(name="webhooks.process")
def process(message_id: str) -> None:
    """Look up what one event is about."""
    do(message_id, lambda event_id: webhooks.process(event_id, gateway()))
