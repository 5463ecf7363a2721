"""Resolving cases: what a person decided, checked and done in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.db import locked, transaction
from booking_service.errors import FieldError, Invalid, NotAllowed, NotFound
from booking_service.models import (
    AT_REST,
    Actor,
    Booking,
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    OutboxMessage,
    Payment,
    Refund,
    Settlement,
    SettlementMethod,
    Subject,
    objection,
)
from booking_service.services import (
    cases,
    goodwill,
    outbox,
    people,
    receipts,
    refund_rows,
    refunds,
    settlements,
)

# What leaves no other trace than the words of who did it.
NEEDS_NOTE: Final = frozenset(
    {
        CaseAction.ACCEPT_PAYMENT,
        CaseAction.ACKNOWLEDGE,
        CaseAction.DECLINE_GOODWILL,
        CaseAction.RETURN_MONEY,
        CaseAction.WAIVE,
        CaseAction.WITHDRAW_SETTLEMENT,
    }
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What somebody says with a decision; each action needs some of it."""

    note: str = ""
    method: SettlementMethod | None = None
    reference: str = ""
    owner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Decision:
    case: Case
    subject: Subject
    actor: Actor
    facts: Facts

    @property
    def refund(self) -> Refund:
        if self.subject.refund is None:
            raise NotAllowed("There is no refund behind this case.")
        return self.subject.refund

    @property
    def settlement(self) -> Settlement:
        # There is one: without it, both actions were refused.
        return cast("Settlement", self.subject.settlement)


def resolve_by(case_id: UUID, action: CaseAction, actor: Actor, facts: Facts) -> None:
    """Do what a person decided about an open case, once.

    A second person who presses at the same instant waits for the first, and is then told what the
    first one did.

    Raises:
        NotFound: there is no such case.
        Invalid: a note, reference, method or owner is missing.
        NotAllowed: the case is closed, or this may not be done now or not by this person.
    """
    _check(action, facts)
    with transaction() as session:
        known = session.get(Case, case_id)
        if known is None:
            raise NotFound("There is no such case.")
        subject = _lock(session, known)
        case = locked(session, Case, case_id)
        if case.status is CaseStatus.RESOLVED:
            raise NotAllowed(f"{case.resolved_by} closed this case before. Nothing was done twice.")
        refusal = objection(case.type, action, subject, actor.id)
        if refusal:
            raise NotAllowed(refusal)
        is_over = _STEPS[action](session, _Decision(case, subject, actor, facts))
        if is_over:
            cases.close(session, case, action, actor, facts.note.strip())


def approve_goodwill(refund_id: UUID, actor: Actor) -> None:
    """Approve a goodwill refund that somebody else asked for.

    Raises:
        NotFound: there is no such refund.
        NotAllowed: it does not wait for approval, or the same person asked for it.
    """
    with transaction() as session:
        if session.get(Refund, refund_id) is None:
            raise NotFound("There is no such refund.")
        case_id = session.scalar(
            select(Case.id).where(
                Case.type == CaseType.GOODWILL_ASKED,
                Case.subject_id == refund_id,
                Case.status == CaseStatus.OPEN,
            )
        )
    if case_id is None:
        raise NotAllowed("This refund doesn't wait for approval.")
    resolve_by(case_id, CaseAction.APPROVE_GOODWILL, actor, Facts())


def _check(action: CaseAction, facts: Facts) -> None:
    errors = []
    if action in NEEDS_NOTE and not facts.note.strip():
        errors.append(FieldError("note", "missing", "Say why, in a sentence."))
    if action is CaseAction.SETTLE and facts.method is None:
        errors.append(FieldError("method", "missing", "Choose how the money is paid."))
    if action is CaseAction.SETTLE and not facts.reference.strip():
        detail = "Add the check number, the receipt, or the bank's reference."
        errors.append(FieldError("reference", "missing", detail))
    if errors:
        raise Invalid(*errors)


