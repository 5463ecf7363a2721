"""Settlements: paying a refund outside Stripe, once, and seen by two people where it matters."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import (
    Actor,
    Payment,
    Refund,
    Settlement,
    SettlementMethod,
    Topic,
    takes_two,
)
from booking_service.services import audit, outbox, refunds


def standing(session: Session, refund: Refund) -> Settlement | None:
    """Return the payment outside Stripe that was recorded for a refund and not withdrawn."""
    return session.scalar(
        select(Settlement)
        .where(Settlement.refund_id == refund.id, Settlement.withdrawn_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def record(
    session: Session, refund: Refund, method: SettlementMethod, reference: str, actor: Actor
) -> Settlement:
    """Write down that a refund is being paid outside Stripe; from now on Stripe is not asked.

    What the desk took and hands back itself, up to $100.00, is settled at once. Everything else
    waits for the approval of another person.

    Args:
        session: the caller's transaction, which holds the lock of the refund.
        refund: what is paid back, in full; nobody types the amount.
        method: how it is paid.
        reference: the check's number, the receipt, or the bank's reference.
        actor: who pays it.
    """
    settlement = Settlement(
        refund_id=refund.id,
        method=method,
        reference=reference,
        amount_cents=refund.amount_cents,
        recorded_at=utc_now(),
        recorded_by_id=actor.id,
        recorded_by=actor.name,
    )
    session.add(settlement)
    session.flush()
    audit.record(
        session, actor, "settlement.recorded", refund.id, method=method, cents=refund.amount_cents
    )
    payment = session.get_one(Payment, refund.payment_id)
    if not takes_two(payment, refund.amount_cents):
        _pay(session, refund, settlement)
    return settlement


def approve(session: Session, refund: Refund, settlement: Settlement, actor: Actor) -> None:
    """Confirm somebody else's payment of a refund: it is paid, and nothing is owed any more.

    That it is somebody else the caller has checked, and the database checks it again.
    """
    settlement.approved_by_id = actor.id
    settlement.approved_by = actor.name
    _pay(session, refund, settlement)
    audit.record(session, actor, "settlement.approved", refund.id, method=settlement.method)


def withdraw(session: Session, settlement: Settlement, actor: Actor) -> None:
    """Take back a recorded payment that did not happen; Stripe may be asked again."""
    settlement.withdrawn_at = utc_now()
    session.flush()
    audit.record(session, actor, "settlement.withdrawn", settlement.refund_id)


def _pay(session: Session, refund: Refund, settlement: Settlement) -> None:
    settlement.approved_at = utc_now()
    session.flush()
    refunds.settle_otherwise(session, refund.id, settlement)
    outbox.post(session, Topic.REFUND_SETTLED_OTHERWISE, refund.id)
