"""Memberships, from the queue and on a schedule."""

from uuid import UUID

from celery import shared_task
from flask import current_app

from booking_service.services import first_payments, membership_pages
from workers.app import gateway
from workers.work import do, patience


@shared_task(name="memberships.start")
def start(message_id: str) -> None:
    """Take the first payment of one membership, or make the page the patient takes it on."""

    def take(membership_id: UUID) -> None:
        first_payments.start(membership_id, gateway(), patience())
        membership_pages.open_(membership_id, gateway(), current_app.extensions["links"])

    do(message_id, take)


@shared_task(name="memberships.sweep")
def sweep() -> None:
    """Look at payment pages, and end the memberships that nobody paid for in time."""
    membership_pages.sweep(gateway())
