"""A visit: cancelled, moved, and its steps at the desk; and holding on to a hold."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import local_day, next_morning, utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import (
    FieldError,
    HoldEnded,
    Invalid,
    NotAllowed,
    NotArrived,
    NotFound,
    SlotTaken,
    TooLate,
)
from booking_service.languages import Sentence
from booking_service.models import (
    Actor,
    ActorKind,
    Booking,
    BookingStatus,
    Patient,
    Payment,
    Practice,
    RefundReason,
    Topic,
)
from booking_service.services import audit, freed_times, outbox, promises, refunds, times

_MOST_MOVES: Final = 2  # by the patient, without asking anybody
_NOT_CANCELLED: Final = Sentence(
    "This visit has begun; it can't be cancelled any more. Please call us."
)
_NOT_MOVED: Final = Sentence("This visit has begun; it can't be moved any more. Please call us.")


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
        _only_on_its_day(session, booking, now)
        booking.arrived_at = _when(session, booking, at, now)
        booking.arrived_noted_at = now if booking.arrived_at < now else None

    _step(booking_id, actor, BookingStatus.ARRIVED, note)


def begin_treatment(booking_id: UUID, actor: Actor, at: datetime | None = None) -> None:
    """Note that care under the plan began: the second proof of the promise.

    The patient is then sent the link to the membership agreement.

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
        _only_on_its_day(session, booking, now)
        began_at = _when(session, booking, at, now)
        if booking.arrived_at is not None and began_at < booking.arrived_at:
            raise Invalid(FieldError("at", "before_arrival", "The patient was not here yet then."))
        booking.treatment_began_at = began_at
        booking.treatment_noted_at = now if began_at < now else None
        promises.prove_treatment(session, booking.id, began_at)
        if actor.kind is not ActorKind.TOKEN:  # a program answers for the agreement itself
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

    Raises:
        NotAllowed: another day, or the patient is here or was.
    """

    def note(session: Session, booking: Booking, now: datetime) -> None:
        _only_on_its_day(session, booking, now)
        booking.no_show_at = now
        promises.lapse(session, booking.id)
        zone = session.scalars(select(Practice)).one().zone
        outbox.post(session, Topic.VISIT_MISSED, booking.id, next_morning(now, zone))

    _step(booking_id, actor, BookingStatus.NO_SHOW, note)


def cancel(booking_id: UUID, actor: Actor, *, by_patient: bool = False) -> None:
    """Cancel a visit, and decide about its money. Pressing twice is once.

    Cancelled by the practice, or by the patient before the practice's cut-off, all of it goes
    back. Cancelled by the patient after that, it is kept, as the terms say.

    Args:
        booking_id: the visit.
        actor: who cancels.
        by_patient: the patient asked the desk for it.

    Raises:
        TooLate: the visit has begun, or the patient is here.
        NotAllowed: there is no visit to cancel.
    """
    with transaction() as session:
        booking = with_patient(session, booking_id)
        if booking.status is BookingStatus.CANCELLED:
            return
        _refuse_unless_ahead(booking, _NOT_CANCELLED)
        cutoff = timedelta(hours=session.scalars(select(Practice)).one().cutoff_hours)
        is_patients = by_patient or actor.kind is ActorKind.PATIENT
        goes_back = not is_patients or utc_now() < booking.starts_at - cutoff
        booking.move_to(BookingStatus.CANCELLED)
        booking.cancelled_at = utc_now()
        if goes_back:
            promises.void(session, booking.id)
            paid = session.scalars(select(Payment.id).where(Payment.booking_id == booking.id)).one()
            refunds.request(session, paid, RefundReason.CANCELLATION, actor.name)
        else:
            promises.lapse(session, booking.id)
        give_back_offer(session, booking.id)
        freed_times.free(session, booking.id, booking.practitioner_id, booking.starts_at)
        outbox.post(session, Topic.BOOKING_CANCELLED, booking.id)
        money = "goes_back" if goes_back else "kept"
        audit.record(session, actor, "booking.cancelled", booking.id, money=money)


def reschedule(booking_id: UUID, practitioner_id: UUID, starts_at: datetime, actor: Actor) -> None:
    """Move a visit to another time that is offered. Its payment and its promise move with it.

    Raises:
        Invalid: it is not a time that is offered.
        SlotTaken: somebody was faster; the visit stays where it was.
        TooLate: the visit has begun, or its patient moves it after the cut-off.
        NotAllowed: there is no visit to move, or its patient has moved it often enough.
    """
    try:
        with transaction() as session:
            booking = with_patient(session, booking_id)
            if (booking.practitioner_id, booking.starts_at) == (practitioner_id, starts_at):
                return
            refuse_unless_movable(booking)
            if actor.kind is ActorKind.PATIENT:
                _refuse_a_late_move(session, booking)
            length = times.visit_length(session, practitioner_id, starts_at)
            slot = times.Slot(practitioner_id, starts_at, starts_at + length)
            move(session, booking, slot, actor)
    except IntegrityError as error:
        if violated(error) == times.NO_OVERLAP:
            stays = Sentence("That time was just booked. Your visit has not been moved.")
            raise SlotTaken(practitioner_id, starts_at, stays) from error
        raise


def move(session: Session, booking: Booking, to: times.Slot, actor: Actor) -> None:
    """Put a visit to another time and free the one it had, as part of the caller's transaction.

    Raises:
        IntegrityError: somebody has the time.
    """
    was = booking.starts_at
    freed_times.free(session, booking.id, booking.practitioner_id, was)
    booking.practitioner_id = to.practitioner_id
    booking.starts_at = to.starts_at
    booking.ends_at = to.ends_at
    booking.moves += 1
    session.flush()
    times_ = {"was": was.isoformat(), "to": to.starts_at.isoformat()}
    change = audit.record(
        session, actor, "booking.moved", booking.id, **times_, moves=booking.moves
    )
    outbox.post(session, Topic.BOOKING_MOVED, change)


def held(session: Session, booking_id: UUID) -> Booking:
    """Lock a booking that is still held.

    Raises:
        HoldEnded: it was let go, or its time has passed and it is about to be.
    """
    booking = locked(session, Booking, booking_id)
    ends = booking.hold_expires_at
    if booking.status is not BookingStatus.HELD or ends is None or ends <= utc_now():
        raise HoldEnded(Sentence("We had to let your time go. You haven't been charged."))
    return booking


def let_go(session: Session, booking: Booking) -> None:
    """Free the time of a hold; a booking that was paid for stays."""
    if booking.status is BookingStatus.HELD:
        booking.move_to(BookingStatus.EXPIRED)
        audit.moved(session, "booking", booking.id, BookingStatus.HELD, BookingStatus.EXPIRED)
        freed_times.pass_on(session, booking)


def give_back_offer(session: Session, booking_id: UUID) -> bool:
    """Let go of the time that is kept for a visit's patient; return whether there was one."""
    offer = freed_times.open_offer(session, booking_id)
    if offer is None:
        return False
    let_go(session, locked(session, Booking, offer.hold_id))
    return True


