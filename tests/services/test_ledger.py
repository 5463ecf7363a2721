from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from booking_service.db import db, transaction
from booking_service.gateways.payments import BalanceMovement
from booking_service.models import (
    EntryKind,
    JournalEntry,
    JournalLine,
    Payment,
    PaymentTender,
    SettlementMethod,
    Tender,
)
from booking_service.services import ledger
from booking_service.services.ledger import Movement
from tests.factories import all_of, change, paid

ID = uuid4()
PAYMENT_FEE = Movement(EntryKind.PAYMENT_FEE, ID, "pi_1", stripe_id="pi_1")
BY_CARD = SimpleNamespace(
    id=ID, tender=Tender.SAVED_CARD, reference=None, stripe_subscription_id="sub_1"
)
AT_DESK = SimpleNamespace(
    id=ID, tender=Tender.RECORDED, reference="T-7", stripe_subscription_id=None
)
CHARGEBACK = SimpleNamespace(id=ID, payment_id=None, stripe_dispute_id="du_1")


def settlement(method: SettlementMethod) -> SimpleNamespace:
    return SimpleNamespace(method=method, reference="R-12", amount_cents=3900)


@pytest.fixture
def visit(app, seeded, noon, stripe):
    """A first visit that was paid, with an empty ledger but for its payment."""
    payment = paid(stripe).payment
    db.session.rollback()
    return SimpleNamespace(
        id=payment.id,
        payment=payment,
        refund=SimpleNamespace(id=ID, payment_id=payment.id),
        dispute=SimpleNamespace(id=ID, payment_id=payment.id, stripe_dispute_id="du_1"),
    )


def lines_of(kind: EntryKind, reference: str) -> dict[str, int]:
    db.session.rollback()
    [entry] = [e for e in all_of(JournalEntry) if (e.kind, e.reference) == (kind, reference)]
    rows = db.session.query(JournalLine).where(JournalLine.entry_id == entry.id)
    return {row.account: row.amount_cents for row in rows}


# What each movement writes: its kind and reference, Stripe's id, and the lines.
MOVEMENTS = {
    "Stripe keeps its fee": (
        lambda s, _: ledger.record_fee(s, PAYMENT_FEE, 143),
        (EntryKind.PAYMENT_FEE, "pi_1", "pi_1"),
        {"stripe_fees": 143, "stripe_balance": -143},
    ),
    "money goes back": (
        lambda s, v: ledger.record_refund(s, v.refund, "re_1", 3900),
        (EntryKind.REFUND, "re_1", "re_1"),
        {"refund_liability": 3900, "stripe_balance": -3900},
    ),
    "the bank sends it back": (
        lambda s, v: ledger.record_refund_reversed(s, v.refund, "re_1", 3900),
        (EntryKind.REFUND_REVERSED, "re_1", "re_1"),
        {"stripe_balance": 3900, "refund_liability": -3900},
    ),
    "it is paid from the drawer": (
        lambda s, v: ledger.record_settlement(s, v.refund, settlement(SettlementMethod.CASH)),
        (EntryKind.SETTLEMENT, "R-12", None),
        {"refund_liability": 3900, "desk_takings": -3900},
    ),
    "it is paid by check": (
        lambda s, v: ledger.record_settlement(s, v.refund, settlement(SettlementMethod.CHECK)),
        (EntryKind.SETTLEMENT, "R-12", None),
        {"refund_liability": 3900, "bank": -3900},
    ),
    "a promise lapses": (
        lambda s, v: ledger.record_lapse(s, v.payment),
        (EntryKind.PROMISE_LAPSED, "", None),
        {"refund_liability": 3900, "first_visit_revenue": -3900},
    ),
    "a bank takes it": (
        lambda s, v: ledger.record_dispute_movement(
            s, v.dispute, BalanceMovement("txn_1", -3900, 1500)
        ),
        (EntryKind.DISPUTE_WITHDRAWN, "txn_1", "du_1"),
        {"disputed_funds": 3900, "stripe_fees": 1500, "stripe_balance": -5400},
    ),
    "a bank puts it back": (
        lambda s, v: ledger.record_dispute_movement(
            s, v.dispute, BalanceMovement("txn_2", 3900, 0)
        ),
        (EntryKind.DISPUTE_REINSTATED, "txn_2", "du_1"),
        {"disputed_funds": -3900, "stripe_balance": 3900},
    ),
    "a bank keeps what we owed": (
        lambda s, v: ledger.record_dispute_lost(s, v.dispute, 3900),
        (EntryKind.DISPUTE_LOST, "", None),
        {"disputed_funds": -3900, "refund_liability": 3900},
    ),
    "a bank keeps a membership's month": (
        lambda s, _: ledger.record_dispute_lost(s, CHARGEBACK, 14900),
        (EntryKind.DISPUTE_LOST, "", None),
        {"disputed_funds": -14900, "dispute_losses": 14900},
    ),
    "a member pays by card": (
        lambda s, _: ledger.record_membership_payment(s, BY_CARD, 14900, "pi_2"),
        (EntryKind.MEMBERSHIP_PAYMENT, "pi_2", "pi_2"),
        {"stripe_balance": 14900, "membership_revenue": -14900},
    ),
    "Stripe keeps its fee of a month": (
        lambda s, _: ledger.record_membership_fee(s, BY_CARD, 462, "pi_2"),
        (EntryKind.MEMBERSHIP_FEE, "pi_2", "pi_2"),
        {"stripe_fees": 462, "stripe_balance": -462},
    ),
    "a member pays at the desk": (
        lambda s, _: ledger.record_membership_payment(s, AT_DESK, 14900),
        (EntryKind.MEMBERSHIP_PAYMENT, "T-7", None),
        {"desk_takings": 14900, "membership_revenue": -14900},
    ),
}


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_each_movement_is_one_entry_whose_lines_add_up_to_zero(visit, noon, movement):
    write, (kind, reference, stripe_id), lines = MOVEMENTS[movement]

    with transaction() as session:
        write(session, visit)

    [entry] = [
        e
        for e in all_of(JournalEntry)
        if (e.kind, e.reference) == (kind, reference) and e.subject_id in {ID, visit.id}
    ]
    assert (entry.stripe_id, entry.at) == (stripe_id, noon)
    rows = [row for row in all_of(JournalLine) if row.entry_id == entry.id]
    assert {row.account: row.amount_cents for row in rows} == lines
    assert sum(row.amount_cents for row in rows) == 0


