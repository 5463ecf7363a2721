"""Disputes: what a patient's bank asks back, as Stripe tells it."""

from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import GatewayBusy
from booking_service.gateways.payments import DisputeFacts, PaymentGateway
from booking_service.models import (
    Case,
    CaseStatus,
    CaseType,
    Dispute,
    DisputeStatus,
    EntryKind,
    JournalEntry,
    Membership,
    Payment,
)
from booking_service.models.disputes import OPEN
from booking_service.services import cases, ledger, refund_rows


def apply_news(stripe_dispute_id: str, gateway: PaymentGateway) -> None:
    """Look up a dispute Stripe told us about, and let our rows, books and refunds follow it.

    Everything follows from what the dispute is now, so that news in any order, and any number of
    times, ends in the same rows.

    Raises:
        GatewayBusy: another worker wrote something down while we asked; ask again.
    """
    before = _status(stripe_dispute_id)
    facts = gateway.find_dispute(stripe_dispute_id)
    with transaction() as session:
        payment, membership = _disputed(session, facts)
        if payment is None and membership is None:
            return  # another application's
        dispute = session.scalar(
            select(Dispute)
            .where(Dispute.stripe_dispute_id == facts.id)
            .execution_options(populate_existing=True)
        )
        # A dispute has no order of its own: won may follow lost. Older facts must not win.
        if (dispute.status if dispute else None) is not before:
            raise GatewayBusy("Another worker has heard of this dispute meanwhile.")
        dispute = _written(session, dispute, facts, payment, membership)
        _book(session, dispute, facts)
        _tell(session, dispute)
        if payment is not None:
            refund_rows.follow_disputes(session, payment)


def _status(stripe_dispute_id: str) -> DisputeStatus | None:
    with transaction() as session:
        return session.scalar(
            select(Dispute.status).where(Dispute.stripe_dispute_id == stripe_dispute_id)
        )


def _disputed(session: Session, facts: DisputeFacts) -> tuple[Payment | None, Membership | None]:
    """Return what the bank asks back, locked: a first visit, or a membership's month."""
    intent_id = facts.payment_intent_id
    payment_id = session.scalar(
        select(Payment.id).where(Payment.stripe_payment_intent_id == intent_id)
    )
    if payment_id is not None:
        return locked(session, Payment, payment_id), None
    membership_id: UUID | None = session.scalar(
        select(JournalEntry.subject_id).where(
            JournalEntry.kind == EntryKind.MEMBERSHIP_PAYMENT, JournalEntry.stripe_id == intent_id
        )
    )
    return None, None if membership_id is None else locked(session, Membership, membership_id)


def _written(
    session: Session,
    dispute: Dispute | None,
    facts: DisputeFacts,
    payment: Payment | None,
    membership: Membership | None,
) -> Dispute:
    if dispute is None:
        dispute = Dispute(
            stripe_dispute_id=facts.id,
            payment_id=payment.id if payment else None,
            membership_id=membership.id if membership else None,
            opened_at=facts.opened_at,
        )
        session.add(dispute)
    dispute.status = facts.status
    dispute.amount_cents = facts.amount_cents
    dispute.reason = facts.reason
    dispute.evidence_due_at = facts.evidence_due_at
    dispute.closed_at = None if facts.status in OPEN else dispute.closed_at or utc_now()
    session.flush()
    return dispute


def _book(session: Session, dispute: Dispute, facts: DisputeFacts) -> None:
    for moved in facts.movements:
        ledger.record_dispute_movement(session, dispute, moved)
    if dispute.status is DisputeStatus.LOST:
        taken_cents = -sum(moved.amount_cents for moved in facts.movements)
        ledger.record_dispute_lost(session, dispute, taken_cents)
    if dispute.status is DisputeStatus.WON and ledger.record_dispute_won_late(session, dispute):
        # The promise had ended, because the patient had the money: now nobody has it but us.
        doubt = CaseType.PROMISE_IN_DOUBT
        cases.open_(session, doubt, dispute.id, "dispute_won_on_appeal", dispute.amount_cents)


def _tell(session: Session, dispute: Dispute) -> None:
    """Keep a case open while the bank has not decided, due when the evidence is."""
    if dispute.status not in OPEN:
        cases.resolve(session, CaseType.DISPUTE_OPEN, dispute.id)
        return
    cases.open_(session, CaseType.DISPUTE_OPEN, dispute.id, dispute.reason, dispute.amount_cents)
    if dispute.evidence_due_at is not None:
        session.execute(
            update(Case)
            .where(
                Case.type == CaseType.DISPUTE_OPEN,
                Case.subject_id == dispute.id,
                Case.status == CaseStatus.OPEN,
            )
            .values(due_at=dispute.evidence_due_at)
        )