def with_patient(session: Session, booking_id: UUID) -> Booking:
    """Lock a booking and, before it, its patient: the order that cannot deadlock.

    Raises:
        NotFound: there is no such booking.
        NotAllowed: nobody has paid for it yet.
    """
    row = session.execute(select(Booking.patient_id).where(Booking.id == booking_id)).one_or_none()
    if row is None:
        raise NotFound(Sentence("There is no such booking."))
    if row.patient_id is None:
        raise NotAllowed(Sentence("Nobody has booked this time yet."))
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


def _refuse_unless_ahead(booking: Booking, has_begun: Sentence) -> None:
    """Refuse to change a visit that is not one, or not to come any more."""
    if booking.status in (BookingStatus.HELD, BookingStatus.EXPIRED):
        raise NotAllowed(Sentence("Nobody has paid for this time, so there is no visit yet."))
    if booking.status is BookingStatus.CANCELLED:
        raise NotAllowed(Sentence("This visit is cancelled."))
    if booking.status is not BookingStatus.CONFIRMED or booking.starts_at <= utc_now():
        raise TooLate(has_begun)


def refuse_unless_movable(booking: Booking) -> None:
    """Refuse to move what is no visit, or not to come any more.

    Raises:
        TooLate: the visit has begun, or the patient is here.
        NotAllowed: there is no visit to move.
    """
    _refuse_unless_ahead(booking, _NOT_MOVED)


def _refuse_a_late_move(session: Session, booking: Booking) -> None:
    hours = session.scalars(select(Practice)).one().cutoff_hours
    if booking.starts_at - timedelta(hours=hours) <= utc_now():
        raise TooLate(
            Sentence(
                "It is less than %(hours)s hours before your visit. Please call us to move it.",
                hours=hours,
            )
        )
    if booking.moves - freed_times.moves_by_offer(session, booking.id) >= _MOST_MOVES:
        raise NotAllowed(
            Sentence("This visit has been moved twice already. Please call us to move it again.")
        )
