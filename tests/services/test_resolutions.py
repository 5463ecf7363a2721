"""What people decide about cases: once, by the right person, and written down."""

from uuid import uuid4

import pytest
from sqlalchemy import delete, select

from booking_service.db import db, transaction
from booking_service.errors import Invalid, NotAllowed, NotFound
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    CaseAction,
    CaseStatus,
    CaseType,
    OutboxMessage,
    Payment,
    PaymentTender,
    Promise,
    RefundReason,
    RefundStatus,
    Role,
    SettlementMethod,
    Topic,
)
from booking_service.services.resolutions import Facts
from tests.case_makers import (
    ANA,
    BEN,
    BY_CASH,
    BY_CHECK,
    NOTED,
    case,
    decided,
    desk_payout,
    do,
    failed,
    hired,
    opened,
    refund_of,
    settlements,
    stuck,
)
from tests.factories import all_of, booking, change, paid, refunds

A = CaseAction


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def audited() -> list[tuple[str, object]]:
    rows = db.session.scalars(select(AuditRow).where(AuditRow.actor_id.in_([ANA.id, BEN.id])))
    return sorted((row.action, row.actor_id) for row in rows)


def posted(topic: Topic) -> int:
    return [message.topic for message in all_of(OutboxMessage)].count(topic)


def test_a_failed_refund_is_paid_by_check_by_one_and_approved_by_another(visit):
    case_id = failed(visit)

    do(case_id, A.SETTLE, ANA, BY_CHECK)
    recorded = case(case_id).status
    do(case_id, A.APPROVE_SETTLEMENT, BEN)

    assert recorded is CaseStatus.OPEN
    closed = case(case_id)
    assert (closed.status, closed.resolution, closed.resolved_by) == (
        CaseStatus.RESOLVED,
        "approve_settlement",
        "Ben Okafor",
    )
    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE
    [settlement] = settlements()
    assert (settlement.method, settlement.reference, settlement.amount_cents) == (
        SettlementMethod.CHECK,
        "1042",
        3900,
    )
    assert (settlement.recorded_by_id, settlement.approved_by_id) == (ANA.id, BEN.id)
    assert posted(Topic.REFUND_SETTLED_OTHERWISE) == 1
    assert audited() == [
        ("case.resolved", BEN.id),
        ("settlement.approved", BEN.id),
        ("settlement.recorded", ANA.id),
    ]


def test_who_recorded_a_payout_cannot_approve_it(visit):
    case_id = failed(visit)
    do(case_id, A.SETTLE, ANA, BY_CHECK)

    with pytest.raises(NotAllowed, match=r"You recorded this payment. Somebody else must"):
        do(case_id, A.APPROVE_SETTLEMENT, ANA)

    assert refund_of(case_id).status is RefundStatus.FAILED


@pytest.mark.parametrize("action", [A.RETRY, A.SETTLE])
def test_while_a_payout_stands_the_same_debt_cannot_be_paid_twice(visit, action):
    case_id = failed(visit, "unknown")
    do(case_id, A.SETTLE, ANA, BY_CHECK)

    with pytest.raises(NotAllowed, match=r"A payment outside Stripe is recorded"):
        do(case_id, action, BEN, BY_CASH)

    assert len(settlements()) == 1
    assert posted(Topic.REFUND_REQUESTED) == 0


def test_a_withdrawn_payout_unlocks_stripe(visit):
    case_id = failed(visit, "unknown")
    do(case_id, A.SETTLE, ANA, BY_CHECK)

    do(case_id, A.WITHDRAW_SETTLEMENT, ANA, NOTED)
    was = (case(case_id).status, case(case_id).note)
    do(case_id, A.RETRY, ANA)

    assert was == (CaseStatus.OPEN, "Looked at with the bank")
    assert refund_of(case_id).status is RefundStatus.REQUESTED
    assert posted(Topic.REFUND_REQUESTED) == 1


