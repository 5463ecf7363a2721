"""Two people of finance at the same case, and Stripe's late news: one outcome each."""

import pytest

from booking_service.db import db, transaction
from booking_service.errors import NotAllowed
from booking_service.gateways.payments import RefundOutcome
from booking_service.models import (
    Case,
    CaseAction,
    CaseStatus,
    EntryKind,
    JournalEntry,
    OutboxMessage,
    Refund,
    RefundStatus,
    Topic,
)
from booking_service.services import goodwill, refunds, resolutions
from tests.case_makers import ANA, BEN, BY_CHECK, NOTED, case, case_of, do, failed, settlements
from tests.concurrency.crowd import at_once
from tests.factories import all_of, paid

ROUNDS = pytest.mark.parametrize("round_number", range(3))


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def both(app, *presses):
    """Press at the same instant; return what each said: nothing, or a refusal."""
    db.session.rollback()
    return at_once(app, len(presses), lambda number: presses[number]())


def done(said) -> int:
    refused = [one for one in said if one is not None]
    assert all(isinstance(one, NotAllowed) for one in refused), refused
    return len(said) - len(refused)


def of_kind(kind: EntryKind) -> int:
    return [entry.kind for entry in all_of(JournalEntry)].count(kind)


def posted(topic: Topic) -> int:
    return [message.topic for message in all_of(OutboxMessage)].count(topic)


def status() -> RefundStatus:
    return all_of(Refund)[0].status


@ROUNDS
def test_two_people_approve_a_payout_and_it_is_paid_once(app, visit, round_number):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)

    said = both(
        app,
        *[lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN)] * 2,
    )

    assert done(said) == 1
    assert status() is RefundStatus.SETTLED_OTHERWISE
    assert of_kind(EntryKind.SETTLEMENT) == 1
    assert posted(Topic.REFUND_SETTLED_OTHERWISE) == 1


@ROUNDS
def test_a_payout_is_either_approved_or_withdrawn(app, visit, round_number):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)

    said = both(
        app,
        lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN),
        lambda: do(case_id, CaseAction.WITHDRAW_SETTLEMENT, ANA, NOTED),
    )

    assert done(said) == 1
    [settlement] = settlements()
    if said[0] is None:
        assert status() is RefundStatus.SETTLED_OTHERWISE
        assert settlement.withdrawn_at is None
    else:
        assert status() is RefundStatus.FAILED
        assert settlement.approved_at is None
        assert case(case_id).status is CaseStatus.OPEN


@ROUNDS
def test_a_refund_is_either_tried_again_or_paid_another_way(app, visit, round_number):
    case_id = failed(visit, "unknown")

    said = both(
        app,
        lambda: do(case_id, CaseAction.SETTLE, ANA, BY_CHECK),
        lambda: do(case_id, CaseAction.RETRY, BEN),
    )

    assert done(said) == 1
    if said[0] is None:
        assert (status(), posted(Topic.REFUND_REQUESTED)) == (RefundStatus.FAILED, 0)
        assert len(settlements()) == 1
    else:
        assert (status(), posted(Topic.REFUND_REQUESTED)) == (RefundStatus.REQUESTED, 1)
        assert settlements() == []


def arrived(visit) -> RefundOutcome:
    """What Stripe says of a refund that was thought to have failed: the patient has the money."""
    return RefundOutcome(
        refund_id=all_of(Refund)[0].id,
        stripe_refund_id="re_late",
        payment_intent_id=visit.payment.stripe_payment_intent_id,
        amount_cents=3900,
        status=RefundStatus.SUCCEEDED,
        failure_code=None,
        trace_number=None,
        has_left=True,
        came_back=False,
    )


def hear(outcome) -> None:
    with transaction() as session:
        refunds.apply(session, outcome.refund_id, outcome)


def test_a_payout_cannot_be_approved_when_the_card_got_the_money_after_all(app, visit):
    case_id = failed(visit, "unknown")
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)

    hear(arrived(visit))
    with pytest.raises(NotAllowed, match=r"The money went back through Stripe after all."):
        do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN)

    assert of_kind(EntryKind.SETTLEMENT) == 0
    assert case(case_id).status is CaseStatus.OPEN
    do(case_id, CaseAction.WITHDRAW_SETTLEMENT, ANA, NOTED)
    assert case(case_id).status is CaseStatus.RESOLVED
    assert (of_kind(EntryKind.REFUND), of_kind(EntryKind.SETTLEMENT)) == (1, 0)


@ROUNDS
def test_an_approval_and_late_success_pay_once_or_call_somebody(app, visit, round_number):
    case_id = failed(visit, "unknown")
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    news = arrived(visit)

    said = both(
        app,
        lambda: do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN),
        lambda: hear(news),
    )

    assert said[1] is None
    still_open = {row.type for row in all_of(Case) if row.status is CaseStatus.OPEN}
    assert "refunded_outside" in still_open
    if said[0] is None:
        assert of_kind(EntryKind.SETTLEMENT) == 1
    else:
        assert isinstance(said[0], NotAllowed)
        assert of_kind(EntryKind.SETTLEMENT) == 0
        assert "refund_failed" in still_open


@ROUNDS
def test_two_people_approve_goodwill_and_it_is_sent_once(app, visit, round_number):
    refund_id = goodwill.ask(visit.payment.id, None, "Came the next day", ANA)

    said = both(app, *[lambda: resolutions.approve_goodwill(refund_id, BEN)] * 2)

    assert done(said) == 1
    assert posted(Topic.REFUND_REQUESTED) == 1


@ROUNDS
def test_two_people_ask_for_goodwill_and_one_ask_is_open(app, visit, round_number):
    payment_id = visit.payment.id

    def ask(actor) -> None:
        goodwill.ask(payment_id, 100, "Why", actor)

    said = both(app, lambda: ask(ANA), lambda: ask(BEN))

    assert done(said) == 1
    assert len(all_of(Refund)) == 1
    assert case_of(all_of(Refund)[0].id).status is CaseStatus.OPEN
