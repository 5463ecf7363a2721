"""Writing the ledger: each movement once, in two or more lines that add up to zero."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import (
    Account,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    Payment,
    Refund,
    Tender,
)


def record_payment(session: Session, payment: Payment) -> None:
    """A first visit was paid: the money is with Stripe, and may have to go back."""
    cents = payment.amount_cents
    _write(
        session,
        (EntryKind.PAYMENT, payment.id, payment.stripe_payment_intent_id or ""),
        {Account.STRIPE_BALANCE: cents, Account.REFUND_LIABILITY: -cents},
    )


def record_fee(
    session: Session, kind: EntryKind, subject_id: UUID, reference: str, fee_cents: int
) -> None:
    """Stripe kept its fee. It is not returned with a refund."""
    _write(
        session,
        (kind, subject_id, reference),
        {Account.STRIPE_FEES: fee_cents, Account.STRIPE_BALANCE: -fee_cents},
    )


def record_refund(session: Session, refund: Refund) -> None:
    """Money left for the patient's card."""
    cents = refund.amount_cents
    _write(
        session,
        (EntryKind.REFUND, refund.id, refund.stripe_refund_id or ""),
        {Account.REFUND_LIABILITY: cents, Account.STRIPE_BALANCE: -cents},
    )


def record_refund_reversed(session: Session, refund: Refund) -> None:
    """The bank sent the money back: it is with Stripe again, and still owed."""
    cents = refund.amount_cents
    _write(
        session,
        (EntryKind.REFUND_REVERSED, refund.id, refund.stripe_refund_id or ""),
        {Account.STRIPE_BALANCE: cents, Account.REFUND_LIABILITY: -cents},
    )


def record_lapse(session: Session, payment: Payment) -> None:
    """The visit ended without a membership: what was owed conditionally is earned."""
    cents = payment.amount_cents
    _write(
        session,
        (EntryKind.PROMISE_LAPSED, payment.id, ""),
        {Account.REFUND_LIABILITY: cents, Account.FIRST_VISIT_REVENUE: -cents},
    )


def record_membership_payment(session: Session, membership: Membership, cents: int) -> None:
    """A member's first month was paid, by card or at the desk."""
    at_desk = membership.tender is Tender.RECORDED
    where = Account.DESK_TAKINGS if at_desk else Account.STRIPE_BALANCE
    reference = membership.reference if at_desk else membership.stripe_subscription_id
    _write(
        session,
        (EntryKind.MEMBERSHIP_PAYMENT, membership.id, reference or ""),
        {where: cents, Account.MEMBERSHIP_REVENUE: -cents},
    )


def _write(
    session: Session, movement: tuple[EntryKind, UUID, str], lines: Mapping[Account, int]
) -> None:
    kind, subject_id, reference = movement
    entry = JournalEntry(kind=kind, subject_id=subject_id, reference=reference, at=utc_now())
    session.add(entry)
    session.flush()
    for account, cents in lines.items():
        session.add(JournalLine(entry_id=entry.id, account=account, amount_cents=cents))
