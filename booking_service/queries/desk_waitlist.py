"""Who waits for a time, as the desk sees it, and what is kept for whom now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import aliased

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    Booking,
    BookingStatus,
    Patient,
    Practitioner,
    WaitlistEntry,
    WaitlistOffer,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits: a patient for an earlier time, or a newcomer for any.

    What is offered is a time that is kept for them, until an instant.
    """

    since: datetime
    booking_id: UUID | None
    who: str  # the patient's name, or a newcomer's address
    has: datetime | None  # when the visit is
    practitioner: str | None
    offered: datetime | None
    offered_until: datetime | None


def waiting() -> list[Waiting]:
    """Return everybody who waits, who asked first at the top. Over is whose visit is not ahead."""
    now = utc_now()
    kept = aliased(Booking)
    rows = db.session.execute(
        select(WaitlistEntry, Booking, Patient.name, Practitioner.name, kept)
        .outerjoin(Booking, Booking.id == WaitlistEntry.booking_id)
        .outerjoin(Patient, Patient.id == Booking.patient_id)
        .outerjoin(Practitioner, Practitioner.id == Booking.practitioner_id)
        .outerjoin(
            WaitlistOffer,
            (WaitlistOffer.entry_id == WaitlistEntry.id) & WaitlistOffer.ended_at.is_(None),
        )
        .outerjoin(
            kept,
            (kept.id == WaitlistOffer.hold_id)
            & (kept.status == BookingStatus.HELD)
            & (kept.hold_expires_at > now),
        )
        .where(
            WaitlistEntry.ended_at.is_(None),
            Booking.id.is_(None)
            | ((Booking.status == BookingStatus.CONFIRMED) & (Booking.starts_at > now)),
        )
        .order_by(WaitlistEntry.created_at, WaitlistEntry.id)
        .execution_options(populate_existing=True)
    )
    return [
        Waiting(
            since=entry.created_at,
            booking_id=booking.id if booking else None,
            who=name or entry.email or "",
            has=booking.starts_at if booking else None,
            practitioner=practitioner,
            offered=held.starts_at if held else None,
            offered_until=held.hold_expires_at if held else None,
        )
        for entry, booking, name, practitioner, held in rows
    ]
