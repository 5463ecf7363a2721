"""What people may do about a refund that did not arrive: once more, another way, or not at all."""

from uuid import UUID

from sqlalchemy.orm import Session

from booking_service.errors import NotAllowed
from booking_service.models import OWED, Refund, RefundStatus, Settlement
from booking_service.services import ledger, promises
from booking_service.services import refund_rows as rows


def retry(session: Session, refund_id: UUID) -> None:
    """Send a refund to Stripe once more that did not arrive, as a new attempt.

    Raises:
        NotAllowed: it is not one that failed, it is paid another way, or a bank is looking at it.
        NoResultFound: there is no such refund.
    """
    payment, refund = rows.lock(session, refund_id)
    _must_have_failed(session, refund)
    if payment.disputed_at is not None:
        raise NotAllowed("The patient's bank is looking at this payment; Stripe would refuse.")
    left = rows.left_of(session, payment, refund.id)
    if not left:
        raise NotAllowed("All of this payment went back already.")
    refund.amount_cents = left if refund.reason in OWED else min(left, refund.amount_cents)
    rows.send_again(session, refund)


def settle_otherwise(session: Session, refund_id: UUID, settlement: Settlement) -> None:
    """Keep a promise that Stripe could not keep: the money was paid by check, cash or transfer.

    Raises:
        NotAllowed: the refund is on its way or over, a bank is looking at the payment, or the
            amount is another than what is owed.
        NoResultFound: there is no such refund.
    """
    payment, refund = rows.lock(session, refund_id)
    if refund.status is not RefundStatus.BLOCKED or refund.waits_for_approval:
        _must_have_failed(session, refund, paid_by=settlement)
    if payment.disputed_at is not None:
        raise NotAllowed("The patient's bank is looking at this payment; it would be paid twice.")
    if settlement.amount_cents != refund.amount_cents:
        raise NotAllowed("What was paid is not what is owed.")
    rows.move(session, refund, RefundStatus.SETTLED_OTHERWISE)
    ledger.record_settlement(session, refund, settlement)
    promises.money_returned(session, payment.id)
    rows.close_cases(session, refund)


def give_up(session: Session, refund_id: UUID) -> None:
    """The patient does not want the money: nothing more is sent, and it is ours.

    Raises:
        NotAllowed: the refund is on its way or over, or it is paid another way.
        NoResultFound: there is no such refund.
    """
    payment, refund = rows.lock(session, refund_id)
    is_waiting = refund.status is RefundStatus.BLOCKED and not refund.waits_for_approval
    if not is_waiting or rows.is_paid_another_way(session, refund.id):
        _must_have_failed(session, refund)
    rows.cancel(session, refund, rows.WAIVED)
    promises.waive(session, payment.id)
    ledger.record_lapse(session, payment, str(refund.id))


def _must_have_failed(session: Session, refund: Refund, paid_by: Settlement | None = None) -> None:
    if rows.is_given_up(refund):
        raise NotAllowed("This refund was given up.")
    if paid_by is None and rows.is_paid_another_way(session, refund.id):
        raise NotAllowed("This refund is being paid another way; withdraw that first.")
    if refund.status not in rows.NOT_RETURNED:
        raise NotAllowed(f"This refund is {refund.status.replace('_', ' ')}; it has not failed.")
