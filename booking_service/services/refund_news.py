"""What Stripe tells about refunds: ours, and those made in its dashboard."""

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.gateways.payments import PaymentGateway, RefundOutcome
from booking_service.models import (
    AT_REST,
    OWED,
    CaseType,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.services import attempts, cases, ledger, outbox, promises
from booking_service.services import refund_rows as rows

_ON_ITS_WAY: Final = frozenset(
    {RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.EXTERNAL}
)
_DASHBOARD: Final = "Stripe's dashboard"


def apply_news(stripe_refund_id: str, gateway: PaymentGateway) -> None:
    """Look up a refund Stripe told us about, and bring our rows up to date."""
    outcome = gateway.find_refund(stripe_refund_id)
    with transaction() as session:
        take_note(session, outcome)


def take_note(session: Session, outcome: RefundOutcome) -> None:
    """Write down what a refund at Stripe is now, whoever made it. Another's payments are not ours.

    One that nobody here asked for fulfils what we owe when it fits; otherwise it is a row of its
    own, and a person must look.
    """
    payment_id = session.scalar(
        select(Payment.id).where(Payment.stripe_payment_intent_id == outcome.payment_intent_id)
    )
    if payment_id is None:
        return
    payment = locked(session, Payment, payment_id)
    known = session.scalar(
        select(Refund.id).where(Refund.stripe_refund_id == outcome.stripe_refund_id)
    )
    known = known or attempts.maker_of(session, outcome.stripe_refund_id)
    if known is None and outcome.refund_id is not None:
        known = session.scalar(select(Refund.id).where(Refund.id == outcome.refund_id))
    if known is None:
        _made_outside(session, payment, outcome)
    else:
        apply(session, known, outcome)


def apply(session: Session, refund_id: UUID, outcome: RefundOutcome) -> None:
    """Bring a refund up to date with Stripe, from an answer, a webhook, or reconciliation.

    Whoever comes second, or late with older news, changes nothing.
    """
    payment, refund = rows.lock(session, refund_id)
    if refund.stripe_refund_id != outcome.stripe_refund_id:
        if outcome.stripe_refund_id in attempts.made(session, refund.id):
            _book(session, refund, outcome)  # of an earlier try, which is over
            return
        if refund.stripe_refund_id is not None:
            _a_second_one(session, payment, outcome)
            return
        if refund.status is not RefundStatus.SENDING:
            # Made by a worker that was thought to have failed. What did not last changes nothing.
            if outcome.status in rows.NOT_RETURNED:
                _book(session, refund, outcome)
            else:
                _made_outside(session, payment, outcome)
            return
    refund.stripe_refund_id = outcome.stripe_refund_id
    refund.trace_number = outcome.trace_number or refund.trace_number
    _book(session, refund, outcome)
    if refund.status is RefundStatus.EXTERNAL:
        _follow_outside(session, payment, refund, outcome)
    if not refund.may_become(outcome.status):
        return
    before = refund.status
    refund.failure_code = outcome.failure_code
    rows.move(session, refund, outcome.status)
    attempts.end(session, refund.id, outcome.status, outcome.stripe_refund_id)
    follow(session, payment, refund, before)


def follow(session: Session, payment: Payment, refund: Refund, before: RefundStatus) -> None:
    """Do what follows from a refund's new status: promise, mail, case."""
    if refund.status is RefundStatus.SUCCEEDED:
        promises.money_returned(session, payment.id)
        rows.close_cases(session, refund)
    if refund.status in rows.NOT_RETURNED:
        _bounced(session, payment, refund)
    if refund.status is RefundStatus.REQUIRES_ACTION:
        cases.open_(
            session, CaseType.REFUND_FAILED, refund.id, "requires_action", refund.amount_cents
        )
    if refund.status in _ON_ITS_WAY and before is RefundStatus.SENDING:
        outbox.post(session, Topic.REFUND_SENT, refund.id)


def _bounced(session: Session, payment: Payment, refund: Refund) -> None:
    code = refund.failure_code or refund.status
    if refund.reason is RefundReason.EXTERNAL:
        cases.open_(session, CaseType.REFUNDED_OUTSIDE, refund.id, code, refund.amount_cents)
    elif code == rows.STOPPED_BY_DISPUTE:
        promises.block(session, payment.id)
        cases.open_(session, CaseType.REFUND_BLOCKED, refund.id, code, refund.amount_cents)
        rows.follow_disputes(session, payment)  # its end may be known already
    else:
        if refund.reason in OWED:
            promises.money_bounced(session, payment.id)
        cases.open_(session, CaseType.REFUND_FAILED, refund.id, code, refund.amount_cents)
        outbox.post(session, Topic.REFUND_FAILED, refund.id)


def _made_outside(session: Session, payment: Payment, outcome: RefundOutcome) -> None:
    owed = rows.owed_of(session, payment.id)
    is_over = outcome.status in rows.NOT_RETURNED
    if owed is not None and not is_over and owed.amount_cents == outcome.amount_cents:
        if owed.status is RefundStatus.SENDING:
            return  # Stripe refuses ours, and then this one is looked at again
        if _is_unpaid(session, owed):
            _adopt(session, payment, owed, outcome)
            return
    _a_second_one(session, payment, outcome)
    if owed is not None and _is_unpaid(session, owed):
        _ask_for_less(session, payment, owed)


def _is_unpaid(session: Session, owed: Refund) -> bool:
    """Whether nothing of ours is under way, so that money from elsewhere can be what was owed."""
    return (
        owed.status in AT_REST
        and not rows.is_given_up(owed)
        and not rows.is_paid_another_way(session, owed.id)
    )


def _ask_for_less(session: Session, payment: Payment, owed: Refund) -> None:
    left = rows.left_of(session, payment, owed.id)
    if left:
        owed.amount_cents = left
    else:
        rows.nothing_is_left(session, owed)


def _adopt(session: Session, payment: Payment, owed: Refund, outcome: RefundOutcome) -> None:
    """Somebody returned the money in Stripe's dashboard before us: it is back, once."""
    attempts.current(session, "refund", owed.id)
    attempts.end(session, owed.id, RefundStatus.EXTERNAL, outcome.stripe_refund_id)
    owed.stripe_refund_id = outcome.stripe_refund_id
    owed.trace_number = outcome.trace_number
    owed.failure_code = None
    rows.move(session, owed, RefundStatus.EXTERNAL)
    owed.sent_at = owed.answered_at = utc_now()
    session.flush()
    _book(session, owed, outcome)
    _follow_outside(session, payment, owed, outcome)
    rows.close_cases(session, owed)
    outbox.post(session, Topic.REFUND_SENT, owed.id)


def _a_second_one(session: Session, payment: Payment, outcome: RefundOutcome) -> None:
    """Write down money that went back beside, or instead of, what we decided: a person looks."""
    now = utc_now()
    refund = Refund(
        payment_id=payment.id,
        reason=RefundReason.EXTERNAL,
        status=RefundStatus.EXTERNAL,
        amount_cents=outcome.amount_cents,
        requested_at=now,
        requested_by=_DASHBOARD,
        sent_at=now,
        answered_at=now,
        stripe_refund_id=outcome.stripe_refund_id,
        trace_number=outcome.trace_number,
    )
    rows.made(session, refund)
    _book(session, refund, outcome)
    if outcome.status in rows.NOT_RETURNED:
        refund.failure_code = outcome.failure_code
        rows.move(session, refund, outcome.status)
        return
    _follow_outside(session, payment, refund, outcome)
    cases.open_(
        session,
        CaseType.REFUNDED_OUTSIDE,
        refund.id,
        outcome.stripe_refund_id,
        outcome.amount_cents,
    )


def _follow_outside(
    session: Session, payment: Payment, refund: Refund, outcome: RefundOutcome
) -> None:
    """Let the promise follow a refund of the dashboard, as soon as it has arrived."""
    if outcome.status is not RefundStatus.SUCCEEDED:
        return
    if refund.reason in OWED:
        promises.money_returned(session, payment.id)
    elif rows.left_of(session, payment) == 0:
        promises.all_is_back(session, payment.id)


def _book(session: Session, refund: Refund, outcome: RefundOutcome) -> None:
    """Book what Stripe's balance says has left it and come back to it, whatever the status is."""
    moved = (outcome.stripe_refund_id, outcome.amount_cents)
    if outcome.has_left:
        ledger.record_refund(session, refund, *moved)
    if outcome.came_back:
        ledger.record_refund_reversed(session, refund, *moved)
