"""Payment pages that nobody has told us about, on a schedule."""

from celery import shared_task

from booking_service.services import checkout
from workers.app import gateway


@shared_task(name="checkout.sweep")
def sweep() -> None:
    """Close them, and write down what became of them."""
    checkout.sweep(gateway())
