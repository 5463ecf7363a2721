"""Writing the ledger: each movement once, in two or more lines that add up to zero.

What moved at Stripe is booked when Stripe's balance moved, under the id it moved by: so the two
can be compared to the cent. Writing the same movement again changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.gateways.payments import BalanceMovement
from booking_service.models import (
    Account,
    Dispute,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    Payment,
    PaymentTender,
    Refund,
    Settlement,
    SettlementMethod,
)

_PAID_FROM: Final[Mapping[SettlementMethod, Account]] = {
    SettlementMethod.CASH: Account.DESK_TAKINGS,
    SettlementMethod.TERMINAL: Account.DESK_TAKINGS,
    SettlementMethod.CHECK: Account.BANK,
    SettlementMethod.BANK_TRANSFER: Account.BANK,
}


@dataclass(frozen=True, slots=True)
class Movement:
    """What moved: about which record, of which first visit, and under which id at Stripe."""

    kind: EntryKind
    subject_id: UUID
    reference: str = ""
    payment_id: UUID | None = None
    stripe_id: str | None = None


def record_payment(session: Session, payment: Payment) -> None:
    """A first visit was paid, by card or at the desk, and may have to go back."""
    by_card = payment.tender is PaymentTender.CARD
    where = Account.STRIPE_BALANCE if by_card else Account.DESK_TAKINGS
    reference = (payment.stripe_payment_intent_id if by_card else payment.reference) or ""
    write(
        session,
        Movement(
            EntryKind.PAYMENT,
            payment.id,
            reference,
            payment.id,
            payment.stripe_payment_intent_id,
        ),
        {where: payment.amount_cents, Account.REFUND_LIABILITY: -payment.amount_cents},
    )


def record_fee(session: Session, movement: Movement, fee_cents: int) -> None:
    """Stripe kept its fee. It is not returned with a refund."""
    write(session, movement, {Account.STRIPE_FEES: fee_cents, Account.STRIPE_BALANCE: -fee_cents})


def record_refund(session: Session, refund: Refund, stripe_id: str, cents: int) -> None:
    """Money left Stripe's balance for the patient's card, under Stripe's id of that try."""
    write(
        session,
        Movement(EntryKind.REFUND, refund.id, stripe_id, refund.payment_id, stripe_id),
        {
            **_no_longer_owed(session, refund.payment_id, cents),
            Account.STRIPE_BALANCE: -cents,
        },
    )


def record_refund_reversed(session: Session, refund: Refund, stripe_id: str, cents: int) -> None:
    """The bank sent the money back: it is with Stripe again, and still owed."""
    write(
        session,
        Movement(EntryKind.REFUND_REVERSED, refund.id, stripe_id, refund.payment_id, stripe_id),
        {Account.STRIPE_BALANCE: cents, Account.REFUND_LIABILITY: -cents},
    )


def record_dispute_movement(session: Session, dispute: Dispute, moved: BalanceMovement) -> None:
    """A bank took a payment out of Stripe's balance, or put it back; Stripe kept its fee."""
    kind = EntryKind.DISPUTE_WITHDRAWN if moved.amount_cents < 0 else EntryKind.DISPUTE_REINSTATED
    write(
        session,
        Movement(kind, dispute.id, moved.id, dispute.payment_id, dispute.stripe_dispute_id),
        {
            Account.DISPUTED_FUNDS: -moved.amount_cents,
            Account.STRIPE_FEES: moved.fee_cents,
            Account.STRIPE_BALANCE: moved.amount_cents - moved.fee_cents,
        },
    )


def record_dispute_lost(session: Session, dispute: Dispute, cents: int) -> None:
    """A bank kept what it took: it paid what we still owed, and the rest is a loss."""
    owed = 0
    if dispute.payment_id is not None:
        owed = min(cents, max(still_owed(session, dispute.payment_id), 0))
    write(
        session,
        Movement(EntryKind.DISPUTE_LOST, dispute.id, payment_id=dispute.payment_id),
        {
            Account.DISPUTED_FUNDS: -cents,
            Account.REFUND_LIABILITY: owed,
            Account.DISPUTE_LOSSES: cents - owed,
        },
    )


def record_dispute_won_late(session: Session, dispute: Dispute) -> bool:
    """What was booked as lost came back on appeal; return whether that is new."""
    lost = _lines(session, EntryKind.DISPUTE_LOST, dispute.id, "")
    return write(
        session,
        Movement(EntryKind.DISPUTE_LOST, dispute.id, "won on appeal", dispute.payment_id),
        {line.account: -line.amount_cents for line in lost},
    )


def record_settlement(session: Session, refund: Refund, settlement: Settlement) -> None:
    """What was owed was paid another way, from the drawer or the practice's bank account."""
    write(
        session,
        Movement(
            EntryKind.SETTLEMENT, refund.id, settlement.reference, payment_id=refund.payment_id
        ),
        {
            **_no_longer_owed(session, refund.payment_id, settlement.amount_cents),
            _PAID_FROM[settlement.method]: -settlement.amount_cents,
        },
    )


