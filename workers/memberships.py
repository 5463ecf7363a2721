"""Memberships, from the queue and on a schedule."""

from uuid import UUID

from celery import shared_task
from flask import current_app

from booking_service.services import (
    desk_memberships,
    first_payments,
    membership_cards,
    membership_orders,
    membership_pages,
)
from workers.app import gateway
from workers.work import do, patience


@shared_task(name="memberships.start")
def start(message_id: str) -> None:
    """Take the first payment of one membership, or make the page the patient takes it on."""

    def take(membership_id: UUID) -> None:
        first_payments.start(membership_id, gateway(), patience())
        membership_pages.open_(membership_id, gateway(), current_app.extensions["links"])

    do(message_id, take)


@shared_task(name="memberships.change")
def change(message_id: str) -> None:
    """Tell Stripe what was decided about one membership."""
    do(message_id, lambda change_id: membership_orders.execute(change_id, gateway()))


@shared_task(name="memberships.sweep")
def sweep() -> None:
    """Look at pages at Stripe, end what nobody paid for in time, and turn the desk's months."""
    membership_pages.sweep(gateway())
    membership_cards.sweep(gateway())
    desk_memberships.sweep()
