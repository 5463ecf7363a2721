"""Returning the first-visit charge: request, execute, apply."""

import logging
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import GatewayBusy, GatewayLockedOut, GatewayRefused, GatewayUnavailable
from booking_service.gateways.payments import PaymentGateway, RefundOrder, RefundOutcome
from booking_service.models import (
    CaseType,
    Payment,
    Refund,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.services import attempts, cases, ledger, outbox, promises
from booking_service.services.outbox import Patience

log: Final = logging.getLogger(__name__)

_RETURNED: Final = frozenset({RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL})
_ON_ITS_WAY: Final = frozenset(
    {RefundStatus.SUCCEEDED, RefundStatus.PENDING, RefundStatus.EXTERNAL}
)
_NOT_RETURNED: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})


def request(session: Session, payment_id: UUID, reason: RefundReason, requested_by: str) -> Refund:
    """Decide to return a payment in full, and owe that it will be sent to Stripe.

    Asking again returns the refund already decided: what we owe is returned at most once. A
    payment under dispute is decided too, but `blocked` and with nothing owed: the bank may already
    be returning the money, and Stripe refuses to refund a charged-back payment (`charge_disputed`,
    https://docs.stripe.com/error-codes).

    Args:
        session: the caller's transaction; the decision stands only if the caller commits.
        payment_id: the first-visit payment.
        reason: why, in our terms; finance sees it, Stripe does not.
        requested_by: who decided, as finance reads it.

    Raises:
        NoResultFound: there is no such payment.
    """
    payment = locked(session, Payment, payment_id)
    decided = session.scalar(
        select(Refund).where(
            Refund.payment_id == payment.id, Refund.reason != RefundReason.GOODWILL
        )
    )
    if decided is not None:
        return decided
    refund = Refund(
        payment_id=payment.id,
        reason=reason,
        amount_cents=payment.amount_cents,
        requested_at=utc_now(),
        requested_by=requested_by,
    )
    session.add(refund)
    session.flush()
    if payment.disputed_at is not None:
        _block(session, refund)
    else:
        outbox.post(session, Topic.REFUND_REQUESTED, refund.id)
    return refund


def execute(refund_id: UUID, gateway: PaymentGateway, patience: Patience) -> None:
    """Send a requested refund to Stripe and write down the answer.

    Safe to run twice, at once or after a crash: the attempt's key was committed first, and an
    answer already written changes nothing.

    Raises:
        GatewayUnavailable: there is no answer yet; run it again later.
    """
    with transaction() as session:
        refund = locked(session, Refund, refund_id)
        if refund.status not in (RefundStatus.REQUESTED, RefundStatus.SENDING):
            return
        payment = session.get_one(Payment, refund.payment_id)
        attempt = attempts.current(session, "refund", refund.id)
        attempt_id = attempt.id
        refund.move_to(RefundStatus.SENDING, utc_now())
        refund.sent_at = refund.sent_at or utc_now()
        key_is_fresh = attempt.started_at > utc_now() - patience.key_max_age
        order = RefundOrder(
            refund.id,
            payment.stripe_payment_intent_id or "",
            refund.amount_cents,
            attempt.idempotency_key,
        )
    try:
        outcome = _send(order, gateway, key_is_fresh=key_is_fresh)
    except (GatewayBusy, GatewayLockedOut):
        raise  # Stripe did not do it: the same key again, later
    except GatewayUnavailable:
        outcome = _look_for(order, attempt_id, gateway, patience)
    except GatewayRefused as refusal:
        _write_down_refusal(order, refusal, gateway)
        return
    with transaction() as session:
        apply(session, refund_id, outcome)


def apply(session: Session, refund_id: UUID, outcome: RefundOutcome) -> None:
    """Bring a refund up to date with Stripe, from an answer, a webhook, or reconciliation.

    Whoever comes second, or late with older news, changes nothing.
    """
    payment_id = session.get_one(Refund, refund_id).payment_id
    locked(session, Payment, payment_id)
    refund = locked(session, Refund, refund_id)
    if refund.stripe_refund_id not in (None, outcome.stripe_refund_id):
        cases.open_(session, CaseType.REFUNDED_OUTSIDE, refund.id, outcome.stripe_refund_id)
        return
    refund.stripe_refund_id = outcome.stripe_refund_id
    refund.trace_number = outcome.trace_number or refund.trace_number
    _book(session, refund, outcome)
    if not refund.may_become(outcome.status):
        return
    before = refund.status
    refund.failure_code = outcome.failure_code
    refund.move_to(outcome.status, at=utc_now())
    attempts.end(session, refund.id, outcome.status)
    _follow(session, refund, before)


