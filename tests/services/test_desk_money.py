"""Money in the desk's hands: paid back the way it was paid, and counted at the end of the day."""

from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import db, transaction
from booking_service.errors import Invalid, NotAllowed
from booking_service.models import (
    Account,
    AuditRow,
    Case,
    CaseStatus,
    DeskCount,
    JournalLine,
    PaymentTender,
    Promise,
    PromiseStatus,
    RefundStatus,
    Settlement,
    SettlementMethod,
    Tender,
)
from booking_service.queries import availability, desk_takings, front_desk
from booking_service.services import desk_money, memberships, visit_steps, walk_ins
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.walk_ins import DeskPayment
from tests.concurrency.crowd import at_once
from tests.factories import PRIYA, all_of, converted, details, plan, refunds

ROBIN = {"name": "Robin Hale", "email": "robin@example.com", "phone": "518 555 0101"}

pytestmark = pytest.mark.usefixtures("seeded", "mail")


def walk_in(at, tender=PaymentTender.CASH, nth: int = 0, **person):
    doctor = availability.practitioners()[nth].id
    paid = DeskPayment(tender, f"R-{17 + nth}", 1)
    booking_id = walk_ins.book((doctor, at), details(**person), paid, PRIYA)
    visit_steps.arrive(booking_id, PRIYA)
    return booking_id


def become_member(booking_id, work) -> None:
    visit_steps.begin_treatment(booking_id, PRIYA)
    by_receipt = Tendered(Tender.RECORDED, "M-1")
    memberships.convert(
        booking_id, plan().id, by_receipt, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()


@pytest.fixture
def today(noon):
    return front_desk.today()


@pytest.fixture
def owed(noon, stripe, work):
    """Somebody who paid in cash and is a member now."""
    booking_id = walk_in(noon)
    become_member(booking_id, work)
    return booking_id


def takings_account() -> int:
    return sum(x.amount_cents for x in all_of(JournalLine) if x.account is Account.DESK_TAKINGS)


@pytest.mark.parametrize(
    ("tender", "method"),
    [
        (PaymentTender.CASH, SettlementMethod.CASH),
        (PaymentTender.TERMINAL, SettlementMethod.TERMINAL),
    ],
)
def test_it_goes_back_the_way_it_came(noon, stripe, work, tender, method):
    booking_id = walk_in(noon, tender)
    become_member(booking_id, work)

    desk_money.pay_back(booking_id, "R-99", PRIYA)

    [settlement], [promise], [case] = all_of(Settlement), all_of(Promise), all_of(Case)
    assert (settlement.method, settlement.reference, settlement.amount_cents) == (
        method,
        "R-99",
        3900,
    )
    assert [refund.status for refund in refunds()] == [RefundStatus.SETTLED_OTHERWISE]
    assert (promise.status, case.status) == (PromiseStatus.SETTLED, CaseStatus.RESOLVED)
    assert takings_account() == plan().price_cents


def test_two_desks_that_pay_it_back_at_once_pay_it_once(app, owed):
    db.session.rollback()

    outcomes = at_once(app, 2, lambda n: desk_money.pay_back(owed, f"R-{n}", PRIYA))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "NotAllowed"]
    assert len(all_of(Settlement)) == 1


def test_without_a_receipt_nothing_is_paid_back(owed):
    with pytest.raises(Invalid) as refusal:
        desk_money.pay_back(owed, "  ", PRIYA)

    assert [error.field for error in refusal.value.errors] == ["reference"]
    assert all_of(Settlement) == []


def test_what_is_not_owed_is_not_paid_back(noon, stripe):
    with pytest.raises(NotAllowed, match="Nothing of this visit"):
        desk_money.pay_back(walk_in(noon), "R-99", PRIYA)


def test_what_was_paid_by_card_is_not_the_desks_to_pay_back(noon, stripe, work):
    visit = converted(stripe)
    work()

    with pytest.raises(NotAllowed, match="Nothing of this visit"):
        desk_money.pay_back(visit.booking_id, "R-99", PRIYA)


def test_a_day_lists_what_came_and_what_went(owed, today, noon):
    walk_in(noon, PaymentTender.TERMINAL, 1, **ROBIN)
    desk_money.pay_back(owed, "R-99", PRIYA)

    found = desk_takings.takings(today)

    listed = {(one.kind, one.how, one.patient, one.reference, one.cents) for one in found.takings}
    assert listed == {
        ("payment", "cash", "Dana Whitfield", "R-17", 3900),
        ("payment", "terminal", "Robin Hale", "R-18", 3900),
        ("membership_payment", None, "Dana Whitfield", "M-1", plan().price_cents),
        ("settlement", "cash", "Dana Whitfield", "R-99", -3900),
    }
    assert found.total_cents == takings_account() == 3900 + plan().price_cents
    assert desk_takings.takings(today + timedelta(days=1)).takings == []


def test_a_count_that_fits_needs_no_words_and_goes_stale_with_the_next_receipt(noon, today, stripe):
    walk_in(noon)
    desk_money.count(today, 3900, "", PRIYA)
    assert desk_takings.takings(today).is_counted

    walk_in(noon, nth=1, **ROBIN)

    assert not desk_takings.takings(today).is_counted
    assert [row.action for row in all_of(AuditRow)].count("desk.counted") == 1


def test_a_difference_is_explained_or_not_written_down(noon, today, stripe):
    walk_in(noon)

    with pytest.raises(Invalid) as refusal:
        desk_money.count(today, 3800, " ", PRIYA)
    assert [error.field for error in refusal.value.errors] == ["note"]

    desk_money.count(today, 3800, "A dollar too much change", PRIYA)
    [counted] = all_of(DeskCount)
    assert (counted.counted_cents, counted.expected_cents, counted.counted_by) == (
        3800,
        3900,
        "Priya Shah",
    )


def test_the_database_keeps_no_difference_without_an_explanation(noon, today):
    bare = DeskCount(
        day=today, counted_cents=1, expected_cents=0, note="", counted_at=noon, counted_by="Priya"
    )

    with pytest.raises(IntegrityError, match="difference_explained"), transaction() as session:
        session.add(bare)
