"""Memberships, from the queue."""

from celery import shared_task

from booking_service.services import first_payments
from workers.app import gateway
from workers.work import do, patience


@shared_task(name="memberships.start")
def start(message_id: str) -> None:
    """Take the first payment of one membership."""
    do(message_id, lambda id_: first_payments.start(id_, gateway(), patience()))