def apply_news(stripe_refund_id: str, gateway: PaymentGateway) -> None:
    """Look up a refund Stripe told us about, and bring ours up to date.

    A refund that nobody here asked for was made in Stripe's dashboard: a person must look.
    """
    outcome = gateway.find_refund(stripe_refund_id)
    with transaction() as session:
        known = session.scalar(
            select(Refund.id).where(
                (Refund.stripe_refund_id == stripe_refund_id) | (Refund.id == outcome.refund_id)
            )
        )
        if known is not None:
            apply(session, known, outcome)
            return
        payment = session.scalar(
            select(Payment).where(Payment.stripe_payment_intent_id == outcome.payment_intent_id)
        )
        if payment is not None:
            cases.open_(
                session,
                CaseType.REFUNDED_OUTSIDE,
                payment.id,
                stripe_refund_id,
                outcome.amount_cents,
            )


def _send(order: RefundOrder, gateway: PaymentGateway, *, key_is_fresh: bool) -> RefundOutcome:
    if not key_is_fresh:
        # Stripe forgets keys after a day: the same key would be a second refund.
        raise GatewayUnavailable("The key is too old to be used again.")
    return gateway.refund(order)


def _look_for(
    order: RefundOrder, attempt_id: UUID, gateway: PaymentGateway, patience: Patience
) -> RefundOutcome:
    """Find out what became of a request that was not answered.

    Raises:
        GatewayUnavailable: it is not there (yet); nobody knows, so nothing is decided.
    """
    found = _ours(order, gateway)
    if found is not None:
        return found
    with transaction() as session:
        attempts.not_found(session, attempt_id, patience.lease)
    raise GatewayUnavailable("Stripe has not shown the refund yet.")


def _ours(order: RefundOrder, gateway: PaymentGateway) -> RefundOutcome | None:
    made = gateway.refunds_of(order.payment_intent_id)
    return next((outcome for outcome in made if outcome.refund_id == order.refund_id), None)


def _write_down_refusal(
    order: RefundOrder, refusal: GatewayRefused, gateway: PaymentGateway
) -> None:
    log.warning("refund refused", extra={"refund_id": str(order.refund_id), "code": refusal.reason})
    made = gateway.refunds_of(order.payment_intent_id)
    ours = next((outcome for outcome in made if outcome.refund_id == order.refund_id), None)
    theirs = next((outcome for outcome in made if outcome.status in _ON_ITS_WAY), None)
    with transaction() as session:
        if ours is not None:
            apply(session, order.refund_id, ours)
            return
        refund = locked(session, Refund, order.refund_id)
        if refund.status is not RefundStatus.SENDING:
            return
        attempts.end(session, refund.id, refusal.reason)
        if refusal.reason == "charge_disputed":
            _block(session, refund)
        elif theirs is not None and refusal.reason == "charge_already_refunded":
            _adopt(session, refund, theirs)
        else:
            refund.failure_code = refusal.reason
            refund.move_to(RefundStatus.FAILED, utc_now())
            _follow(session, refund, RefundStatus.SENDING)


def _adopt(session: Session, refund: Refund, made: RefundOutcome) -> None:
    """Somebody returned the money in Stripe's dashboard before us: it is back, once."""
    refund.stripe_refund_id = made.stripe_refund_id
    refund.move_to(RefundStatus.EXTERNAL, utc_now())
    _book(session, refund, made)
    refund.answered_at = utc_now()
    _follow(session, refund, RefundStatus.SENDING)


def _block(session: Session, refund: Refund) -> None:
    refund.move_to(RefundStatus.BLOCKED, utc_now())
    promises.block(session, refund.payment_id)
    cases.open_(session, CaseType.REFUND_BLOCKED, refund.id, "dispute_open", refund.amount_cents)


def _book(session: Session, refund: Refund, outcome: RefundOutcome) -> None:
    """Book what Stripe's balance says has left it and come back to it, whatever the status is."""
    if outcome.has_left:
        ledger.record_refund(session, refund)
    if outcome.came_back:
        ledger.record_refund_reversed(session, refund)


def _follow(session: Session, refund: Refund, before: RefundStatus) -> None:
    """Do what follows from a refund's new status: ledger, promise, mail, case."""
    if refund.status in _RETURNED:
        promises.money_returned(session, refund.payment_id)
        cases.resolve(session, CaseType.REFUND_FAILED, refund.id)
    if refund.status in _NOT_RETURNED:
        promises.money_bounced(session, refund.payment_id)
        code = refund.failure_code or refund.status
        cases.open_(session, CaseType.REFUND_FAILED, refund.id, code, refund.amount_cents)
        outbox.post(session, Topic.REFUND_FAILED, refund.id)
    if refund.status is RefundStatus.REQUIRES_ACTION:
        cases.open_(
            session, CaseType.REFUND_FAILED, refund.id, "requires_action", refund.amount_cents
        )
    if refund.status in _ON_ITS_WAY and before is RefundStatus.SENDING:
        outbox.post(session, Topic.REFUND_SENT, refund.id)
