"""Promises of visits that nobody closed, on a schedule."""

from celery import shared_task

from booking_service.services import promises


@shared_task(name="promises.sweep")
def sweep() -> None:
    """Let the promises of past days lapse."""
    promises.sweep()
