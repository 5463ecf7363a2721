"""Comparing the books, at night and when somebody asks."""

import logging
from typing import Final

from celery import shared_task

from booking_service.errors import ComparisonUnderWay
from booking_service.models import Actor
from booking_service.services import reconciliation
from workers.app import gateway
from workers.work import do

log: Final = logging.getLogger(__name__)

# A first comparison reads everything that ever moved.
_HOURS: Final = 4 * 3600


@shared_task(name="reconciliation.run", time_limit=_HOURS, soft_time_limit=_HOURS)
def run() -> None:
    """Compare, unless that is being done."""
    try:
        reconciliation.run(gateway(), Actor.system().name)
    except ComparisonUnderWay:
        log.info("the books are being compared already")


@shared_task(name="reconciliation.asked", time_limit=_HOURS, soft_time_limit=_HOURS)
def asked(message_id: str) -> None:
    """Make the comparison that somebody asked for."""
    do(message_id, lambda run_id: reconciliation.run_asked(run_id, gateway()))
