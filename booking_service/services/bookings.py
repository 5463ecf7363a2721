"""The visit at the desk: arrive, begin treatment, complete, no-show; and holding on to a hold."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import local_day, utc_now
from booking_service.db import locked, transaction
from booking_service.errors import HoldEnded, NotAllowed, NotArrived, NotFound
from booking_service.models import Actor, Booking, BookingStatus, Patient, Practice
from booking_service.services import audit, promises


def arrive(booking_id: UUID, actor: Actor) -> None:
    """Note that the patient is here. Possible on the visit's day, in the practice's time zone.

    Raises:
        NotAllowed: another day, or the visit is not waiting for its patient.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        _only_on_its_day(session, booking, now)
        booking.arrived_at = now

    _step(booking_id, actor, BookingStatus.ARRIVED, note)


def begin_treatment(booking_id: UUID, actor: Actor) -> None:
    """Note that care under the plan began: the second proof of the promise.

    Raises:
        NotArrived: the patient is not here yet.
        NotAllowed: the visit is over, or never took place.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        booking.treatment_began_at = now
        promises.prove_treatment(session, booking.id, now)

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

    Raises:
        NotAllowed: another day, or the patient is here or was.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        _only_on_its_day(session, booking, now)
        booking.no_show_at = now
        promises.lapse(session, booking.id)

    _step(booking_id, actor, BookingStatus.NO_SHOW, note)


def held(session: Session, booking_id: UUID) -> Booking:
    """Lock a booking that is still held.

    Raises:
        HoldEnded: it was let go, or its time has passed and it is about to be.
    """
    booking = locked(session, Booking, booking_id)
    ends = booking.hold_expires_at
    if booking.status is not BookingStatus.HELD or ends is None or ends <= utc_now():
        raise HoldEnded("We had to let your time go. You haven't been charged.")
    return booking


def with_patient(session: Session, booking_id: UUID) -> Booking:
    """Lock a booking and, before it, its patient: the order that cannot deadlock.

    Raises:
        NotFound: there is no such booking.
        NotAllowed: nobody has paid for it yet.
    """
    row = session.execute(select(Booking.patient_id).where(Booking.id == booking_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such booking.")
    if row.patient_id is None:
        raise NotAllowed("Nobody has booked this time yet.")
    locked(session, Patient, row.patient_id)
    return locked(session, Booking, booking_id)


def _step(
    booking_id: UUID,
    actor: Actor,
    status: BookingStatus,
    note: Callable[[Session, Booking, datetime], None],
) -> None:
    """Move a visit one step; pressing twice is one step."""
    with transaction() as session:
        booking = with_patient(session, booking_id)
        if booking.status is BookingStatus.CONFIRMED and status in (
            BookingStatus.IN_TREATMENT,
            BookingStatus.COMPLETED,
        ):
            raise NotArrived("Check the patient in first.")
        if not booking.move_to(status):
            return
        note(session, booking, utc_now())
        audit.record(session, actor, f"booking.{status}", booking.id)


def _only_on_its_day(session: Session, booking: Booking, now: datetime) -> None:
    zone = session.scalars(select(Practice)).one().zone
    day = local_day(booking.starts_at, zone)
    if day != local_day(now, zone):
        raise NotAllowed(f"This visit is on {day:%A, %B} {day.day}; it can be noted on that day.")
