"""Times that visits leave, and the holds by which they are kept for those who wait for one."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import (
    Actor,
    Booking,
    FreedTime,
    Topic,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.services import audit, outbox


def free(session: Session, booking_id: UUID, practitioner_id: UUID, starts_at: datetime) -> None:
    """Note that a visit leaves its time, and owe those who wait an offer of it."""
    freed = FreedTime(
        booking_id=booking_id,
        practitioner_id=practitioner_id,
        starts_at=starts_at,
        freed_at=utc_now(),
    )
    session.add(freed)
    session.flush()
    outbox.post(session, Topic.TIME_FREED, freed.id)


def open_offer(session: Session, booking_id: UUID) -> WaitlistOffer | None:
    """Return what is offered to the patient of a visit now, if anything is."""
    return session.scalar(
        select(WaitlistOffer)
        .join(WaitlistEntry, WaitlistEntry.id == WaitlistOffer.entry_id)
        .where(WaitlistEntry.booking_id == booking_id, WaitlistOffer.ended_at.is_(None))
    )


def pass_on(session: Session, held: Booking) -> None:
    """Owe the next person an offer of a time whose hold ends; other holds have no such next.

    A time that nobody left is free for all then, and the sweep offers it.
    """
    offer = session.scalar(
        select(WaitlistOffer).where(
            WaitlistOffer.hold_id == held.id, WaitlistOffer.ended_at.is_(None)
        )
    )
    if offer is None:
        return
    offer.ended_at = utc_now()
    if offer.freed_time_id is not None:
        outbox.post(session, Topic.TIME_FREED, offer.freed_time_id)
    audit.record(session, Actor.system(), "waitlist.passed_on", offer.id)


def paid(session: Session, held: Booking) -> None:
    """End the waiting of a newcomer who has paid; other bookings were offered to nobody.

    Paid late, or for another time than was offered, they wait no longer, either.
    """
    offer = session.scalar(select(WaitlistOffer).where(WaitlistOffer.hold_id == held.id))
    if offer is None:
        return
    now = utc_now()
    if offer.ended_at is None:
        offer.ended_at = now
        offer.is_taken = True
        audit.record(session, Actor.patient(), "waitlist.taken", offer.id)
    session.get_one(WaitlistEntry, offer.entry_id).end(now)


def moves_by_offer(session: Session, booking_id: UUID) -> int:
    """Return how often a visit moved to a time that was offered to its patient."""
    taken = (
        select(func.count())
        .select_from(WaitlistOffer)
        .join(WaitlistEntry, WaitlistEntry.id == WaitlistOffer.entry_id)
        .where(WaitlistEntry.booking_id == booking_id, WaitlistOffer.is_taken)
    )
    return session.scalar(taken) or 0
