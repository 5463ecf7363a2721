"""Comparing the books, at night and when somebody asks."""

from typing import Final

from celery import shared_task

from booking_service.models import Actor
from booking_service.services import balance, reconciliation
from workers.app import gateway
from workers.work import do

# A first comparison reads everything that ever moved.
_HOURS: Final = 4 * 3600


@shared_task(name="reconciliation.nightly")
def nightly() -> None:
    """Owe tonight's comparison: the outbox tries again when Stripe is too busy for it."""
    reconciliation.ask(Actor.system())


@shared_task(name="reconciliation.balance")
def read_balance() -> None:
    """Ask what Stripe has; when it does not answer, the next ring asks again."""
    balance.read(gateway())


@shared_task(name="reconciliation.asked", time_limit=_HOURS, soft_time_limit=_HOURS)
def asked(message_id: str) -> None:
    """Make the comparison that somebody asked for."""
    do(message_id, lambda run_id: reconciliation.run_asked(run_id, gateway()))
