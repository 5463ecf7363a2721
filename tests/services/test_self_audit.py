"""Each rule finds its violation, planted by writing rows, and nothing in a story that is right."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.models import (
    Account,
    Booking,
    BookingStatus,
    Case,
    CaseStatus,
    CaseType,
    ChargeStatus,
    EntryKind,
    Membership,
    MembershipStatus,
    Payment,
    PaymentStatus,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
    Tender,
)
from booking_service.services import cases, ledger, self_audit
from booking_service.services.ledger import Movement
from tests.factories import all_of, change, converted, plan, refunds, visit_of

TWO_DAYS = timedelta(days=2)


@pytest.fixture
def visit(seeded, noon, stripe):
    """One first visit, paid and confirmed."""
    return visit_of("Robin Hale", stripe, 5)


@pytest.fixture
def member(seeded, noon, stripe, work, mail):
    """A member whose refund went through."""
    made = converted(stripe)
    work()
    return made


def doubts() -> dict:
    db.session.rollback()
    with transaction() as session:
        return self_audit.doubts(session)


def promise_of(visit) -> Promise:
    return next(p for p in all_of(Promise) if p.booking_id == visit.booking_id)


def earn(visit, at, status=PromiseStatus.EARNED) -> Promise:
    """Make a promise earned, with nothing that follows from it."""
    promise = promise_of(visit)
    change(Promise, promise.id, status=status, member_at=at, treatment_began_at=at, changed_at=at)
    return promise


def add_refund(payment: Payment, **facts) -> Refund:
    refund = Refund(
        payment_id=payment.id,
        **{
            "reason": RefundReason.MEMBERSHIP,
            "status": RefundStatus.REQUESTED,
            "amount_cents": 3900,
            "requested_at": utc_now(),
            "requested_by": "Priya Shah",
            **facts,
        },
    )
    with transaction() as session:
        session.add(refund)
    return refund


def test_a_real_story_is_in_no_doubt(member, stripe):
    visit_of("Robin Hale", stripe, 5)

    assert doubts() == {}
    with transaction() as session:
        assert self_audit.check(session) == (2, 0)
    assert all_of(Case) == []


def test_earned_without_a_refund_is_found(visit, noon):
    promise = earn(visit, noon)

    assert doubts() == {promise.id: "earned_not_settled"}


def test_earned_and_refunding_is_no_doubt_for_a_day(visit, noon, travel):
    promise = earn(visit, noon)
    add_refund(visit.payment)
    assert doubts() == {}

    travel(noon + timedelta(days=1, seconds=1))

    assert doubts() == {promise.id: "earned_not_settled"}


@pytest.mark.parametrize("status", [PromiseStatus.BLOCKED, PromiseStatus.BROKEN])
def test_held_back_without_a_case_is_found(visit, noon, travel, status):
    promise = earn(visit, noon, status)
    refund = add_refund(visit.payment, status=RefundStatus.FAILED)
    travel(noon + TWO_DAYS)
    assert doubts() == {promise.id: "earned_not_settled"}

    with transaction() as session:
        cases.open_(session, CaseType.REFUND_FAILED, refund.id, "expired_or_canceled_card")

    assert doubts() == {}


def test_settled_without_the_money_being_back_is_found(member):
    [refund] = refunds()
    change(Refund, refund.id, amount_cents=3800)

    assert doubts() == {promise_of(member).id: "earned_not_settled"}


@pytest.mark.parametrize(
    "facts",
    [
        {"reason": RefundReason.MEMBERSHIP},
        {"reason": RefundReason.CANCELLATION},
        {"reason": RefundReason.DUPLICATE_PAYMENT},
        {"reason": RefundReason.SLOT_LOST},
        {"reason": RefundReason.EXTERNAL},
        {"reason": RefundReason.GOODWILL},
    ],
    ids=lambda facts: facts["reason"].value,
)
def test_a_refund_whose_reason_is_not_true_is_found(visit, facts):
    add_refund(visit.payment, **facts)

    assert doubts() == {visit.payment.id: "refund_without_reason"}


def test_a_refund_of_money_that_was_never_taken_is_found(visit):
    change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    change(Payment, visit.payment.id, status=PaymentStatus.EXPIRED)
    add_refund(visit.payment, reason=RefundReason.CANCELLATION)

    assert doubts() == {visit.payment.id: "refund_without_reason"}


def test_paid_and_nowhere_is_found(visit):
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED)

    assert doubts() == {visit.payment.id: "paid_without_a_place"}


def test_paid_and_the_patient_chooses_is_no_doubt_until_the_time_is_over(visit, noon, travel):
    day = timedelta(days=1)
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED, choose_until=noon + day)
    assert doubts() == {}

    travel(noon + day + timedelta(seconds=1))

    assert doubts() == {visit.payment.id: "paid_without_a_place"}


def test_paid_and_on_its_way_back_is_no_doubt(visit):
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED)
    add_refund(visit.payment, reason=RefundReason.SLOT_LOST)

    assert doubts() == {}


def test_a_confirmed_visit_without_its_promise_is_found(visit):
    with transaction() as session:
        session.delete(session.get_one(Promise, promise_of(visit).id))

    assert doubts() == {visit.payment.id: "paid_without_a_place"}


def test_a_late_cancellation_keeps_the_money(visit):
    change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    change(Promise, promise_of(visit).id, status=PromiseStatus.LAPSED)
    with transaction() as session:
        ledger.record_lapse(session, session.get_one(Payment, visit.payment.id))

    assert doubts() == {}


def test_more_back_than_was_taken_is_found(member):
    add_refund(
        member.payment, reason=RefundReason.GOODWILL, amount_cents=1, asked_by_id=uuid4(), note="x"
    )

    assert doubts() == {member.payment.id: "more_back_than_taken"}


@pytest.mark.parametrize("cents", [1, -1])
def test_a_ledger_that_owes_another_amount_is_found(visit, cents):
    with transaction() as session:
        movement = Movement(EntryKind.ADJUSTMENT, uuid4(), payment_id=visit.payment.id)
        lines = {Account.REFUND_LIABILITY: cents, Account.FIRST_VISIT_REVENUE: -cents}
        ledger.write(session, movement, lines)

    assert doubts() == {visit.payment.id: "liability_differs"}


def test_a_lapsed_promise_that_is_still_owed_is_found(visit):
    change(Promise, promise_of(visit).id, status=PromiseStatus.LAPSED)

    assert doubts() == {visit.payment.id: "liability_differs"}


def test_a_member_without_a_payment_is_found(visit, noon):
    with transaction() as session:
        patient_id = session.get_one(Booking, visit.booking_id).patient_id
        joined = Membership(
            patient_id=patient_id,
            booking_id=visit.booking_id,
            plan_id=plan().id,
            status=MembershipStatus.ACTIVE,
            tender=Tender.SAVED_CARD,
            amount_cents=14900,
            charge_status=ChargeStatus.PAID,
            decided_at=noon,
            decided_by="Priya Shah",
            undo_until=noon,
        )
        session.add(joined)

    assert doubts() == {joined.id: "member_without_payment"}


def test_a_doubt_is_one_case_that_closes_by_itself(visit):
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED)
    for _ in range(2):
        with transaction() as session:
            assert self_audit.check(session) == (1, 1)
    [case] = all_of(Case)
    assert (case.type, case.detail) == (CaseType.PROMISE_IN_DOUBT, "paid_without_a_place")

    change(Booking, visit.booking_id, status=BookingStatus.CONFIRMED)
    with transaction() as session:
        assert self_audit.check(session) == (1, 0)

    assert [case.status for case in all_of(Case)] == [CaseStatus.RESOLVED]
