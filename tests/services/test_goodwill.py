"""Goodwill: asked for by one, approved by another, never more than is left."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import transaction
from booking_service.errors import Invalid, NotAllowed, NotFound
from booking_service.models import (
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    Payment,
    PaymentTender,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.services import goodwill, ledger, resolutions
from tests.case_makers import ANA, BEN, NOTED, case_of, decided, do
from tests.factories import all_of, at_stripe, change, paid


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def ask(visit, cents=None, actor=ANA):
    return goodwill.ask(visit.payment.id, cents, "Came the next day", actor)


def refund(refund_id) -> Refund:
    return next(row for row in all_of(Refund) if row.id == refund_id)


def promise() -> PromiseStatus:
    [row] = all_of(Promise)
    return row.status


def test_asking_sends_nothing_and_opens_a_case_for_a_second_person(visit, stripe, work):
    refund_id = ask(visit)
    work()

    row, case = refund(refund_id), case_of(refund_id)
    assert (row.reason, row.status, row.amount_cents) == (
        RefundReason.GOODWILL,
        RefundStatus.BLOCKED,
        3900,
    )
    assert (row.asked_by_id, row.requested_by, row.note) == (
        ANA.id,
        "Ana Ruiz",
        "Came the next day",
    )
    assert (case.type, case.status, case.amount_cents) == (
        CaseType.GOODWILL_ASKED,
        CaseStatus.OPEN,
        3900,
    )
    assert stripe.refunds() == []


def test_somebody_else_approves_and_the_money_goes_back(visit, stripe, work, mail):
    refund_id = ask(visit, 1500)

    resolutions.approve_goodwill(refund_id, BEN)
    work()

    assert [(made["amount"], made["status"]) for made in stripe.refunds()] == [(1500, "succeeded")]
    row, case = refund(refund_id), case_of(refund_id)
    assert (row.status, row.approved_by_id, row.approved_by) == (
        RefundStatus.SUCCEEDED,
        BEN.id,
        "Ben Okafor",
    )
    assert (case.status, case.resolution, case.resolved_by) == (
        CaseStatus.RESOLVED,
        "approve_goodwill",
        "Ben Okafor",
    )


def test_who_asked_cannot_approve(visit):
    refund_id = ask(visit)

    with pytest.raises(NotAllowed, match=r"You asked for this refund. Somebody else must approve"):
        resolutions.approve_goodwill(refund_id, ANA)

    assert refund(refund_id).status is RefundStatus.BLOCKED


def test_the_database_refuses_an_approval_by_who_asked(visit):
    refund_id = ask(visit)

    with pytest.raises(IntegrityError, match=r"approved_by_another"), transaction() as session:
        session.get_one(Refund, refund_id).approved_by_id = ANA.id


def test_goodwill_before_the_visit_ends_the_promise_and_leaves_nothing_owed(visit, work, mail):
    resolutions.approve_goodwill(ask(visit, 1000), BEN)
    work()

    assert promise() is PromiseStatus.WAIVED
    with transaction() as session:
        assert ledger.still_owed(session, visit.payment.id) == 0


def test_declined_goodwill_is_never_sent(visit, stripe, work):
    refund_id = ask(visit)

    do(case_of(refund_id).id, CaseAction.DECLINE_GOODWILL, BEN, NOTED)
    work()

    assert refund(refund_id).status is RefundStatus.CANCELED
    assert promise() is PromiseStatus.OPEN
    assert stripe.refunds() == []
    assert case_of(refund_id).note == "Looked at with the bank"


def test_after_a_no_somebody_may_ask_again(visit):
    do(case_of(ask(visit)).id, CaseAction.DECLINE_GOODWILL, BEN, NOTED)

    assert refund(ask(visit)).amount_cents == 3900


def test_one_ask_a_payment_is_open(visit):
    ask(visit, 1000)

    with pytest.raises(NotAllowed, match=r"Somebody has asked already"):
        ask(visit, 1000, BEN)

    assert len(all_of(Refund)) == 1


@pytest.mark.parametrize("cents", [0, -1, 2901, 3900, 2**31 - 1])
def test_no_more_is_given_than_is_left(visit, cents):
    resolutions.approve_goodwill(ask(visit, 1000), BEN)

    with pytest.raises(Invalid, match=r"from \$0.01 to \$29.00, which is what is left"):
        ask(visit, cents)


def test_all_that_is_left_is_what_nobody_gave_back_yet(visit):
    resolutions.approve_goodwill(ask(visit, 1000), BEN)

    assert refund(ask(visit)).amount_cents == 2900


@pytest.mark.parametrize("status", [RefundStatus.SUCCEEDED, RefundStatus.FAILED])
def test_money_that_went_back_or_is_owed_is_not_given_again(visit, status):
    decided(visit, status=status)

    with pytest.raises(NotAllowed, match=r"Nothing is left of this payment"):
        ask(visit)


def test_nothing_goes_back_of_a_visit_nobody_paid(seeded, stripe):
    payment = at_stripe()

    with pytest.raises(NotAllowed, match=r"hasn't been paid"):
        goodwill.ask(payment.id, None, "Why", ANA)


def test_goodwill_needs_a_reason(visit):
    with pytest.raises(Invalid, match=r"Say why the money goes back."):
        goodwill.ask(visit.payment.id, None, "  ", ANA)


def test_an_unknown_payment_or_refund_is_not_found(app):
    with pytest.raises(NotFound):
        goodwill.ask(uuid4(), None, "Why", ANA)
    with pytest.raises(NotFound):
        resolutions.approve_goodwill(uuid4(), ANA)


def test_owed_refunds_are_not_approved_here(visit):
    owed = decided(visit, status=RefundStatus.BLOCKED)

    with pytest.raises(NotAllowed, match=r"This refund doesn't wait for approval."):
        resolutions.approve_goodwill(owed.id, BEN)


def test_while_the_bank_decides_no_goodwill_is_granted(visit, noon):
    refund_id = ask(visit)
    change(Payment, visit.payment.id, disputed_at=noon)

    with pytest.raises(NotAllowed, match=r"The payment is disputed"):
        resolutions.approve_goodwill(refund_id, BEN)


def test_goodwill_for_a_visit_paid_in_cash_is_paid_at_the_desk(visit, stripe, work):
    change(Payment, visit.payment.id, tender=PaymentTender.CASH, reference="R-1")

    refund_id = ask(visit)
    resolutions.approve_goodwill(refund_id, BEN)
    work()

    found = {(c.type, c.status) for c in all_of(Case) if c.subject_id == refund_id}
    assert found == {
        (CaseType.GOODWILL_ASKED, CaseStatus.RESOLVED),
        (CaseType.DESK_PAYOUT, CaseStatus.OPEN),
    }
    assert stripe.refunds() == []
