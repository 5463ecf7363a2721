"""Paid, and nobody chose another time: the money goes back, on a schedule."""

from celery import shared_task

from booking_service.services import choices


@shared_task(name="choices.sweep")
def sweep() -> None:
    """Send back what waited for a day."""
    choices.sweep()