def test_a_first_visit_paid_by_card_is_with_stripe_and_may_have_to_go_back(visit):
    intent = visit.payment.stripe_payment_intent_id

    assert lines_of(EntryKind.PAYMENT, intent) == {
        "stripe_balance": 3900,
        "refund_liability": -3900,
    }


def test_a_first_visit_paid_at_the_desk_is_in_the_drawer(visit):
    change(Payment, visit.id, tender=PaymentTender.CASH, reference="R-1")

    with transaction() as session:
        ledger.record_payment(session, session.get_one(Payment, visit.id))

    assert lines_of(EntryKind.PAYMENT, "R-1") == {"desk_takings": 3900, "refund_liability": -3900}


def test_writing_a_movement_again_changes_nothing(visit):
    with transaction() as session:
        first = ledger.write(session, PAYMENT_FEE, {"stripe_fees": 1, "stripe_balance": -1})
        second = ledger.write(session, PAYMENT_FEE, {"stripe_fees": 2, "stripe_balance": -2})

    assert (first, second) == (True, False)
    assert lines_of(EntryKind.PAYMENT_FEE, "pi_1") == {"stripe_fees": 1, "stripe_balance": -1}


def test_a_movement_of_nothing_is_not_written(app):
    with transaction() as session:
        assert ledger.write(session, PAYMENT_FEE, {"stripe_fees": 0}) is False

    assert all_of(JournalEntry) == []


def test_another_reference_is_another_movement(app):
    with transaction() as session:
        for number in range(2):
            fee = Movement(EntryKind.MEMBERSHIP_FEE, UUID(int=7), f"pi_{number}")
            ledger.record_fee(session, fee, 30)

    assert [row.amount_cents for row in all_of(JournalLine)].count(30) == 2


def test_what_goes_back_is_no_longer_owed(visit):
    with transaction() as session:
        ledger.record_refund(session, visit.refund, "re_1", 1000)

        assert ledger.still_owed(session, visit.id) == 2900


def test_a_lapse_earns_only_what_is_left(visit):
    with transaction() as session:
        ledger.record_refund(session, visit.refund, "re_1", 1000)
        ledger.record_lapse(session, visit.payment)

    assert lines_of(EntryKind.PROMISE_LAPSED, "") == {
        "refund_liability": 2900,
        "first_visit_revenue": -2900,
    }


def test_what_goes_back_after_it_was_earned_is_taken_from_the_revenue(visit):
    with transaction() as session:
        ledger.record_lapse(session, visit.payment)
        ledger.record_refund(session, visit.refund, "re_1", 3900)

    assert lines_of(EntryKind.REFUND, "re_1") == {
        "first_visit_revenue": 3900,
        "stripe_balance": -3900,
    }


def test_a_refund_given_up_after_a_lapse_is_an_entry_of_its_own(visit):
    with transaction() as session:
        ledger.record_lapse(session, visit.payment)
        ledger.record_refund(session, visit.refund, "re_1", 3900)
        ledger.record_refund_reversed(session, visit.refund, "re_1", 3900)
        ledger.record_lapse(session, visit.payment, str(visit.refund.id))

        assert ledger.still_owed(session, visit.id) == 0


def test_a_bank_that_keeps_more_than_we_owed_is_a_loss(visit):
    with transaction() as session:
        ledger.record_refund(session, visit.refund, "re_1", 1000)
        ledger.record_dispute_lost(session, visit.dispute, 3900)

    assert lines_of(EntryKind.DISPUTE_LOST, "") == {
        "disputed_funds": -3900,
        "refund_liability": 2900,
        "dispute_losses": 1000,
    }


def test_what_was_lost_and_comes_back_on_appeal_is_owed_as_before(visit):
    with transaction() as session:
        ledger.record_dispute_lost(session, visit.dispute, 3900)
        ledger.record_dispute_won_late(session, visit.dispute)
        again = ledger.record_dispute_won_late(session, visit.dispute)

        assert ledger.still_owed(session, visit.id) == 3900
    assert again is False
