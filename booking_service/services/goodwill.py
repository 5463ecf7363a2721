"""Goodwill: money given back that is not owed, asked for by one person and approved by another."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction, violated
from booking_service.errors import FieldError, Invalid, NotAllowed, NotFound
from booking_service.models import (
    OWED,
    Actor,
    CaseType,
    Payment,
    PaymentStatus,
    Refund,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.money import dollars
from booking_service.services import audit, cases, outbox, promises
from booking_service.services import refund_rows as rows

_ONE_ASKED = "uq_refunds_one_goodwill_asked"


def ask(payment_id: UUID, amount_cents: int | None, note: str, actor: Actor) -> UUID:
    """Ask for a first visit, or a part of it, to be given back; return the refund's id.

    Nothing is sent before another person has approved it.

    Args:
        payment_id: the first-visit payment.
        amount_cents: how much; None for all that is left of it.
        note: why, in the words of who asks.
        actor: who asks.

    Raises:
        NotFound: there is no such payment.
        Invalid: there is no note, or less is left of the payment.
        NotAllowed: nothing was paid, nothing is left, or somebody has asked already.
    """
    if not note.strip():
        raise Invalid(FieldError("note", "missing", "Say why the money goes back."))
    try:
        with transaction() as session:
            if session.get(Payment, payment_id) is None:
                raise NotFound("There is no such payment.")
            payment = locked(session, Payment, payment_id)
            refund = Refund(
                payment_id=payment.id,
                reason=RefundReason.GOODWILL,
                status=RefundStatus.BLOCKED,
                amount_cents=_amount(session, payment, amount_cents),
                requested_at=utc_now(),
                requested_by=actor.name,
                asked_by_id=actor.id,
                note=note.strip(),
            )
            rows.made(session, refund)
            cents = refund.amount_cents
            cases.open_(session, CaseType.GOODWILL_ASKED, refund.id, "two_people", cents)
            audit.record(session, actor, "goodwill.asked", refund.id, cents=cents)
    except IntegrityError as error:
        if violated(error) == _ONE_ASKED:
            raise NotAllowed("Somebody has asked already, and nobody has decided yet.") from error
        raise
    return refund.id


def grant(session: Session, refund: Refund, actor: Actor) -> None:
    """Approve what somebody else asked for: the money is now on its way, the promise is over.

    That it is somebody else the caller has checked, and the database checks it again.
    """
    refund.approved_by_id = actor.id
    refund.approved_by = actor.name
    refund.approved_at = utc_now()
    audit.record(session, actor, "goodwill.approved", refund.id, cents=refund.amount_cents)
    promises.grant_goodwill(session, refund.payment_id)
    rows.move(session, refund, RefundStatus.REQUESTED)
    outbox.post(session, Topic.REFUND_REQUESTED, refund.id)


def decline(session: Session, refund: Refund, actor: Actor) -> None:
    """Say no to what somebody asked for. The note on the case says why."""
    rows.move(session, refund, RefundStatus.CANCELED)
    audit.record(session, actor, "goodwill.declined", refund.id, cents=refund.amount_cents)


def _amount(session: Session, payment: Payment, wanted: int | None) -> int:
    if payment.status is not PaymentStatus.PAID:
        raise NotAllowed("This visit hasn't been paid, so nothing can go back.")
    asked = select(Refund.id).where(
        Refund.payment_id == payment.id,
        Refund.reason == RefundReason.GOODWILL,
        Refund.status == RefundStatus.BLOCKED,
        Refund.approved_at.is_(None),
    )
    if session.scalar(asked) is not None:
        raise NotAllowed("Somebody has asked already, and nobody has decided yet.")
    left = rows.left_of(session, payment) - _still_due(session, payment)
    if left <= 0:
        raise NotAllowed("Nothing is left of this payment: all of it went back or is going back.")
    if wanted is not None and not 0 < wanted <= left:
        detail = f"Give an amount from $0.01 to {dollars(left)}, which is what is left."
        raise Invalid(FieldError("amount_cents", "out_of_range", detail))
    return left if wanted is None else wanted


def _still_due(session: Session, payment: Payment) -> int:
    """Return what Stripe could not return and people still have to, in cents."""
    bounced = session.scalars(
        select(Refund).where(
            Refund.payment_id == payment.id,
            Refund.reason != RefundReason.EXTERNAL,
            Refund.status.in_(rows.NOT_RETURNED),
        )
    )
    return sum(
        refund.amount_cents
        for refund in bounced
        if not rows.is_given_up(refund) and (refund.reason in OWED or refund.approved_at)
    )
