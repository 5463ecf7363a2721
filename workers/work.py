"""What every task of the outbox does around its one line: begin, do, finish, or owe it again."""

import logging
from collections.abc import Callable
from typing import Final
from uuid import UUID

from flask import current_app

from booking_service.config import Settings
from booking_service.errors import BookingServiceError, GatewayLockedOut
from booking_service.services import outbox
from booking_service.services.outbox import Patience

log: Final = logging.getLogger(__name__)


def patience() -> Patience:
    """Return how long work may take and how long to wait between tries, from the settings."""
    settings: Settings = current_app.extensions["settings"]
    return Patience(settings.lease, settings.janitor_delays, settings.refund_key_max_age)


def do(message_id: str, job: Callable[[UUID], None]) -> None:
    """Do the work of an outbox message, and say so in the outbox.

    A message may be delivered twice, at once, or a day late. Whatever goes wrong, the work is
    owed again, until it was tried so often that a person must look.
    """
    work = outbox.begin(UUID(message_id), patience())
    if work is None:
        return
    about = {"message_id": message_id, "topic": work.topic, "attempts": work.attempts}
    try:
        job(work.subject_id)
    except GatewayLockedOut as error:
        if outbox.lock_out(work, patience(), error):
            log.critical("Stripe does not accept our key", extra=about)
    except BookingServiceError as error:
        log.warning("work postponed", extra={**about, "code": error.code})
        outbox.postpone(work, patience(), error, foreseen=True)
    except Exception as error:
        log.exception("work failed", extra=about)
        outbox.postpone(work, patience(), error, foreseen=False)
    else:
        outbox.finish(work)
