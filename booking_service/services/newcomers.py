"""Newcomers: people without a visit who wait for a time, known by an e-mail address alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.languages import Language
from booking_service.models import (
    ON_SALE,
    Actor,
    Booking,
    BookingKind,
    Patient,
    Practice,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.services import audit
from booking_service.services.patient_details import read_email

Time = tuple[UUID, datetime]  # whose, and when it begins

# What a newcomer is told as they ask; after that the address is forgotten.
MOST_OFFERS: Final = 3
LONGEST_WAIT: Final = timedelta(days=60)
_QUIET: Final = timedelta(days=1)  # from one offer to the next
_SWEEP_AT_MOST: Final = 500


def ask(email: str, language: Language, saw: tuple[datetime, datetime] | None) -> None:
    """Note that somebody without a visit wants to hear of a time. Asking twice is once.

    Nothing tells a known address from another.

    Args:
        email: as it was typed.
        language: to write in.
        saw: the first and the last time that is free now, which is no news to them.

    Raises:
        Invalid: it is no e-mail address.
    """
    first, last = saw or (None, None)
    entry = {
        "email": read_email(email),
        "locale": language,
        "saw_first_at": first,
        "saw_last_at": last,
        "created_at": utc_now(),
    }
    asked = insert(WaitlistEntry).values(entry)
    once = asked.on_conflict_do_nothing(index_elements=[WaitlistEntry.email])
    with transaction() as session:
        entry_id = session.scalar(once.returning(WaitlistEntry.id))
        if entry_id is not None:
            audit.record(session, Actor.patient(), "waitlist.joined", entry_id)


def stop(entry_id: UUID) -> None:
    """Write to somebody no more, and forget the address. Pressing twice is once.

    What is kept for them stays so until its time has passed: they may be about to pay for it.
    """
    with transaction() as session:
        entry = locked(session, WaitlistEntry, entry_id)
        if entry.ended_at is None:
            entry.end(utc_now())
            audit.record(session, Actor.patient(), "waitlist.left", entry.id)


def forget(session: Session, email: str) -> None:
    """End the waiting of an address, as part of the caller's transaction."""
    theirs = select(WaitlistEntry).where(WaitlistEntry.email == email)
    for entry in session.scalars(theirs.with_for_update()):
        entry.end(utc_now())


def sweep() -> int:
    """Forget those who were asked often enough, waited long enough, or booked; return how many.

    One that somebody else is busy with is left to the next sweep.
    """
    now = utc_now()
    over = (
        select(WaitlistEntry)
        .where(WaitlistEntry.email.is_not(None), _is_over(now))
        .limit(_SWEEP_AT_MOST)
        .with_for_update(skip_locked=True, of=WaitlistEntry)
    )
    with transaction() as session:
        entries = session.scalars(over).all()
        for entry in entries:
            entry.end(now)
            audit.record(session, Actor.system(), "waitlist.ended", entry.id)
        return len(entries)


def to_ask(most: int) -> Select[UUID]:
    """Return who may be asked about a time now, whoever waits longest first."""
    return (
        select(WaitlistEntry.id)
        .where(may_be_asked(utc_now()))
        .order_by(WaitlistEntry.created_at, WaitlistEntry.id)
        .limit(most)
    )


def first_news(session: Session, entry: WaitlistEntry, free: Sequence[Time]) -> Time | None:
    """Return the first time to ask a newcomer about, if they may be asked; their row is locked."""
    may = select(may_be_asked(utc_now())).where(WaitlistEntry.id == entry.id)
    if not session.scalar(may):
        return None
    kept = (
        select(Booking.practitioner_id, Booking.starts_at)
        .join(WaitlistOffer, WaitlistOffer.hold_id == Booking.id)
        .where(WaitlistOffer.entry_id == entry.id)
    )
    asked = {(practitioner_id, at) for practitioner_id, at in session.execute(kept)}
    return next((time for time in free if entry.is_news(time[1]) and time not in asked), None)


def may_be_asked(now: datetime) -> ColumnElement[bool]:
    """Whether an entry is a newcomer's who waits and was not asked within the last day."""
    of_now = WaitlistOffer.ended_at.is_(None) | (WaitlistOffer.offered_at > now - _QUIET)
    is_asked = exists().where(WaitlistOffer.entry_id == WaitlistEntry.id, of_now)
    return WaitlistEntry.email.is_not(None) & ~is_asked & ~_is_over(now)


def told(session: Session, entry: WaitlistEntry, held: Booking) -> dict[str, Any] | None:
    """Return what the mail about a time that is kept for a newcomer says, while they wait."""
    if entry.email is None:
        return None
    return {
        "practice": session.scalars(select(Practice)).one(),
        "booking": held,
        "opening": held,
        "offer": session.scalars(ON_SALE).one(),
        "newcomer": entry,
        "email": entry.email,
        "locale": entry.locale,
    }


def _is_over(now: datetime) -> ColumnElement[bool]:
    """Whether a newcomer has booked since, waited long enough, or let enough offers pass."""
    passed = (
        select(func.count())
        .select_from(WaitlistOffer)
        .where(
            WaitlistOffer.entry_id == WaitlistEntry.id,
            WaitlistOffer.ended_at.is_not(None),
            ~WaitlistOffer.is_taken,
        )
        .scalar_subquery()
    )
    has_booked = (
        exists()
        .where(
            Patient.email == WaitlistEntry.email,
            Booking.patient_id == Patient.id,
            Booking.confirmed_at > WaitlistEntry.created_at,
            Booking.kind == BookingKind.FIRST,
        )
        .correlate(WaitlistEntry)  # and not to a booking of whatever asks
    )
    is_late = WaitlistEntry.created_at <= now - LONGEST_WAIT
    return is_late | (passed >= MOST_OFFERS) | has_booked
