from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import transaction
from booking_service.models import EntryKind, JournalEntry, JournalLine, Tender
from booking_service.services import ledger
from tests.factories import all_of

ID = uuid4()
PAYMENT = SimpleNamespace(id=ID, amount_cents=3900, stripe_payment_intent_id="pi_1")
REFUND = SimpleNamespace(id=ID, amount_cents=3900, stripe_refund_id="re_1")
BY_CARD = SimpleNamespace(
    id=ID, tender=Tender.SAVED_CARD, reference=None, stripe_subscription_id="sub_1"
)
AT_DESK = SimpleNamespace(
    id=ID, tender=Tender.RECORDED, reference="T-7", stripe_subscription_id=None
)

# What each movement writes: its kind and Stripe's or the desk's reference, and the two lines.
MOVEMENTS = {
    "a first visit is paid": (
        lambda s: ledger.record_payment(s, PAYMENT),
        ("payment", "pi_1"),
        {"stripe_balance": 3900, "refund_liability": -3900},
    ),
    "Stripe keeps its fee": (
        lambda s: ledger.record_fee(s, EntryKind.PAYMENT_FEE, ID, "pi_1", 143),
        ("payment_fee", "pi_1"),
        {"stripe_fees": 143, "stripe_balance": -143},
    ),
    "money goes back": (
        lambda s: ledger.record_refund(s, REFUND),
        ("refund", "re_1"),
        {"refund_liability": 3900, "stripe_balance": -3900},
    ),
    "the bank sends it back": (
        lambda s: ledger.record_refund_reversed(s, REFUND),
        ("refund_reversed", "re_1"),
        {"stripe_balance": 3900, "refund_liability": -3900},
    ),
    "a promise lapses": (
        lambda s: ledger.record_lapse(s, PAYMENT),
        ("promise_lapsed", ""),
        {"refund_liability": 3900, "first_visit_revenue": -3900},
    ),
    "a member pays by card": (
        lambda s: ledger.record_membership_payment(s, BY_CARD, 14900, "pi_2"),
        ("membership_payment", "pi_2"),
        {"stripe_balance": 14900, "membership_revenue": -14900},
    ),
    "Stripe keeps its fee of a month": (
        lambda s: ledger.record_membership_fee(s, BY_CARD, 462, "pi_2"),
        ("membership_fee", "pi_2"),
        {"stripe_fees": 462, "stripe_balance": -462},
    ),
    "a member pays at the desk": (
        lambda s: ledger.record_membership_payment(s, AT_DESK, 14900),
        ("membership_payment", "T-7"),
        {"desk_takings": 14900, "membership_revenue": -14900},
    ),
}


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_each_movement_is_one_entry_whose_lines_add_up_to_zero(app, noon, movement):
    write, named, lines = MOVEMENTS[movement]

    with transaction() as session:
        write(session)

    [entry] = all_of(JournalEntry)
    assert (entry.kind, entry.reference) == named
    assert (entry.subject_id, entry.at) == (ID, noon)
    written = {row.account: row.amount_cents for row in all_of(JournalLine)}
    assert written == lines
    assert sum(written.values()) == 0


def test_a_movement_is_written_once(app):
    with transaction() as session:
        ledger.record_payment(session, PAYMENT)

    with pytest.raises(IntegrityError), transaction() as session:
        ledger.record_payment(session, PAYMENT)

    assert len(all_of(JournalEntry)) == 1


def test_another_reference_is_another_movement(app):
    with transaction() as session:
        for number in range(2):
            fee = (EntryKind.MEMBERSHIP_FEE, UUID(int=7), f"pi_{number}", 30)
            ledger.record_fee(session, *fee)

    assert [row.amount_cents for row in all_of(JournalLine)].count(30) == 2
