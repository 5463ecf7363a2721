"""Returning the first-visit charge: decide, and send.

What Stripe tells of refunds is in `refund_news`, what people may do about one that failed in
`refund_exceptions`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import (
    GatewayBusy,
    GatewayLockedOut,
    GatewayRefused,
    GatewayUnavailable,
)
from booking_service.gateways.payments import PaymentGateway, RefundOrder, RefundOutcome
from booking_service.models import (
    OWED,
    CaseType,
    Payment,
    PaymentTender,
    Refund,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.services import attempts, cases, outbox, promises, refund_news
from booking_service.services import refund_rows as rows
from booking_service.services.outbox import Patience
from booking_service.services.refund_exceptions import give_up, retry, settle_otherwise
from booking_service.services.refund_news import apply, apply_news

__all__ = ["apply", "apply_news", "execute", "give_up", "request", "retry", "settle_otherwise"]

log: Final = logging.getLogger(__name__)


def request(
    session: Session, payment_id: UUID, reason: RefundReason, requested_by: str
) -> Refund | None:
    """Decide to return what is left of a payment, and owe that it will be sent to Stripe.

    Asking again returns the refund already decided: what we owe is returned at most once. When
    nothing is left, because it all went back in Stripe's dashboard or to a bank, there is no
    refund, and the promise ends. A payment under dispute is decided too, but `blocked` and with
    nothing sent: Stripe refuses it (`charge_disputed`, https://docs.stripe.com/error-codes).

    Args:
        session: the caller's transaction; the decision stands only if the caller commits.
        payment_id: the first-visit payment.
        reason: why, in our terms; finance sees it, Stripe does not.
        requested_by: who decided, as finance reads it.

    Raises:
        NoResultFound: there is no such payment.
    """
    payment = locked(session, Payment, payment_id)
    decided = rows.owed_of(session, payment.id) if reason in OWED else None
    if decided is not None:
        return decided
    left = rows.left_of(session, payment)
    if not left:
        promises.money_returned(session, payment.id)
        return None
    refund = Refund(
        payment_id=payment.id,
        reason=reason,
        amount_cents=left,
        requested_at=utc_now(),
        requested_by=requested_by,
    )
    rows.made(session, refund)
    if payment.disputed_at is not None:
        rows.block(session, refund)
    else:
        outbox.post(session, Topic.REFUND_REQUESTED, refund.id)
    return refund


@dataclass(frozen=True, slots=True)
class _Try:
    """What a worker needs to know to ask Stripe, read in one transaction."""

    order: RefundOrder
    attempt_id: UUID
    until: datetime  # the end of the lease
    key_is_fresh: bool
    made_before: frozenset[str | None]  # by earlier attempts, which are over


def execute(refund_id: UUID, gateway: PaymentGateway, patience: Patience) -> None:
    """Send a requested refund to Stripe and write down the answer.

    Safe to run twice, at once or after a crash: the attempt's key was committed first, and an
    answer already written changes nothing.

    Raises:
        GatewayUnavailable: there is no answer yet; run it again later.
    """
    asked = _begin(refund_id, patience)
    if asked is None:
        return
    try:
        outcome = _send(asked, gateway)
    except (GatewayBusy, GatewayLockedOut):
        raise  # Stripe did not do it: the same key again, later
    except GatewayUnavailable:
        outcome = _look_for(asked, gateway, patience)
    except GatewayRefused as refusal:
        _write_down_refusal(asked, refusal, gateway)
        return
    with transaction() as session:
        apply(session, refund_id, outcome)


def _begin(refund_id: UUID, patience: Patience) -> _Try | None:
    """Commit what is about to be asked of Stripe; None when there is nothing to ask."""
    now = utc_now()
    with transaction() as session:
        payment, refund = rows.lock(session, refund_id)
        if refund.status is RefundStatus.REQUESTED:
            _prepare(session, payment, refund)
        if refund.status is not RefundStatus.SENDING:
            return None
        attempt = attempts.current(session, "refund", refund.id)
        refund.sent_at = refund.sent_at or now
        order = RefundOrder(
            refund.id,
            payment.stripe_payment_intent_id or "",
            refund.amount_cents,
            attempt.idempotency_key,
        )
        return _Try(
            order=order,
            attempt_id=attempt.id,
            until=now + patience.lease,
            key_is_fresh=attempt.started_at > now - patience.key_max_age,
            made_before=frozenset(attempts.made(session, refund.id)),
        )


def _prepare(session: Session, payment: Payment, refund: Refund) -> None:
    """Make a requested refund ready to be sent, unless it is not for Stripe (any more)."""
    if payment.tender is not PaymentTender.CARD:
        rows.move(session, refund, RefundStatus.BLOCKED)
        cases.open_(session, CaseType.DESK_PAYOUT, refund.id, payment.tender, refund.amount_cents)
        return
    if payment.disputed_at is not None:
        rows.block(session, refund)
        return
    left = rows.left_of(session, payment, refund.id)
    if not left:
        rows.nothing_is_left(session, refund)
        return
    refund.amount_cents = left if refund.reason in OWED else min(left, refund.amount_cents)
    rows.move(session, refund, RefundStatus.SENDING)


def _send(asked: _Try, gateway: PaymentGateway) -> RefundOutcome:
    if not asked.key_is_fresh:
        # Stripe forgets keys after a day: the same key would be a second refund.
        raise GatewayUnavailable("The key is too old to be used again.")
    if not attempts.may_ask(asked.attempt_id, asked.until):
        raise GatewayBusy("Another worker has taken over.")
    return gateway.refund(asked.order)


def _look_for(asked: _Try, gateway: PaymentGateway, patience: Patience) -> RefundOutcome:
    """Find out what became of a request that was not answered.

    Raises:
        GatewayUnavailable: it is not there (yet); nobody knows, so nothing is decided.
    """
    found = _ours(asked, gateway.refunds_of(asked.order.payment_intent_id))
    if found is not None:
        return found
    with transaction() as session:
        attempts.not_found(session, asked.attempt_id, patience.lease)
    raise GatewayUnavailable("Stripe has not shown the refund yet.")


def _ours(asked: _Try, made: Sequence[RefundOutcome]) -> RefundOutcome | None:
    return next(
        (
            outcome
            for outcome in made
            if outcome.refund_id == asked.order.refund_id
            and outcome.stripe_refund_id not in asked.made_before
        ),
        None,
    )


def _write_down_refusal(asked: _Try, refusal: GatewayRefused, gateway: PaymentGateway) -> None:
    """Find out why Stripe said no: somebody returned the money, a part of it, or a bank has it."""
    order = asked.order
    log.warning("refund refused", extra={"refund_id": str(order.refund_id), "code": refusal.reason})
    made = gateway.refunds_of(order.payment_intent_id)
    ours = _ours(asked, made)
    with transaction() as session:
        if ours is not None:
            apply(session, order.refund_id, ours)
            return
        payment, refund = rows.lock(session, order.refund_id)
        if refund.status is not RefundStatus.SENDING or not attempts.is_open(
            session, asked.attempt_id
        ):
            return  # a worker that slept through its lease: the answer is an old one
        attempts.end(session, refund.id, refusal.reason)
        if refusal.reason == "charge_disputed":
            rows.block(session, refund)
        else:
            refund.failure_code = refusal.reason
            rows.move(session, refund, RefundStatus.FAILED)
        for outcome in made:
            if outcome.refund_id != refund.id:
                refund_news.take_note(session, outcome)
        _after_refusal(session, payment, refund, order.amount_cents)


def _after_refusal(session: Session, payment: Payment, refund: Refund, asked_cents: int) -> None:
    if refund.status is RefundStatus.BLOCKED:
        rows.follow_disputes(session, payment)  # its end may be known already
        return
    if refund.status is not RefundStatus.FAILED:
        return  # the money went back in Stripe's dashboard
    left = rows.left_of(session, payment, refund.id)
    if not left:
        rows.nothing_is_left(session, refund)
    elif left < asked_cents:
        rows.send_again(session, refund)
    else:
        refund_news.follow(session, payment, refund, RefundStatus.SENDING)
