"""Paying a refund outside Stripe: what the database keeps, and what the patient reads."""

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import transaction
from booking_service.models import (
    Account,
    CaseAction,
    CaseStatus,
    EntryKind,
    JournalEntry,
    JournalLine,
    RefundStatus,
    Settlement,
    SettlementMethod,
)
from booking_service.services import settlements
from booking_service.services.resolutions import Facts
from tests.case_makers import (
    ANA,
    BEN,
    BY_CHECK,
    NOTED,
    case,
    decided,
    desk_payout,
    do,
    failed,
    refund_of,
)
from tests.case_makers import settlements as recorded
from tests.factories import all_of, paid

A = CaseAction


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def settled(visit, method: SettlementMethod, reference: str) -> None:
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, Facts(method=method, reference=reference))
    do(case_id, A.APPROVE_SETTLEMENT, BEN)


def lines_of(kind: EntryKind) -> dict[Account, int]:
    entries = {entry.id for entry in all_of(JournalEntry) if entry.kind is kind}
    return {x.account: x.amount_cents for x in all_of(JournalLine) if x.entry_id in entries}


@pytest.mark.parametrize(
    ("method", "from_"),
    [
        (SettlementMethod.CASH, Account.DESK_TAKINGS),
        (SettlementMethod.TERMINAL, Account.DESK_TAKINGS),
        (SettlementMethod.CHECK, Account.BANK),
        (SettlementMethod.BANK_TRANSFER, Account.BANK),
    ],
)
def test_the_ledger_knows_where_the_money_came_from(visit, method, from_):
    settled(visit, method, "1042")

    assert lines_of(EntryKind.SETTLEMENT) == {Account.REFUND_LIABILITY: 3900, from_: -3900}


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (SettlementMethod.CASH, "You were handed the money, and the receipt is 1042."),
        (SettlementMethod.TERMINAL, "The card reader's reference is 1042."),
        (SettlementMethod.CHECK, "It is check 1042."),
        (SettlementMethod.BANK_TRANSFER, "The bank's reference is 1042."),
    ],
)
def test_the_patient_reads_how_it_was_paid(visit, work, mail, method, sentence):
    settled(visit, method, "1042")
    work()

    [letter] = [one for one in mail.letters if one.subject == "Your $39.00 was paid back"]
    assert sentence in letter.text
    assert sentence.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}") in letter.html
    assert "nothing will come back to Visa 4242" in letter.text


def test_a_payout_that_was_withdrawn_is_not_told_to_the_patient(visit, work, mail):
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, BY_CHECK)
    do(case_id, A.WITHDRAW_SETTLEMENT, ANA, NOTED)
    work()

    assert [letter.subject for letter in mail.letters if "paid back" in letter.subject] == []


def test_the_database_refuses_an_approval_by_who_recorded(visit):
    do(failed(visit), A.SETTLE, ANA, BY_CHECK)

    with pytest.raises(IntegrityError, match="approved_by_another"), transaction() as session:
        session.get_one(Settlement, recorded()[0].id).approved_by_id = ANA.id


def test_the_database_refuses_a_second_payout_of_the_same_refund(visit):
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, BY_CHECK)
    refund = refund_of(case_id)

    with (
        pytest.raises(IntegrityError, match="uq_settlements_one_standing"),
        transaction() as session,
    ):
        settlements.record(session, refund, SettlementMethod.CASH, "R-1", BEN)


def test_what_came_back_in_part_is_paid_out_for_the_rest(visit):
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, BY_CHECK)
    decided(visit, reason="external", status=RefundStatus.EXTERNAL, amount_cents=1000)

    do(case_id, A.WITHDRAW_SETTLEMENT, ANA, NOTED)
    do(case_id, A.SETTLE, ANA, BY_CHECK)
    do(case_id, A.APPROVE_SETTLEMENT, BEN)

    assert [one.amount_cents for one in recorded()] == [3900, 2900]
    assert refund_of(case_id).amount_cents == 2900
    assert case(case_id).amount_cents == 2900


def test_a_refund_that_succeeds_under_a_recorded_payout_keeps_its_case_until_withdrawn(visit):
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, BY_CHECK)
    with transaction() as session:
        settlements.refunds.rows.close_cases(session, refund_of(case_id))
    with transaction() as session:
        session.merge(refund_of(case_id)).status = RefundStatus.SUCCEEDED

    said = (case(case_id).status, case(case_id).detail)
    do(case_id, A.WITHDRAW_SETTLEMENT, ANA, NOTED)

    assert said == (CaseStatus.OPEN, "returned_after_all")
    assert case(case_id).status is CaseStatus.RESOLVED


def test_a_receipt_of_the_desk_is_told_without_a_card(visit, work, mail):
    case_id = desk_payout(visit)
    do(case_id, A.SETTLE, ANA, Facts(method=SettlementMethod.CASH, reference="R-0417"))
    work()

    [letter] = [one for one in mail.letters if one.subject == "Your $39.00 was paid back"]
    assert "the receipt is R-0417." in letter.text
    assert "nothing will come back" not in letter.text
