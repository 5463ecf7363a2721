"""Waiting for a time: asked for, offered to one person at a time, taken or declined."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Select, and_, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from booking_service.clock import utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import Invalid, NotAllowed, TooLate
from booking_service.languages import Sentence
from booking_service.models import (
    Actor,
    Booking,
    BookingKind,
    BookingStatus,
    FreedTime,
    Practice,
    Topic,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.services import audit, bookings, freed_times, newcomers, outbox, times
from booking_service.services.newcomers import Time

_PATIENT: Final = Actor.patient()
_NOT_AHEAD: Final = Sentence("Only a visit that is still to come can get an earlier time.")
_MOVE_IT: Final = Sentence("To come earlier, move this visit to any free time.")
_NOT_YOURS: Final = Sentence(
    "That time is not held for you any more. Your visit has not been moved."
)
_SWEEP_AT_MOST: Final = 50
# Days open at midnight; what is kept for half an hour then is kept for somebody asleep.
_WAKING_HOURS: Final = range(8, 20)


def join(booking_id: UUID, actor: Actor = _PATIENT) -> None:
    """Note that a visit's patient wants to hear of an earlier time. Asking twice is once.

    Raises:
        NotAllowed: the visit is not to come any more, or is a follow-up: what is kept for those
            who wait is as long as a first visit, and a plan counts visits by the month.
    """
    now = utc_now()
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if booking.status is not BookingStatus.CONFIRMED or booking.starts_at <= now:
            raise NotAllowed(_NOT_AHEAD)
        if booking.kind is not BookingKind.FIRST:
            raise NotAllowed(_MOVE_IT)
        asked = insert(WaitlistEntry).values(booking_id=booking_id, created_at=now)
        again = asked.on_conflict_do_update(
            index_elements=[WaitlistEntry.booking_id],
            set_={"created_at": now, "ended_at": None},
            where=WaitlistEntry.ended_at.is_not(None),
        )
        if session.scalar(again.returning(WaitlistEntry.id)) is not None:
            audit.record(session, actor, "waitlist.joined", booking_id)


def leave(booking_id: UUID, actor: Actor = _PATIENT) -> None:
    """Note that they do not want to hear of one any more. What is offered goes to the next."""
    with transaction() as session:
        bookings.with_patient(session, booking_id)
        entry = session.scalar(
            select(WaitlistEntry).where(
                WaitlistEntry.booking_id == booking_id, WaitlistEntry.ended_at.is_(None)
            )
        )
        if entry is None:
            return
        entry.ended_at = utc_now()
        bookings.give_back_offer(session, booking_id)
        audit.record(session, actor, "waitlist.left", booking_id)


def offer(freed_time_id: UUID) -> None:
    """Hold a freed time for whoever waits longest, and owe them the news.

    Nothing happens when nobody waits for it, when it is too soon by now, or when somebody has it:
    the constraint on bookings decides, so that two workers cannot offer one time to two people.
    """
    with transaction() as session:
        freed = session.get_one(FreedTime, freed_time_id)
        entry = _first_in_line(session, freed)
        if entry is not None:
            _keep(session, entry, freed.practitioner_id, freed.starts_at, freed_time_id=freed.id)


def sweep(free: Sequence[Time]) -> None:
    """Offer each newcomer who may be asked the soonest free time that is news to them, by day.

    Whoever has a visit is not asked: what nobody left is on the page where they move it.

    Args:
        free: each practitioner and time that can be booked now, the soonest first.
    """
    with transaction() as session:
        zone = session.scalars(select(Practice)).one().zone
        if utc_now().astimezone(zone).hour not in _WAKING_HOURS:
            return
        entry_ids = session.scalars(newcomers.to_ask(_SWEEP_AT_MOST)).all()
    left = list(free)
    for entry_id in entry_ids:
        with transaction() as session:
            entry = locked(session, WaitlistEntry, entry_id)
            time = newcomers.first_news(session, entry, left)
            if time is not None:
                _keep(session, entry, *time, freed_time_id=None)
                left.remove(time)


def take(booking_id: UUID, practitioner_id: UUID, starts_at: datetime) -> None:
    """Move a visit to the time that is held for its patient. Pressing twice is one move.

    Its payment and its promise move with it, and it is none of the moves a patient has.

    Raises:
        TooLate: the time is not held for this patient any more, or the visit has begun.
        NotAllowed: there is no visit to move.
    """
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if (booking.practitioner_id, booking.starts_at) == (practitioner_id, starts_at):
            return
        bookings.refuse_unless_movable(booking)
        offered = freed_times.open_offer(session, booking_id)
        if offered is None:
            raise TooLate(_NOT_YOURS)
        held = locked(session, Booking, offered.hold_id)
        ends = held.hold_expires_at
        is_it = (held.practitioner_id, held.starts_at) == (practitioner_id, starts_at)
        is_held = held.status is BookingStatus.HELD and ends is not None and ends > utc_now()
        if not (is_it and is_held):
            raise TooLate(_NOT_YOURS)
        times.queue_up(session, practitioner_id)
        offered.ended_at = session.get_one(WaitlistEntry, offered.entry_id).ended_at = utc_now()
        offered.is_taken = True
        bookings.let_go(session, held)
        session.flush()  # the time is free before the visit goes there
        audit.record(session, Actor.patient(), "waitlist.taken", offered.id)
        slot = times.Slot(practitioner_id, starts_at, held.ends_at)
        bookings.move(session, booking, slot, Actor.patient())


def decline(booking_id: UUID) -> None:
    """Keep the visit where it is; the time goes to the next. Declining twice is once."""
    with transaction() as session:
        bookings.with_patient(session, booking_id)
        if bookings.give_back_offer(session, booking_id):
            audit.record(session, Actor.patient(), "waitlist.declined", booking_id)


def _first_in_line(session: Session, freed: FreedTime) -> WaitlistEntry | None:
    """Lock the visit of whoever waits longest, or a newcomer's entry, and return the entry.

    The lock is what joining, leaving, taking and cancelling wait for, too. What was true before it
    is asked again once it is held.
    """
    wanting = _who_wants(freed)
    while (entry := session.scalar(wanting.limit(1))) is not None:
        if entry.booking_id is None:
            locked(session, WaitlistEntry, entry.id)
        else:
            locked(session, Booking, entry.booking_id)
        if session.scalar(wanting.where(WaitlistEntry.id == entry.id)) is not None:
            return entry
    return None


def _who_wants(freed: FreedTime) -> Select[WaitlistEntry]:
    """Those with a later visit or none, not asked about this time, and without another offer."""
    is_theirs = WaitlistOffer.entry_id == WaitlistEntry.id
    kept = aliased(Booking)
    was_asked = exists().where(
        is_theirs,
        kept.id == WaitlistOffer.hold_id,
        kept.practitioner_id == freed.practitioner_id,
        kept.starts_at == freed.starts_at,
    )
    is_asked = exists().where(is_theirs, WaitlistOffer.ended_at.is_(None))
    has_later_visit = and_(
        Booking.status == BookingStatus.CONFIRMED,
        Booking.starts_at > freed.starts_at,
        Booking.id != freed.booking_id,
    )
    return (
        select(WaitlistEntry)
        .outerjoin(Booking, Booking.id == WaitlistEntry.booking_id)
        .where(
            WaitlistEntry.ended_at.is_(None),
            has_later_visit | newcomers.may_be_asked(utc_now()),
            ~was_asked,
            ~is_asked,
        )
        .order_by(WaitlistEntry.created_at, WaitlistEntry.id)
        .execution_options(populate_existing=True)
    )


def _keep(
    session: Session,
    entry: WaitlistEntry,
    practitioner_id: UUID,
    starts_at: datetime,
    *,
    freed_time_id: UUID | None,
) -> None:
    """Hold a time for somebody and owe them the news, if it is offered and nobody has it."""
    now = utc_now()
    try:
        length = times.visit_length(session, practitioner_id, starts_at)
    except Invalid:
        return
    minutes = session.scalars(select(Practice)).one().offer_minutes
    held = Booking(
        practitioner_id=practitioner_id,
        starts_at=starts_at,
        ends_at=starts_at + length,
        created_at=now,
        hold_expires_at=now + timedelta(minutes=minutes),
        source="waitlist",
    )
    if not _is_held(session, held):
        return
    made = WaitlistOffer(
        freed_time_id=freed_time_id, entry_id=entry.id, hold_id=held.id, offered_at=now
    )
    session.add(made)
    session.flush()
    outbox.post(session, Topic.TIME_OFFERED, made.id)
    audit.record(session, Actor.system(), "waitlist.offered", made.id, hold=str(held.id))


def _is_held(session: Session, held: Booking) -> bool:
    """Hold a time, or return False when somebody has it."""
    try:
        with session.begin_nested():
            session.add(held)
            session.flush()
    except IntegrityError as error:
        if violated(error) != times.NO_OVERLAP:
            raise
        return False
    return True
