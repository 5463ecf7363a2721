"""What the database itself refuses, whoever asks."""

from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from booking_service.db import db, transaction
from booking_service.models import Account, Actor, EntryKind, JournalEntry, JournalLine
from booking_service.services import audit, ledger
from tests.factories import all_of


@pytest.fixture
def written(app):
    """One journal entry and one audit row."""
    with transaction() as session:
        fee = ledger.Movement(EntryKind.PAYMENT_FEE, uuid4(), "pi_1")
        ledger.record_fee(session, fee, 143)
        audit.record(session, Actor.system(), "booking.confirm", uuid4())


@pytest.mark.parametrize("table", ["journal_entries", "journal_lines", "audit_rows", "audit_links"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
def test_what_was_written_cannot_be_changed(written, table, change):
    with pytest.raises(DBAPIError, match=f"{table} is append-only"), db.engine.begin() as c:
        c.execute(text(change.format(table)))


def entry_of(*cents: int) -> None:
    with transaction() as session:
        kind = EntryKind.PAYMENT
        entry = JournalEntry(kind=kind, subject_id=uuid4(), reference="", at=text("now()"))
        session.add(entry)
        session.flush()
        account = Account.STRIPE_BALANCE
        session.add_all(
            JournalLine(entry_id=entry.id, account=account, amount_cents=amount) for amount in cents
        )


@pytest.mark.parametrize("cents", [(3900,), (3900, -3899), (1, 1, -1)])
def test_an_entry_that_does_not_balance_is_refused_at_commit(app, cents):
    with pytest.raises(DBAPIError, match="does not balance"):
        entry_of(*cents)

    assert (all_of(JournalEntry), all_of(JournalLine)) == ([], [])


def test_a_line_of_nothing_is_refused(app):
    with pytest.raises(DBAPIError, match="amount_not_zero"):
        entry_of(0)


def test_an_entry_may_have_more_than_two_lines(app):
    entry_of(3900, -3757, -143)

    assert sum(row.amount_cents for row in all_of(JournalLine)) == 0


def test_a_line_cannot_be_added_to_an_entry_that_balanced(app):
    entry_of(100, -100)
    [entry] = all_of(JournalEntry)

    with pytest.raises(DBAPIError, match="does not balance"), transaction() as session:
        line = {"account": Account.STRIPE_FEES, "amount_cents": 7}
        session.add(JournalLine(entry_id=entry.id, **line))