def record_lapse(session: Session, payment: Payment, reference: str | None = None) -> None:
    """Nothing of this payment has to go back any more: what is left of it is earned.

    A visit ends once, unless that is taken back. A refund that is given up names the refund.
    """
    cents = still_owed(session, payment.id)
    ref = _end_of_visit(session, payment.id) if reference is None else reference
    write(
        session,
        Movement(EntryKind.PROMISE_LAPSED, payment.id, ref, payment.id),
        {Account.REFUND_LIABILITY: cents, Account.FIRST_VISIT_REVENUE: -cents},
    )


def record_reopened(session: Session, payment: Payment) -> None:
    """The end of a visit was taken back: what was earned by it may have to go back again."""
    ref = _end_of_visit(session, payment.id)
    lapsed = _lines(session, EntryKind.PROMISE_LAPSED, payment.id, ref)
    write(
        session,
        Movement(EntryKind.PROMISE_REOPENED, payment.id, ref, payment.id),
        {line.account: -line.amount_cents for line in lapsed},
    )


def record_membership_payment(
    session: Session, membership: Membership, cents: int, payment_intent_id: str | None = None
) -> None:
    """A month was paid: at Stripe under a payment intent, or at the desk with its receipt."""
    where = Account.STRIPE_BALANCE if payment_intent_id else Account.DESK_TAKINGS
    reference = payment_intent_id or membership.reference or ""
    kind = EntryKind.MEMBERSHIP_PAYMENT
    write(
        session,
        Movement(kind, membership.id, reference, stripe_id=payment_intent_id),
        {where: cents, Account.MEMBERSHIP_REVENUE: -cents},
    )


def record_membership_fee(
    session: Session, membership: Membership, cents: int, payment_intent_id: str
) -> None:
    """Stripe kept its fee of a month that was paid."""
    kind = EntryKind.MEMBERSHIP_FEE
    fee = Movement(kind, membership.id, payment_intent_id, stripe_id=payment_intent_id)
    record_fee(session, fee, cents)


def still_owed(session: Session, payment_id: UUID) -> int:
    """Return what of a first visit may still have to go back, in cents, as the ledger says."""
    owed = (
        select(func.coalesce(func.sum(JournalLine.amount_cents), 0))
        .join(JournalEntry, JournalEntry.id == JournalLine.entry_id)
        .where(
            JournalEntry.payment_id == payment_id,
            JournalLine.account == Account.REFUND_LIABILITY,
        )
    )
    return -int(session.scalar(owed) or 0)


def taken_at_the_desk(session: Session, begins: datetime, ends: datetime) -> int:
    """Return what the desk took in a span of time, less what it paid back, in cents."""
    taken = (
        select(func.coalesce(func.sum(JournalLine.amount_cents), 0))
        .join(JournalEntry, JournalEntry.id == JournalLine.entry_id)
        .where(
            JournalLine.account == Account.DESK_TAKINGS,
            JournalEntry.at >= begins,
            JournalEntry.at < ends,
        )
    )
    return int(session.scalar(taken) or 0)


def write(session: Session, movement: Movement, lines: Mapping[Account, int]) -> bool:
    """Write a movement unless it is there already, and return whether it was new.

    Lines of nothing are left out, and a movement of nothing is not written.
    """
    lines = {account: cents for account, cents in lines.items() if cents}
    if not lines:
        return False
    entry = (
        insert(JournalEntry)
        .values(
            kind=movement.kind,
            subject_id=movement.subject_id,
            reference=movement.reference,
            payment_id=movement.payment_id,
            stripe_id=movement.stripe_id,
            at=utc_now(),
        )
        .on_conflict_do_nothing()
        .returning(JournalEntry.id)
    )
    entry_id = session.scalar(entry)
    if entry_id is None:
        return False
    for account, cents in lines.items():
        session.add(JournalLine(entry_id=entry_id, account=account, amount_cents=cents))
    session.flush()
    return True


def _end_of_visit(session: Session, payment_id: UUID) -> str:
    """Return the reference of the end that counts now: the first has none, the next is "2"."""
    taken_back = select(func.count()).where(
        JournalEntry.kind == EntryKind.PROMISE_REOPENED, JournalEntry.subject_id == payment_id
    )
    before = session.scalar(taken_back) or 0
    return str(before + 1) if before else ""


def _lines(
    session: Session, kind: EntryKind, subject_id: UUID, reference: str
) -> Sequence[JournalLine]:
    return session.scalars(
        select(JournalLine)
        .join(JournalEntry, JournalEntry.id == JournalLine.entry_id)
        .where(
            JournalEntry.kind == kind,
            JournalEntry.subject_id == subject_id,
            JournalEntry.reference == reference,
        )
    ).all()


def _no_longer_owed(session: Session, payment_id: UUID, cents: int) -> dict[Account, int]:
    """Debit what goes back: first what was owed, and what was earned already for the rest."""
    owed = min(cents, max(still_owed(session, payment_id), 0))
    return {Account.REFUND_LIABILITY: owed, Account.FIRST_VISIT_REVENUE: cents - owed}
