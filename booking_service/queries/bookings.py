"""One booking with its money, as programs see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.models import (
    Booking,
    BookingStatus,
    Payment,
    PaymentStatus,
    Practitioner,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
)


@dataclass(frozen=True, slots=True)
class RefundFacts:
    """A refund of the booking's payment. Money in US cents."""

    id: UUID
    reason: RefundReason
    status: RefundStatus
    amount_cents: int


@dataclass(frozen=True, slots=True)
class BookingFacts:
    """A booking, its payment if there is one, and every refund of it, oldest first."""

    id: UUID
    code: str
    status: BookingStatus
    starts_at: datetime
    ends_at: datetime
    hold_expires_at: datetime | None
    practitioner_id: UUID
    practitioner: str
    payment_status: PaymentStatus | None
    amount_cents: int | None
    promise_status: PromiseStatus | None
    refunds: Sequence[RefundFacts]


def booking(booking_id: UUID) -> BookingFacts:
    """Return a booking with its money.

    Raises:
        NotFound: there is no such booking.
    """
    row = db.session.execute(
        select(
            Booking.id,
            Booking.code,
            Booking.status,
            Booking.starts_at,
            Booking.ends_at,
            Booking.hold_expires_at,
            Booking.practitioner_id,
            Practitioner.name,
            Payment.status,
            Payment.amount_cents,
            Promise.status,
        )
        .join(Practitioner, Practitioner.id == Booking.practitioner_id)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .outerjoin(Promise, Promise.booking_id == Booking.id)
        .where(Booking.id == booking_id)
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such booking.")
    refunds = db.session.execute(
        select(Refund.id, Refund.reason, Refund.status, Refund.amount_cents)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.booking_id == booking_id)
        .order_by(Refund.requested_at, Refund.id)
    )
    return BookingFacts(*row, [RefundFacts(*refund) for refund in refunds])
