"""Memberships: the desk decides, a worker takes the first payment, and the promise follows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import local_day, utc_now
from booking_service.db import locked, transaction
from booking_service.errors import (
    FieldError,
    Invalid,
    NoSavedCard,
    NotAllowed,
    NotArrived,
    NotFound,
    TooLate,
    TreatmentNotBegun,
    WindowClosed,
)
from booking_service.models import (
    Actor,
    Booking,
    BookingKind,
    BookingStatus,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Payment,
    Plan,
    Practice,
    Promise,
    PromiseStatus,
    Tender,
    Topic,
)
from booking_service.services import agreements, audit, bookings, outbox, people
from booking_service.services.agreements import Ground

_LONGEST_REFERENCE: Final = 64
_CURRENT: Final = (
    MembershipStatus.PENDING,
    MembershipStatus.ACTIVE,
    MembershipStatus.PAST_DUE,
)


@dataclass(frozen=True, slots=True)
class Tendered:
    """How the first payment is made; a recorded one names its receipt."""

    method: Tender
    reference: str | None = None


def convert(
    booking_id: UUID,
    plan_id: UUID,
    tendered: Tendered,
    actor: Actor,
    undo: timedelta,
    *,
    agreement: Ground,
) -> tuple[UUID, bool]:
    """Make a patient a member, and return the membership and whether this call decided it.

    Nothing is sent to Stripe before `undo` has passed, but for a payment page on the patient's
    phone, which `membership_pages.open_` makes at once. Whoever presses second gets what the first
    decided; after a declined payment it is a new decision about the same membership.

    Raises:
        NotArrived, TreatmentNotBegun, WindowClosed: the visit is not at that point, or past it.
        NoSavedCard: the patient did not agree to keep a card.
        Invalid: no such plan, or a recorded payment without a reference.
        NotAllowed: the money already went back, nobody is visiting, or it is a member's visit.
        NotSigned: the agreement is not signed for this plan.
    """
    now = utc_now()
    with transaction() as session:
        booking = bookings.with_patient(session, booking_id)
        if booking.kind is not BookingKind.FIRST:
            raise NotAllowed("This visit is part of a membership; none can be started from it.")
        current = session.scalar(
            select(Membership)
            .where(Membership.patient_id == booking.patient_id, Membership.status.in_(_CURRENT))
            .with_for_update()
        )
        if current is not None and current.charge_status is not ChargeStatus.DECLINED:
            return current.id, False
        _refuse_unless_in_window(session, booking, now)
        plan = _plan(session, plan_id)
        _refuse_unless_payable(session, booking, tendered)
        signature_id = agreements.vouch(session, booking, plan, agreement, actor, at=now)
        membership = current or Membership(booking_id=booking.id, patient_id=booking.patient_id)
        _schedule(membership, plan, tendered)
        membership.signature_id = signature_id
        membership.decided_at = now
        membership.decided_by = actor.name
        membership.undo_until = now + undo
        session.add(membership)
        session.flush()
        outbox.post(session, Topic.MEMBERSHIP_DUE, membership.id, not_before=membership.undo_until)
        audit.record(
            session,
            actor,
            "membership.convert",
            membership.id,
            booking=str(booking.id),
            plan=str(plan.id),
            tender=tendered.method,
            agreement=str(signature_id) if signature_id else agreement,
        )
        return membership.id, True


def undo(membership_id: UUID, actor: Actor, closed_page: str | None = None) -> None:
    """Take a membership back before anything was charged.

    Args:
        membership_id: the membership.
        actor: who takes it back.
        closed_page: its payment page, which was closed in time, so that the clock is not asked
            again; see `membership_pages.undo`.

    Raises:
        TooLate: the time for it is over, and the first payment is being taken or was.
        NotAllowed: a payment page was made meanwhile, and is still open.
        NotFound: there is no such membership.
    """
    with transaction() as session:
        membership = with_patient(session, membership_id)
        if membership.status is MembershipStatus.UNDONE:
            return
        refuse_unless_undoable(membership, is_in_time=closed_page is not None)
        if membership.stripe_checkout_session_id != closed_page:
            raise NotAllowed("The payment page was made just now. Press undo again.")
        membership.move_to(MembershipStatus.UNDONE)
        membership.ended_at = utc_now()
        audit.record(session, actor, "membership.undo", membership.id)


def refuse_unless_undoable(membership: Membership, *, is_in_time: bool = False) -> None:
    """Refuse to take a membership back that is, or may be, paid for.

    Raises:
        TooLate: it is too late.
    """
    is_unpaid = (
        membership.status is MembershipStatus.PENDING
        and membership.charge_status is ChargeStatus.SCHEDULED
    )
    if not is_unpaid or not (is_in_time or utc_now() < membership.undo_until):
        raise TooLate("The time to undo is over. The membership can be cancelled instead.")


def with_patient(session: Session, membership_id: UUID) -> Membership:
    """Lock a membership and, before it, its patient: the order that cannot deadlock.

    Raises:
        NotFound: there is no such membership.
    """
    patient_id = session.scalar(select(Membership.patient_id).where(Membership.id == membership_id))
    if patient_id is None:
        raise NotFound("There is no such membership.")
    people.lock(session, patient_id)
    return locked(session, Membership, membership_id)


def move(session: Session, membership: Membership, status: MembershipStatus) -> None:
    """Move a membership to what Stripe or the desk's receipt made of it, and write that down.

    Raises:
        IllegalTransition: it may not follow.
    """
    before = membership.status
    if membership.move_to(status):
        audit.moved(session, "membership", membership.id, before, status)


def _schedule(membership: Membership, plan: Plan, tendered: Tendered) -> None:
    """Set what will be charged and how; an earlier decline is over with that."""
    membership.plan_id = plan.id
    membership.amount_cents = plan.price_cents
    membership.tender = tendered.method
    membership.reference = tendered.reference
    membership.charge_status = ChargeStatus.SCHEDULED
    membership.decline_code = None


def _refuse_unless_in_window(session: Session, booking: Booking, now: datetime) -> None:
    if booking.status is BookingStatus.CONFIRMED:
        raise NotArrived("Check the patient in first.")
    if booking.status is BookingStatus.ARRIVED:
        raise TreatmentNotBegun("Treatment hasn't been marked as begun. Mark it first.")
    if booking.status is BookingStatus.COMPLETED:
        raise WindowClosed("This visit has ended. Finance can grant the refund as goodwill.")
    if booking.status is not BookingStatus.IN_TREATMENT:
        standing = booking.status.replace("_", " ")
        raise NotAllowed(f"This visit is {standing}; no membership can be started from it.")
    zone = session.scalars(select(Practice)).one().zone
    if local_day(booking.starts_at, zone) != local_day(now, zone):
        raise WindowClosed("The day of this visit is over. Finance can grant goodwill.")
    promise = session.scalar(select(Promise).where(Promise.booking_id == booking.id))
    if promise is None or promise.status is not PromiseStatus.OPEN:
        raise NotAllowed("The first-visit payment already went back, or can't go back.")


def _refuse_unless_payable(session: Session, booking: Booking, tendered: Tendered) -> None:
    if tendered.method is Tender.SAVED_CARD:
        payment = session.scalars(select(Payment).where(Payment.booking_id == booking.id)).one()
        if payment.stripe_payment_method_id is None:
            raise NoSavedCard("The patient did not agree to keep a card. Record the payment.")
    elif tendered.method is Tender.RECORDED and (
        not tendered.reference or len(tendered.reference) > _LONGEST_REFERENCE
    ):
        detail = f"Enter the receipt or terminal reference, {_LONGEST_REFERENCE} signs or fewer"
        raise Invalid(FieldError("reference", "missing", detail))


def _plan(session: Session, plan_id: UUID) -> Plan:
    plan = session.get(Plan, plan_id)
    if plan is None or not plan.is_on_sale:
        raise Invalid(FieldError("plan_id", "unknown", "Choose one of the plans on sale"))
    return plan
