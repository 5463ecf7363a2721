"""Holds whose time has passed, on a schedule."""

from celery import shared_task

from booking_service.services import holds
from workers.app import gateway


@shared_task(name="holds.sweep")
def sweep() -> None:
    """Let them go, Stripe's pages first."""
    holds.sweep(gateway())