@pytest.mark.parametrize("code", ["expired_or_canceled_card", "lost_or_stolen_card"])
def test_a_card_that_is_gone_is_not_tried_again(visit, code):
    case_id = failed(visit, code)

    with pytest.raises(NotAllowed, match=r"The card is gone"):
        do(case_id, A.RETRY)

    assert refund_of(case_id).status is RefundStatus.FAILED


def test_a_refund_of_cash_up_to_100_dollars_takes_one_person_and_a_receipt(visit):
    case_id = desk_payout(visit)

    do(case_id, A.SETTLE, ANA, BY_CASH)

    assert (case(case_id).status, case(case_id).resolution) == (CaseStatus.RESOLVED, "settle")
    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE
    [settlement] = settlements()
    assert settlement.approved_at is not None
    assert settlement.approved_by_id is None


def test_a_refund_of_cash_above_100_dollars_takes_two_people(visit):
    change(Payment, visit.payment.id, amount_cents=10_001)
    case_id = desk_payout(visit, cents=10_001)

    do(case_id, A.SETTLE, ANA, BY_CASH)
    assert refund_of(case_id).status is RefundStatus.BLOCKED
    do(case_id, A.APPROVE_SETTLEMENT, BEN)

    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE


def test_exactly_100_dollars_take_one_person(visit):
    change(Payment, visit.payment.id, amount_cents=10_000)
    case_id = desk_payout(visit, cents=10_000)

    do(case_id, A.SETTLE, ANA, BY_CASH)

    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE


@pytest.mark.parametrize(
    ("facts", "fields"),
    [
        (Facts(), ["method", "reference"]),
        (Facts(method=SettlementMethod.CHECK, reference="  "), ["reference"]),
        (Facts(reference="1042"), ["method"]),
    ],
)
def test_a_payout_needs_its_method_and_reference(visit, facts, fields):
    case_id = failed(visit)

    with pytest.raises(Invalid) as refused:
        do(case_id, A.SETTLE, ANA, facts)

    assert [error.field for error in refused.value.errors] == fields
    assert settlements() == []


@pytest.mark.parametrize(
    "action",
    [
        A.ACKNOWLEDGE,
        A.WAIVE,
        A.DECLINE_GOODWILL,
        A.RETURN_MONEY,
        A.ACCEPT_PAYMENT,
        A.WITHDRAW_SETTLEMENT,
    ],
)
def test_what_leaves_no_other_trace_needs_a_note(app, action):
    case_id = opened(CaseType.BOOKS_DIFFER)

    with pytest.raises(Invalid, match=r"Say why, in a sentence."):
        do(case_id, action, ANA, Facts(note="   "))


def test_a_case_that_was_dealt_with_elsewhere_is_closed_with_a_note(app):
    case_id = opened(CaseType.PAYMENT_UNKNOWN, detail="pi_1")

    do(case_id, A.ACKNOWLEDGE, ANA, NOTED)

    closed = case(case_id)
    assert (closed.status, closed.resolution, closed.resolved_by, closed.note) == (
        CaseStatus.RESOLVED,
        "acknowledge",
        "Ana Ruiz",
        "Looked at with the bank",
    )


def test_a_closed_case_says_who_closed_it(app):
    case_id = opened(CaseType.BOOKS_DIFFER)
    do(case_id, A.ACKNOWLEDGE, ANA, NOTED)

    with pytest.raises(NotAllowed, match=r"Ana Ruiz closed this case before. Nothing was done"):
        do(case_id, A.ACKNOWLEDGE, BEN, NOTED)


def test_stuck_work_is_due_again_and_its_case_closed(app):
    case_id = stuck()

    do(case_id, A.RETRY, ANA)

    [message] = all_of(OutboxMessage)
    assert (message.needs_review_at, message.attempts) == (None, 0)
    assert (case(case_id).resolution, case(case_id).resolved_by) == ("retry", "Ana Ruiz")


