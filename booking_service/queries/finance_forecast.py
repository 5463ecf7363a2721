"""Whether what Stripe has will do for the refunds to come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, func, select

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.db import db
from booking_service.models import (
    Booking,
    Payment,
    PaymentTender,
    Promise,
    PromiseStatus,
    Refund,
    RefundStatus,
    StripeBalance,
)
from booking_service.queries.availability import the_practice

_ON_THE_WAY: Final = (RefundStatus.REQUESTED, RefundStatus.SENDING, RefundStatus.PENDING)
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What Stripe has, and what may be asked of it until the end of tomorrow. In US cents."""

    available_cents: int
    read_at: datetime
    owed_cents: int  # decided, and not gone yet
    promised_cents: int  # goes back besides, if everybody who comes until then becomes a member

    @property
    def will_do(self) -> bool:
        """Whether no refund has to wait for money."""
        return self.available_cents >= self.owed_cents + self.promised_cents


def forecast() -> Forecast | None:
    """Return what is to be expected, or None while Stripe was never asked."""
    balance = db.session.scalar(select(StripeBalance))
    if balance is None:
        return None
    zone = the_practice().zone
    _, ends = day_bounds(local_day(utc_now(), zone) + _ONE_DAY, zone)
    by_card = Payment.tender == PaymentTender.CARD
    owed = _sum(
        select(func.sum(Refund.amount_cents))
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Refund.status.in_(_ON_THE_WAY), by_card)
    )
    promised = _sum(
        select(func.sum(Payment.amount_cents))
        .join(Promise, Promise.payment_id == Payment.id)
        .join(Booking, Booking.id == Promise.booking_id)
        .where(Promise.status == PromiseStatus.OPEN, Booking.starts_at < ends, by_card)
    )
    return Forecast(balance.available_cents, balance.read_at, owed, promised)


def _sum(query: Select[int]) -> int:
    return db.session.scalar(query) or 0
