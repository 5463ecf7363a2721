"""What of a payment is left to return, and the steps of a refund that touch nothing at Stripe."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked
from booking_service.models import (
    BLOCKING,
    OWED,
    CaseType,
    Dispute,
    DisputeStatus,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    Settlement,
    Topic,
)
from booking_service.services import audit, cases, outbox, promises

NOT_RETURNED: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
# Why we gave a refund up ourselves; it then stays `canceled`.
WAIVED: Final = "waived"
RETURNED_OUTSIDE: Final = "returned_outside"
DISPUTE_LOST: Final = "dispute_lost"
GIVEN_UP: Final = frozenset({WAIVED, RETURNED_OUTSIDE, DISPUTE_LOST})
# How Stripe says that a dispute stopped a refund which was on its way.
STOPPED_BY_DISPUTE: Final = "charge_for_pending_refund_disputed"

_UNSENT: Final = frozenset({RefundStatus.REQUESTED, RefundStatus.BLOCKED, RefundStatus.FAILED})
_ONLY_ASKED: Final = (
    (Refund.reason == RefundReason.GOODWILL)
    & (Refund.status == RefundStatus.BLOCKED)
    & Refund.approved_at.is_(None)
)
_CASES: Final = (
    CaseType.REFUND_FAILED,
    CaseType.REFUND_BLOCKED,
    CaseType.DESK_PAYOUT,
    CaseType.GOODWILL_ASKED,
)
# When Stripe still sees a dispute of which we know that it is over, asking at once would be vain.
_AFTER_A_DISPUTE: Final = timedelta(minutes=1)


def lock(session: Session, refund_id: UUID) -> tuple[Payment, Refund]:
    """Lock a refund and its payment, the payment first.

    Raises:
        NoResultFound: there is no such refund.
    """
    payment_id = session.get_one(Refund, refund_id).payment_id
    payment = locked(session, Payment, payment_id)
    return payment, locked(session, Refund, refund_id)


def made(session: Session, refund: Refund) -> None:
    """Keep a refund that was decided here, or found at Stripe."""
    session.add(refund)
    session.flush()
    reason, cents = refund.reason, refund.amount_cents
    audit.moved(session, "refund", refund.id, None, refund.status, reason=reason, cents=cents)


def move(session: Session, refund: Refund, status: RefundStatus) -> None:
    """Move a refund to `status`, and write that down: nobody else moves one.

    Raises:
        IllegalTransition: it may not follow.
    """
    before = refund.status
    if refund.move_to(status, utc_now()):
        audit.moved(session, "refund", refund.id, before, status, cents=refund.amount_cents)


def left_of(session: Session, payment: Payment, apart_from: UUID | None = None) -> int:
    """Return what of a payment has neither gone back nor been promised to, in cents.

    The payment must be locked. Goodwill that nobody has approved is not promised. What a bank took
    for good counts as gone back. `apart_from` is the refund whose own amount is being decided.
    """
    gone = select(func.coalesce(func.sum(Refund.amount_cents), 0)).where(
        Refund.payment_id == payment.id, Refund.status.not_in(NOT_RETURNED), ~_ONLY_ASKED
    )
    if apart_from is not None:
        gone = gone.where(Refund.id != apart_from)
    taken = select(func.coalesce(func.sum(Dispute.amount_cents), 0)).where(
        Dispute.payment_id == payment.id, Dispute.status == DisputeStatus.LOST
    )
    went = int(session.scalar(gone) or 0) + int(session.scalar(taken) or 0)
    return max(payment.amount_cents - went, 0)


def owed_of(session: Session, payment_id: UUID) -> Refund | None:
    """Return the refund we owe of a payment, locked, if one was decided."""
    refund_id = session.scalar(
        select(Refund.id).where(Refund.payment_id == payment_id, Refund.reason.in_(OWED))
    )
    return None if refund_id is None else locked(session, Refund, refund_id)


def is_paid_another_way(session: Session, refund_id: UUID) -> bool:
    """Whether a payment by check, cash or transfer stands, recorded or approved."""
    standing = select(Settlement.id).where(
        Settlement.refund_id == refund_id, Settlement.withdrawn_at.is_(None)
    )
    return session.scalar(standing) is not None


def block(session: Session, refund: Refund) -> None:
    """A dispute stands in the way: nothing is sent until the bank has decided."""
    move(session, refund, RefundStatus.BLOCKED)
    promises.block(session, refund.payment_id)
    cases.open_(session, CaseType.REFUND_BLOCKED, refund.id, "dispute_open", refund.amount_cents)


def send_again(session: Session, refund: Refund, *, wait: bool = False) -> None:
    """Owe it to Stripe anew, as a new attempt."""
    move(session, refund, RefundStatus.REQUESTED)
    refund.stripe_refund_id = refund.failure_code = refund.trace_number = refund.sent_at = None
    promises.try_again(session, refund.payment_id)
    close_cases(session, refund)
    not_before = utc_now() + _AFTER_A_DISPUTE if wait else None
    outbox.post(session, Topic.REFUND_REQUESTED, refund.id, not_before)


def cancel(session: Session, refund: Refund, why: str) -> None:
    """Give a refund up for good: nothing more is sent."""
    refund.failure_code = why
    move(session, refund, RefundStatus.CANCELED)
    close_cases(session, refund)


def close_cases(session: Session, refund: Refund) -> None:
    """Close what was open because this refund did not arrive."""
    for type_ in _CASES:
        cases.resolve(session, type_, refund.id)


def nothing_is_left(session: Session, refund: Refund) -> None:
    """What this refund was to return went back another way: the promise is kept all the same."""
    cancel(session, refund, RETURNED_OUTSIDE)
    promises.money_returned(session, refund.payment_id)


def follow_disputes(session: Session, payment: Payment) -> None:
    """Do what the disputes of a payment mean for its refunds, as they stand now.

    Stripe refuses to refund what a bank is taking back (`charge_disputed`,
    https://docs.stripe.com/error-codes), and fails what was on its way.
    """
    found = session.scalars(select(Dispute.status).where(Dispute.payment_id == payment.id))
    statuses = set(found)
    if not statuses:
        return
    is_open = bool(statuses & BLOCKING)
    payment.disputed_at = (payment.disputed_at or utc_now()) if is_open else None
    is_lost = DisputeStatus.LOST in statuses
    for refund in _of(session, payment.id):
        if is_lost and refund.status in _UNSENT:
            cancel(session, refund, DISPUTE_LOST)
        elif is_open and refund.status is RefundStatus.REQUESTED:
            block(session, refund)
        elif not is_lost and not is_open and _is_stopped(session, refund):
            send_again(session, refund, wait=True)
    if is_lost:
        promises.bank_took_it(session, payment.id)


def _of(session: Session, payment_id: UUID) -> Sequence[Refund]:
    return session.scalars(
        select(Refund)
        .where(Refund.payment_id == payment_id)
        .order_by(Refund.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def is_given_up(refund: Refund) -> bool:
    """Whether we canceled it ourselves, for good."""
    return refund.status is RefundStatus.CANCELED and refund.failure_code in GIVEN_UP


def _is_stopped(session: Session, refund: Refund) -> bool:
    """Whether it waits for a bank's decision: never sent, or failed on its way."""
    failed_so = (RefundStatus.FAILED, STOPPED_BY_DISPUTE)
    is_waiting = refund.status is RefundStatus.BLOCKED and not refund.waits_for_approval
    is_waiting = is_waiting or (refund.status, refund.failure_code) == failed_so
    return is_waiting and not is_paid_another_way(session, refund.id)