def _lock(session: Session, case: Case) -> Subject:
    """Lock what a case is about, in the order everybody locks in, and read it afresh."""
    if case.type is CaseType.WORK_STUCK:
        locked(session, OutboxMessage, case.subject_id)
        return Subject()
    refund = session.get(Refund, case.subject_id)
    payment = session.get(Payment, refund.payment_id if refund else case.subject_id)
    if payment is None:
        return Subject()
    patient_id = session.scalar(select(Booking.patient_id).where(Booking.id == payment.booking_id))
    if patient_id is not None:
        people.lock(session, patient_id)
    locked(session, Booking, payment.booking_id)
    payment = locked(session, Payment, payment.id)
    if refund is None:
        return Subject(payment)
    refund = locked(session, Refund, refund.id)
    settlement = settlements.standing(session, refund)
    gone = payment.amount_cents - refund_rows.left_of(session, payment, refund.id)
    return Subject(payment, refund, settlement, gone)


def _retry(session: Session, decision: _Decision) -> bool:
    if decision.case.type is CaseType.WORK_STUCK:
        outbox.renew(session, decision.case.subject_id)
    else:
        refunds.retry(session, decision.refund.id)
    return True


def _settle(session: Session, decision: _Decision) -> bool:
    # Both are there: `_check` has seen to it.
    method = cast("SettlementMethod", decision.facts.method)
    reference = decision.facts.reference.strip()
    made = settlements.record(session, decision.refund, method, reference, decision.actor)
    return made.approved_at is not None


def _approve_settlement(session: Session, decision: _Decision) -> bool:
    settlements.approve(session, decision.refund, decision.settlement, decision.actor)
    return True


def _withdraw_settlement(session: Session, decision: _Decision) -> bool:
    refund, case = decision.refund, decision.case
    settlements.withdraw(session, decision.settlement, decision.actor)
    case.note = decision.facts.note.strip()
    if refund.status not in AT_REST:
        return True  # the card got it after all, and now it was paid once
    left = refund_rows.left_of(session, session.get_one(Payment, refund.payment_id), refund.id)
    if not left:
        refund_rows.nothing_is_left(session, refund)
        return True
    if left < refund.amount_cents:
        refund.amount_cents = case.amount_cents = left
    return False


def _approve_goodwill(session: Session, decision: _Decision) -> bool:
    goodwill.grant(session, decision.refund, decision.actor)
    return True


def _decline_goodwill(session: Session, decision: _Decision) -> bool:
    goodwill.decline(session, decision.refund, decision.actor)
    return True


def _return_money(session: Session, decision: _Decision) -> bool:
    receipts.return_mismatched(session, decision.case.subject_id)
    return True


def _accept_payment(session: Session, decision: _Decision) -> bool:
    receipts.accept_mismatched(session, decision.case.subject_id)
    return True


def _waive(session: Session, decision: _Decision) -> bool:
    refunds.give_up(session, decision.refund.id)
    return True


def _acknowledge(_session: Session, _decision: _Decision) -> bool:
    return True


def _assign(session: Session, decision: _Decision) -> bool:
    owner = cases.owner_of(session, decision.facts.owner_id)
    cases.hand_over(session, decision.case, owner, decision.actor)
    return False


# Each does its part in the decision's transaction, and says whether the case is over.
_STEPS: Final[Mapping[CaseAction, Callable[[Session, _Decision], bool]]] = {
    CaseAction.RETRY: _retry,
    CaseAction.SETTLE: _settle,
    CaseAction.APPROVE_SETTLEMENT: _approve_settlement,
    CaseAction.WITHDRAW_SETTLEMENT: _withdraw_settlement,
    CaseAction.APPROVE_GOODWILL: _approve_goodwill,
    CaseAction.DECLINE_GOODWILL: _decline_goodwill,
    CaseAction.RETURN_MONEY: _return_money,
    CaseAction.ACCEPT_PAYMENT: _accept_payment,
    CaseAction.WAIVE: _waive,
    CaseAction.ACKNOWLEDGE: _acknowledge,
    CaseAction.ASSIGN: _assign,
}
