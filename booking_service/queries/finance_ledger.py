"""The ledger as finance reads it: a month's journal, and the balance of every account."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import case, func, select

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.models import Account, EntryKind, JournalEntry, JournalLine, Practice


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One side of an entry, in US cents: either the debit or the credit is zero."""

    entry_id: UUID
    at: datetime
    kind: EntryKind
    account: Account
    debit_cents: int
    credit_cents: int
    subject_id: UUID


@dataclass(frozen=True, slots=True)
class AccountTotal:
    """An account: what moved in a month, and where it stood when the month ended."""

    account: Account
    debit_cents: int
    credit_cents: int
    balance_cents: int  # debits less credits since the first entry


def ledger(month: date) -> list[JournalRow]:
    """Return the journal of the month that `month` is in, by the practice's calendar.

    Lines of one entry follow each other, debits first.
    """
    first, end = _bounds(month)
    rows = db.session.execute(
        select(JournalEntry, JournalLine)
        .join(JournalLine, JournalLine.entry_id == JournalEntry.id)
        .where(JournalEntry.at >= first, JournalEntry.at < end)
        .order_by(JournalEntry.at, JournalEntry.id, JournalLine.amount_cents.desc())
    )
    return [
        JournalRow(
            entry_id=entry.id,
            at=entry.at,
            kind=entry.kind,
            account=line.account,
            debit_cents=max(line.amount_cents, 0),
            credit_cents=max(-line.amount_cents, 0),
            subject_id=entry.subject_id,
        )
        for entry, line in rows
    ]


def trial_balance(month: date) -> list[AccountTotal]:
    """Return every account with its month; debits equal credits, and balances add up to zero."""
    first, end = _bounds(month)
    amount = JournalLine.amount_cents
    in_month = JournalEntry.at >= first
    totals = {
        account: AccountTotal(account, int(debit), int(credit), int(balance))
        for account, debit, credit, balance in db.session.execute(
            select(
                JournalLine.account,
                func.coalesce(func.sum(case((in_month & (amount > 0), amount), else_=0)), 0),
                func.coalesce(func.sum(case((in_month & (amount < 0), -amount), else_=0)), 0),
                func.coalesce(func.sum(amount), 0),
            )
            .join(JournalEntry, JournalEntry.id == JournalLine.entry_id)
            .where(JournalEntry.at < end)
            .group_by(JournalLine.account)
        )
    }
    return [totals.get(account, AccountTotal(account, 0, 0, 0)) for account in Account]


def _bounds(month: date) -> tuple[datetime, datetime]:
    zone = db.session.scalars(select(Practice)).one().zone
    first = month.replace(day=1)
    # Day 28 exists in every month, and four more days always reach the next.
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return day_bounds(first, zone)[0], day_bounds(last, zone)[1]
