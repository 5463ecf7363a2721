"""Refunds, from the queue."""

from celery import shared_task

from booking_service.services import refunds
from workers.app import gateway
from workers.work import do, patience


@shared_task(name="refunds.execute")
def execute(message_id: str) -> None:
    """Send one requested refund to Stripe."""
    do(message_id, lambda refund_id: refunds.execute(refund_id, gateway(), patience()))
