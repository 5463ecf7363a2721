"""The promise: the only file that moves one."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Exists, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.db import transaction
from booking_service.models import (
    Booking,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Patient,
    Payment,
    Practice,
    Promise,
    PromiseStatus,
)
from booking_service.services import audit, ledger, people


def open_(session: Session, payment: Payment) -> None:
    """Begin the promise of a first visit that was just paid."""
    now = utc_now()
    session.add(
        Promise(payment_id=payment.id, booking_id=payment.booking_id, opened_at=now, changed_at=now)
    )


def prove_treatment(session: Session, booking_id: UUID, at: datetime) -> None:
    """Note the second proof: care under the plan began."""
    promise = _of_booking(session, booking_id)
    if promise is not None and promise.status is PromiseStatus.OPEN:
        promise.treatment_began_at = at


def unprove_treatment(session: Session, booking_id: UUID) -> None:
    """Take the second proof back: treatment was noted by mistake."""
    promise = _of_booking(session, booking_id)
    if promise is not None and promise.status is PromiseStatus.OPEN:
        promise.treatment_began_at = None


def prove_member(session: Session, membership: Membership) -> UUID | None:
    """Note the first proof; when both are there, return the payment that is now owed back.

    Whether the window was open was checked when the desk decided. A bank that takes a minute
    longer does not cost the patient the refund.
    """
    promise = _of_booking(session, membership.booking_id)
    if promise is None or promise.status is not PromiseStatus.OPEN:
        return None
    promise.member_at = utc_now()
    promise.membership_id = membership.id
    if promise.treatment_began_at is None:
        return None
    _set(session, promise, PromiseStatus.EARNED)
    return promise.payment_id


def block(session: Session, payment_id: UUID) -> None:
    """A dispute stands in the way of the money: finance decides."""
    blocked = PromiseStatus.BLOCKED
    _move(session, payment_id, {PromiseStatus.EARNED: blocked, PromiseStatus.BROKEN: blocked})


def try_again(session: Session, payment_id: UUID) -> None:
    """What stood in the way is gone: the money is owed and will be sent."""
    earned = PromiseStatus.EARNED
    _move(session, payment_id, {PromiseStatus.BLOCKED: earned, PromiseStatus.BROKEN: earned})


def waive(session: Session, payment_id: UUID) -> None:
    """The patient gave up what was earned."""
    earned = (PromiseStatus.EARNED, PromiseStatus.BLOCKED, PromiseStatus.BROKEN)
    _move(session, payment_id, dict.fromkeys(earned, PromiseStatus.WAIVED))


def all_is_back(session: Session, payment_id: UUID) -> None:
    """The whole payment went back without being owed: there is nothing left to promise."""
    unearned = (PromiseStatus.OPEN, PromiseStatus.LAPSED)
    _move(session, payment_id, dict.fromkeys(unearned, PromiseStatus.VOID))


def bank_took_it(session: Session, payment_id: UUID) -> None:
    """A dispute was lost: the patient has the money from the bank, so nothing is owed."""
    unpaid = (
        PromiseStatus.OPEN,
        PromiseStatus.EARNED,
        PromiseStatus.BLOCKED,
        PromiseStatus.BROKEN,
        PromiseStatus.LAPSED,
    )
    _move(session, payment_id, dict.fromkeys(unpaid, PromiseStatus.VOID))


def money_returned(session: Session, payment_id: UUID) -> None:
    """The money went back. Before the visit decided anything, that leaves nothing to promise."""
    settled = PromiseStatus.SETTLED
    moves = dict.fromkeys(
        (PromiseStatus.EARNED, PromiseStatus.BLOCKED, PromiseStatus.BROKEN), settled
    )
    _move(session, payment_id, moves | {PromiseStatus.OPEN: PromiseStatus.VOID})


def money_bounced(session: Session, payment_id: UUID) -> None:
    """Stripe could not return the money, or the bank sent it back: a person pays another way."""
    broken = PromiseStatus.BROKEN
    _move(session, payment_id, {PromiseStatus.EARNED: broken, PromiseStatus.SETTLED: broken})


def grant_goodwill(session: Session, payment_id: UUID) -> None:
    """The practice granted goodwill instead of what was promised: nothing more is owed."""
    payment = session.get_one(Payment, payment_id)
    waived = PromiseStatus.WAIVED
    _move(session, payment_id, {PromiseStatus.OPEN: waived, PromiseStatus.LAPSED: waived})
    ledger.record_lapse(session, payment)


def lapse(session: Session, booking_id: UUID) -> None:
    """End a promise whose visit ended, unless a membership is being started."""
    promise = _of_booking(session, booking_id)
    if promise is None or promise.status is not PromiseStatus.OPEN:
        return
    if session.scalar(select(_is_joining(booking_id))):
        return
    _set(session, promise, PromiseStatus.LAPSED)
    ledger.record_lapse(session, session.get_one(Payment, promise.payment_id))


def reopen(session: Session, booking_id: UUID) -> None:
    """Open a promise again that lapsed with the end of its visit: the end was a mistake.

    What hangs on its money was looked at before; see `taking_back`.
    """
    promise = _of_booking(session, booking_id)
    if promise is None or promise.status is not PromiseStatus.LAPSED:
        return
    _set(session, promise, PromiseStatus.OPEN)
    ledger.record_reopened(session, session.get_one(Payment, promise.payment_id))


def void(session: Session, booking_id: UUID) -> None:
    """End the promise of a visit that will not take place, and whose money goes back anyway."""
    promise = _of_booking(session, booking_id)
    if promise is not None and promise.status is PromiseStatus.OPEN:
        _set(session, promise, PromiseStatus.VOID)


def sweep() -> int:
    """Let promises lapse whose visit was not closed on its day; return how many were looked at."""
    with transaction() as session:
        zone = session.scalars(select(Practice)).one().zone
        rows = session.execute(_left_open(ended_before(utc_now(), zone))).all()
    for booking_id, patient_id in rows:
        with transaction() as session:
            people.lock(session, patient_id)
            lapse(session, booking_id)
    return len(rows)


def ended_before(now: datetime, zone: ZoneInfo) -> datetime:
    """Return the last local midnight: a visit that began before it has ended, closed or not.

    So a visit is open until the midnight after its own local day, which is 23 or 25 hours long on
    the days the clocks change.
    """
    midnight, _ = day_bounds(local_day(now, zone), zone)
    return midnight


def _left_open(before: datetime) -> Select[UUID, UUID]:
    return (
        select(Booking.id, Patient.id)
        .join(Patient, Patient.id == Booking.patient_id)
        .join(Promise, Promise.booking_id == Booking.id)
        .where(
            Promise.status == PromiseStatus.OPEN,
            Booking.starts_at < before,
            ~_is_joining(Promise.booking_id),
        )
    )


def _of_booking(session: Session, booking_id: UUID) -> Promise | None:
    # News of money locks the payment first, and then its promise: nobody may go the other way.
    session.execute(select(Payment.id).where(Payment.booking_id == booking_id).with_for_update())
    return session.scalar(_locked_promise().where(Promise.booking_id == booking_id))


def _move(session: Session, payment_id: UUID, moves: Mapping[PromiseStatus, PromiseStatus]) -> None:
    promise = session.scalar(_locked_promise().where(Promise.payment_id == payment_id))
    if promise is not None and promise.status in moves:
        _set(session, promise, moves[promise.status])


def _set(session: Session, promise: Promise, status: PromiseStatus) -> None:
    before = promise.status
    if promise.move_to(status, utc_now()):
        audit.moved(session, "promise", promise.id, before, status)


def _locked_promise() -> Select[Promise]:
    return select(Promise).with_for_update().execution_options(populate_existing=True)


def _is_joining(booking_id: InstrumentedAttribute[UUID] | UUID) -> Exists:
    """Whether a membership is being started whose first payment was not declined."""
    return exists().where(
        Membership.booking_id == booking_id,
        Membership.status == MembershipStatus.PENDING,
        Membership.charge_status != ChargeStatus.DECLINED,
    )
