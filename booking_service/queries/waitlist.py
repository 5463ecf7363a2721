"""Who waits for a time, and what is kept for them now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Language, Sentence
from booking_service.models import (
    Booking,
    BookingStatus,
    Practitioner,
    WaitlistEntry,
    WaitlistOffer,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """An earlier time that is kept for one patient."""

    practitioner_id: UUID
    practitioner: str
    starts_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody without a visit who waits for a time, or did; then their address is forgotten."""

    locale: Language
    email: str | None


def waits(booking_id: UUID) -> bool:
    """Return whether the patient of a visit wants to hear of an earlier time."""
    entry = select(WaitlistEntry.id).where(
        WaitlistEntry.booking_id == booking_id, WaitlistEntry.ended_at.is_(None)
    )
    return db.session.scalar(entry) is not None


def has_newcomers() -> bool:
    """Return whether anybody waits who has no visit."""
    newcomers = select(WaitlistEntry.id).where(WaitlistEntry.email.is_not(None)).limit(1)
    return db.session.scalar(newcomers) is not None


def newcomer(entry_id: UUID) -> Newcomer:
    """Return what a newcomer's own page says.

    Raises:
        NotFound: there is no such newcomer.
    """
    found = _newcomer(select(WaitlistEntry).where(WaitlistEntry.id == entry_id))
    if found is None:
        raise NotFound(Sentence("There is nobody who waits."))
    return found


def kept_for(hold_id: UUID) -> Newcomer | None:
    """Return the newcomer whom a time is, or was, kept for, if it was kept for one."""
    theirs = select(WaitlistEntry).join(WaitlistOffer, WaitlistOffer.entry_id == WaitlistEntry.id)
    return _newcomer(theirs.where(WaitlistOffer.hold_id == hold_id))


def _newcomer(entries: Select[WaitlistEntry]) -> Newcomer | None:
    entry = db.session.scalar(entries.execution_options(populate_existing=True))
    if entry is None or entry.locale is None:
        return None
    return Newcomer(entry.locale, entry.email)


def opening(booking_id: UUID) -> Opening | None:
    """Return the earlier time that is kept for the patient of a visit, if one is."""
    kept = (
        select(Booking, Practitioner.name)
        .join(Practitioner, Practitioner.id == Booking.practitioner_id)
        .join(WaitlistOffer, WaitlistOffer.hold_id == Booking.id)
        .join(WaitlistEntry, WaitlistEntry.id == WaitlistOffer.entry_id)
        .where(
            WaitlistEntry.booking_id == booking_id,
            WaitlistOffer.ended_at.is_(None),
            Booking.status == BookingStatus.HELD,
            Booking.hold_expires_at > utc_now(),
        )
        .execution_options(populate_existing=True)
    )
    row = db.session.execute(kept).one_or_none()
    if row is None or row.Booking.hold_expires_at is None:
        return None
    held = row.Booking
    return Opening(held.practitioner_id, row.name, held.starts_at, held.hold_expires_at)
