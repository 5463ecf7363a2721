"""What Stripe has for us: refunds are paid from it, and wait when it is not enough."""

import logging
from typing import Final

from sqlalchemy.dialects.postgresql import insert

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import BookingServiceError
from booking_service.gateways.books import BooksGateway
from booking_service.models import StripeBalance

log: Final = logging.getLogger(__name__)


def read(gateway: BooksGateway) -> None:
    """Ask Stripe what it has, and keep the answer; without one the last stays, with its time."""
    try:
        available_cents = gateway.available_cents()
    except BookingServiceError as error:
        log.warning("balance not read", extra={"code": error.code})
        return
    facts = {"available_cents": available_cents, "read_at": utc_now()}
    with transaction() as session:
        session.execute(
            insert(StripeBalance)
            .values(only_row=True, **facts)
            .on_conflict_do_update(index_elements=[StripeBalance.only_row], set_=facts)
        )
