"""Taking a visit's last step at the desk back, for as long as no money depends on it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction, violated
from booking_service.errors import NotAllowed
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    Case,
    CaseStatus,
    ChargeStatus,
    Dispute,
    Membership,
    MembershipStatus,
    Payment,
    Practice,
    Promise,
    Refund,
    Topic,
)
from booking_service.services import audit, bookings, outbox, promises, times, visit_steps

_S: Final = BookingStatus
# What a visit is once the step is taken back; found so, it was taken back before.
_BEFORE: Final[Mapping[BookingStatus, tuple[BookingStatus, ...]]] = {
    _S.ARRIVED: (_S.CONFIRMED,),
    _S.IN_TREATMENT: (_S.ARRIVED,),
    _S.COMPLETED: (_S.IN_TREATMENT, _S.ARRIVED),
    _S.NO_SHOW: (_S.CONFIRMED,),
}
_TAKEN_MEANWHILE: Final = {
    times.NO_OVERLAP: "The time was given to somebody else meanwhile. Book the patient again.",
    "uq_bookings_one_first_visit": "The patient has booked another first visit meanwhile.",
}


def take_back(booking_id: UUID, step: BookingStatus, actor: Actor) -> None:
    """Take back that the patient arrived, that treatment began, or that the visit is over.

    Possible on the visit's day, step by step, until money depends on it. Pressing twice is once.

    Args:
        booking_id: the visit.
        step: what to take back, by the status it led to.
        actor: who takes it back.

    Raises:
        NotAllowed: money depends on it, the day is over, the visit is not at that step, or
            somebody has the time that a no-show left.
        NotFound: there is no such visit.
    """
    try:
        with transaction() as session:
            booking = bookings.with_patient(session, booking_id)
            if booking.status in _BEFORE[step]:
                return
            if booking.status is not step:
                standing = booking.status.replace("_", " ")
                raise NotAllowed(f"This visit is {standing}; another step has to be undone first.")
            visit_steps.only_on_its_day(session, booking, utc_now())
            if step is _S.NO_SHOW:  # it asks for its time again
                times.queue_up(session, booking.practitioner_id)
            _refuse_if_money_depends(session, booking)
            _TAKE_BACK[step](session, booking)
            session.flush()
            audit.record(session, actor, f"booking.{step}_taken_back", booking.id)
    except IntegrityError as error:
        taken = _TAKEN_MEANWHILE.get(violated(error) or "")
        if taken is None:
            raise
        raise NotAllowed(taken) from error


def _arrived(_: Session, booking: Booking) -> None:
    booking.move_back_to(_S.CONFIRMED)
    booking.arrived_at = booking.arrived_noted_at = None


def _in_treatment(session: Session, booking: Booking) -> None:
    booking.move_back_to(_S.ARRIVED)
    booking.treatment_began_at = booking.treatment_noted_at = None
    promises.unprove_treatment(session, booking.id)


def _completed(session: Session, booking: Booking) -> None:
    booking.move_back_to(_S.IN_TREATMENT if booking.treatment_began_at else _S.ARRIVED)
    booking.completed_at = None
    promises.reopen(session, booking.id)


def _no_show(session: Session, booking: Booking) -> None:
    booking.move_back_to(_S.CONFIRMED)
    booking.no_show_at = None
    promises.reopen(session, booking.id)
    outbox.withdraw(session, Topic.VISIT_MISSED, booking.id)


_TAKE_BACK: Final[Mapping[BookingStatus, Callable[[Session, Booking], None]]] = {
    _S.ARRIVED: _arrived,
    _S.IN_TREATMENT: _in_treatment,
    _S.COMPLETED: _completed,
    _S.NO_SHOW: _no_show,
}


def _refuse_if_money_depends(session: Session, booking: Booking) -> None:
    """Refuse to take a step back that somebody paid for, or decided about money by."""
    # Whoever moves the money of a visit has its payment locked: nobody decides meanwhile.
    payment_id = session.scalar(
        select(Payment.id).where(Payment.booking_id == booking.id).with_for_update()
    )
    for why, at in _what_depends(session, booking, payment_id):
        zone = session.scalars(select(Practice)).one().zone
        raise NotAllowed(f"Money depends on it: {why} at {at.astimezone(zone):%-I:%M %p}.")


def _what_depends(
    session: Session, booking: Booking, payment_id: UUID | None
) -> list[tuple[str, datetime]]:
    is_current = Membership.status.in_((MembershipStatus.PENDING, MembershipStatus.ACTIVE))
    membership = select(Membership.decided_at).where(
        Membership.booking_id == booking.id, is_current | Membership.active_at.is_not(None)
    )
    if booking.status is _S.COMPLETED:
        # After a declined card another can be tried, at a visit that has not ended. Before the
        # end a declined one counts: its page, paid late, would earn nothing without a treatment.
        membership = membership.where(Membership.charge_status != ChargeStatus.DECLINED)
    refund = select(Refund.requested_at).where(Refund.payment_id == payment_id)
    dispute = select(Dispute.opened_at).where(Dispute.payment_id == payment_id)
    promise_id = select(Promise.id).where(Promise.booking_id == booking.id).scalar_subquery()
    case = select(Case.opened_at).where(
        Case.status == CaseStatus.OPEN, Case.subject_id.in_((booking.id, payment_id, promise_id))
    )
    return [
        *(("the membership was started", at) for at in session.scalars(membership)),
        *(("a refund was decided", at) for at in session.scalars(refund)),
        *(("the bank asked about the payment", at) for at in session.scalars(dispute)),
        *(("finance was given a case about it", at) for at in session.scalars(case)),
    ]
