"""The steps of a visit at the desk: arrived, treatment began, ended, or nobody came."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import local_day, next_morning, utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid, NotAllowed, NotArrived
from booking_service.models import (
    Actor,
    ActorKind,
    Booking,
    BookingKind,
    BookingStatus,
    Practice,
    Topic,
)
from booking_service.services import audit, bookings, outbox, promises


def arrive(booking_id: UUID, actor: Actor, at: datetime | None = None) -> None:
    """Note that the patient is here. Possible on the visit's day, in the practice's time zone.

    Args:
        booking_id: the visit.
        actor: who notes it.
        at: when it was, if it is noted later; then both times are kept.

    Raises:
        Invalid: `at` is not a time of that day, or is still to come.
        NotAllowed: another day, or the visit is not waiting for its patient.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        only_on_its_day(session, booking, now)
        booking.arrived_at = _when(session, booking, at, now)
        booking.arrived_noted_at = now if booking.arrived_at < now else None

    _step(booking_id, actor, BookingStatus.ARRIVED, note)


def begin_treatment(booking_id: UUID, actor: Actor, at: datetime | None = None) -> None:
    """Note that care under the plan began: the second proof of the promise.

    The patient of a first visit is then sent the link to the membership agreement.

    Args:
        booking_id: the visit.
        actor: who notes it.
        at: when it was, if it is noted later; then both times are kept.

    Raises:
        Invalid: `at` is before the arrival or still to come.
        NotArrived: the patient is not here yet.
        NotAllowed: the visit is over, its day is, or it never took place.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        only_on_its_day(session, booking, now)
        began_at = _when(session, booking, at, now)
        if booking.arrived_at is not None and began_at < booking.arrived_at:
            raise Invalid(FieldError("at", "before_arrival", "The patient was not here yet then."))
        booking.treatment_began_at = began_at
        booking.treatment_noted_at = now if began_at < now else None
        promises.prove_treatment(session, booking.id, began_at)
        is_first = booking.kind is BookingKind.FIRST
        if is_first and actor.kind is not ActorKind.TOKEN:  # a program answers for it itself
            outbox.post(session, Topic.AGREEMENT_TO_SIGN, booking.id)

    _step(booking_id, actor, BookingStatus.IN_TREATMENT, note)


def complete(booking_id: UUID, actor: Actor) -> None:
    """Close a visit. Without a membership under way the promise lapses with it.

    Raises:
        NotArrived: the patient is not here yet.
        NotAllowed: the visit never took place.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        booking.completed_at = now
        promises.lapse(session, booking.id)

    _step(booking_id, actor, BookingStatus.COMPLETED, note)


def mark_no_show(booking_id: UUID, actor: Actor) -> None:
    """Note that the patient did not come. The money is kept, as the terms say.

    A follow-up has no money; it stays one of the visits of its plan. A person at the desk says so
    some minutes after the start, when nobody has come; a program may, on the visit's day, have
    heard it before.

    Raises:
        NotAllowed: another day, too early to say so, or the patient is here or was.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        only_on_its_day(session, booking, now)
        practice = session.scalars(select(Practice)).one()
        earliest = booking.starts_at + timedelta(minutes=practice.no_show_after_minutes)
        if actor.kind is ActorKind.STAFF and now < earliest:
            at = f"{earliest.astimezone(practice.zone):%-I:%M %p}"
            raise NotAllowed(f"The patient may still come. No-show can be noted from {at} on.")
        booking.no_show_at = now
        promises.lapse(session, booking.id)
        outbox.post(session, Topic.VISIT_MISSED, booking.id, next_morning(now, practice.zone))

    _step(booking_id, actor, BookingStatus.NO_SHOW, note)


def _step(
    booking_id: UUID,
    actor: Actor,
    status: BookingStatus,
    note: Callable[[Session, Booking, datetime], None],
) -> None:
    """Move a visit one step; pressing twice is one step."""
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if booking.status is BookingStatus.CONFIRMED and status in (
            BookingStatus.IN_TREATMENT,
            BookingStatus.COMPLETED,
        ):
            raise NotArrived("Check the patient in first.")
        if not booking.move_to(status):
            return
        note(session, booking, utc_now())
        audit.record(session, actor, f"booking.{status}", booking.id)


def only_on_its_day(session: Session, booking: Booking, now: datetime) -> None:
    """Refuse to note anything of a visit on another day than its own, at the practice.

    Raises:
        NotAllowed: the day is over, or still to come.
    """
    zone = session.scalars(select(Practice)).one().zone
    day, today = local_day(booking.starts_at, zone), local_day(now, zone)
    if day == today:
        return
    words = f"This visit is on {day:%A, %B} {day.day}; it can be noted on that day."
    if day < today:
        words += " It is over: only finance can still grant a refund, as goodwill."
    raise NotAllowed(words)


def _when(session: Session, booking: Booking, at: datetime | None, now: datetime) -> datetime:
    """Return when something was: now, or an earlier time of the visit's local day."""
    if at is None:
        return now
    if at > now:
        raise Invalid(FieldError("at", "in_future", "That time is still to come."))
    zone = session.scalars(select(Practice)).one().zone
    if local_day(at, zone) != local_day(booking.starts_at, zone):
        raise Invalid(FieldError("at", "another_day", "That is not on the day of the visit."))
    return at