def test_a_refund_held_back_by_a_dispute_is_not_sent(visit, noon):
    change(Payment, visit.payment.id, disputed_at=noon)
    refund = decided(visit, status=RefundStatus.BLOCKED)
    case_id = opened(CaseType.REFUND_BLOCKED, refund.id, "dispute_open")

    with pytest.raises(NotAllowed, match=r"It is sent by itself if the dispute is won."):
        do(case_id, A.RETRY)

    assert refund_of(case_id).status is RefundStatus.BLOCKED


def test_a_refund_held_back_can_be_given_up_with_a_note(visit):
    refund = decided(visit, status=RefundStatus.BLOCKED)
    case_id = opened(CaseType.REFUND_BLOCKED, refund.id, "dispute_open")

    do(case_id, A.WAIVE, ANA, NOTED)

    assert refund_of(case_id).status is RefundStatus.CANCELED
    assert (case(case_id).resolution, case(case_id).note) == ("waive", "Looked at with the bank")


def test_a_case_is_given_to_somebody_of_finance_and_stays_open(app):
    owner = hired("Cleo Park")
    case_id = opened(CaseType.BOOKS_DIFFER)

    do(case_id, A.ASSIGN, ANA, Facts(owner_id=owner.id))

    assert (case(case_id).owner_id, case(case_id).status) == (owner.id, CaseStatus.OPEN)


def test_a_case_is_not_given_to_the_desk_or_to_nobody(app):
    desk = hired("Dee Moss", Role.FRONT_DESK)
    case_id = opened(CaseType.BOOKS_DIFFER)

    for owner_id in (desk.id, None, uuid4()):
        with pytest.raises(Invalid, match=r"Choose somebody in finance."):
            do(case_id, A.ASSIGN, ANA, Facts(owner_id=owner_id))


@pytest.mark.parametrize(
    ("type_", "action"),
    [
        (CaseType.REFUND_FAILED, A.ACKNOWLEDGE),
        (CaseType.REFUND_FAILED, A.APPROVE_GOODWILL),
        (CaseType.BOOKS_DIFFER, A.RETRY),
        (CaseType.GOODWILL_ASKED, A.WAIVE),
    ],
)
def test_a_type_has_its_actions_and_no_others(app, type_, action):
    case_id = opened(type_)

    with pytest.raises(NotAllowed, match=r"That can't be done about a case like this."):
        do(case_id, action, ANA, NOTED)


def test_an_unknown_case_is_not_found(app):
    with pytest.raises(NotFound):
        do(uuid4(), A.RETRY)


def test_a_payout_of_a_visit_paid_by_card_always_takes_two(visit):
    assert visit.payment.tender is PaymentTender.CARD
    case_id = failed(visit)

    do(case_id, A.SETTLE, ANA, BY_CASH)

    assert case(case_id).status is CaseStatus.OPEN
    assert settlements()[0].approved_at is None


def test_a_case_without_the_refund_it_names_is_left_alone(app):
    case_id = opened(CaseType.REFUND_FAILED)

    with pytest.raises(NotAllowed, match=r"There is no refund behind this case."):
        do(case_id, A.RETRY)


@pytest.fixture
def mismatched(visit):
    """Paid, with another amount than the price: the time was let go."""
    with transaction() as session:
        session.execute(delete(Promise))
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED)
    return opened(CaseType.PAYMENT_MISMATCH, visit.payment.id, "pi_1")


def test_a_payment_that_does_not_fit_goes_back_when_somebody_says_so(mismatched):
    do(mismatched, A.RETURN_MONEY, ANA, NOTED)

    [refund] = refunds()
    assert (refund.reason, refund.status) == (RefundReason.SLOT_LOST, RefundStatus.REQUESTED)
    assert case(mismatched).resolution == "return_money"


def test_a_payment_that_does_not_fit_is_accepted_when_somebody_says_so(visit, mismatched):
    do(mismatched, A.ACCEPT_PAYMENT, ANA, NOTED)

    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED
    assert refunds() == []
    assert case(mismatched).resolution == "accept_payment"
