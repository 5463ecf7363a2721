"""Each move of a refund, a promise, a membership and a hold is a row: from where, and to where."""

from datetime import timedelta

import pytest
import requests

from booking_service.models import (
    ActorKind,
    AuditRow,
    Case,
    CaseAction,
    CaseType,
    Promise,
    Refund,
    RefundStatus,
)
from booking_service.queries import state
from booking_service.services import (
    bookings,
    checkout,
    choices,
    disputes,
    goodwill,
    holds,
    membership_news,
    promises,
    refunds,
    resolutions,
)
from tests.case_makers import ANA, BEN, BY_CHECK, NOTED, case_of, do
from tests.factories import (
    HALF_AN_HOUR,
    PRIYA,
    all_of,
    at_stripe,
    booking,
    change,
    converted,
    free_slot,
    hold,
    in_treatment,
    lost_time,
    paid,
)
from tests.factories import refunds as all_refunds
from tests.faults.facts import decide, dispute, refund_by_hand
from tests.stripe_account import _KEY as KEY
from tests.trails import trail, untold

pytestmark = pytest.mark.usefixtures("seeded", "mail")


@pytest.fixture
def kept(noon, stripe, work):
    """A promise that was kept."""
    visit = converted(stripe)
    work()
    return visit


def way_of(model) -> list[str]:
    [thing] = all_of(model)
    return trail(thing.id)


def rows(action: str) -> list[AuditRow]:
    return [row for row in all_of(AuditRow) if row.action == action]


def test_a_kept_promise_is_told_from_its_earning_to_the_money(kept):
    assert way_of(Refund) == ["requested", "sending", "succeeded"]
    assert way_of(Promise) == ["earned", "settled"]
    assert trail(kept.membership_id) == ["active"]


def test_a_row_says_from_where_how_much_and_that_it_followed_by_itself(kept):
    [made], [done] = rows("refund.requested"), rows("refund.succeeded")

    assert (made.before, made.after) == (
        {},
        {"status": "requested", "reason": "membership", "cents": 3900},
    )
    assert (done.before, done.after) == (
        {"status": "sending"},
        {"status": "succeeded", "cents": 3900},
    )
    assert {made.actor_kind, done.actor_kind} == {ActorKind.SYSTEM}
    assert state.state()["audit"]["verified"]


def test_news_that_is_known_writes_no_row(kept, gateway):
    before = len(all_of(AuditRow))

    refunds.apply_news(all_refunds()[0].stripe_refund_id, gateway)

    assert len(all_of(AuditRow)) == before


def test_what_the_bank_sends_back_and_a_check_puts_right(kept, stripe, gateway):
    [refund] = all_refunds()
    stripe.bounce(refund.stripe_refund_id)
    refunds.apply_news(refund.stripe_refund_id, gateway)
    case_id = case_of(refund.id).id

    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)
    do(case_id, CaseAction.APPROVE_SETTLEMENT, BEN)

    assert trail(refund.id)[-2:] == ["failed", "settled_otherwise"]
    assert way_of(Promise) == ["earned", "settled", "broken", "settled"]
    assert untold() == []


@pytest.mark.parametrize(("verdict", "end"), [("won", "earned"), ("lost", "void")])
def test_a_dispute_and_its_end(noon, stripe, gateway, work, verdict, end):
    visit = converted(stripe)
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    disputes.apply_news(made, gateway)
    work()
    decide(stripe, made, verdict)

    disputes.apply_news(made, gateway)

    assert way_of(Promise) == ["earned", "blocked", end]
    assert untold() == []


def test_what_the_dashboard_returned(kept, stripe, gateway):
    other = paid(stripe, name="Robin Hale", email="robin@example.com")
    by_hand = refund_by_hand(stripe, other.payment.stripe_payment_intent_id)

    refunds.apply_news(by_hand, gateway)

    [outside] = [refund for refund in all_refunds() if refund.stripe_refund_id == by_hand]
    [promise] = [promise for promise in all_of(Promise) if promise.payment_id == other.payment.id]
    assert (trail(outside.id), trail(promise.id)) == (["external"], ["void"])
    assert untold() == []


def test_goodwill_asked_for_declined_and_granted(noon, stripe):
    visit = paid(stripe)
    first = goodwill.ask(visit.payment.id, None, "Why", ANA)
    do(case_of(first).id, CaseAction.DECLINE_GOODWILL, BEN, NOTED)
    second = goodwill.ask(visit.payment.id, None, "Why", ANA)

    resolutions.approve_goodwill(second, BEN)

    assert (trail(first), trail(second)) == (["blocked", "canceled"], ["blocked", "requested"])
    assert way_of(Promise) == ["waived"]


def test_a_visit_that_ended_and_one_that_was_cancelled(noon, travel, stripe):
    ended = in_treatment(stripe)
    cancelled = paid(stripe, slot=free_slot(40), name="Robin Hale", email="robin@example.com")

    bookings.cancel(cancelled.booking_id, PRIYA)
    travel(noon + timedelta(days=1))
    promises.sweep()

    told = {promise.booking_id: trail(promise.id) for promise in all_of(Promise)}
    assert told == {ended.booking_id: ["lapsed"], cancelled.booking_id: ["void"]}


def test_what_a_patient_gives_up(noon, stripe, gateway, work):
    visit = converted(stripe)
    disputes.apply_news(dispute(stripe, visit.payment.stripe_payment_intent_id), gateway)
    work()
    [refund] = all_refunds()
    blocked = next(case for case in all_of(Case) if case.type is CaseType.REFUND_BLOCKED)

    do(blocked.id, CaseAction.WAIVE, ANA, NOTED)

    assert trail(refund.id) == ["requested", "blocked", "canceled"]
    assert way_of(Promise) == ["earned", "blocked", "waived"]


def test_a_hold_that_ends_is_told_and_one_that_was_paid_is_not(noon, travel, stripe, gateway):
    let_go, without_a_page = at_stripe().booking_id, hold()
    visit = paid(stripe, name="Robin Hale", email="robin@example.com")
    travel(noon + 2 * HALF_AN_HOUR)

    for _ in range(2):
        holds.sweep(gateway)
        checkout.sweep(gateway)

    ended = rows("booking.expired")
    assert {row.subject_id for row in ended} == {let_go, without_a_page}
    assert [(row.before, row.after) for row in ended] == [
        ({"status": "held"}, {"status": "expired"})
    ] * 2
    assert booking(visit.booking_id).status == "confirmed"


def test_a_time_that_was_lost_and_whose_money_went_back(noon, stripe, gateway, work):
    late, _ = lost_time(stripe, gateway)

    choices.send_back(late.booking_id)
    work()

    assert way_of(Refund) == ["requested", "sending", "succeeded"]


def test_a_membership_is_told_of_as_stripe_moves_it(kept, stripe, gateway):
    [made] = stripe.subscriptions()
    requests.delete(f"{stripe.url}/v1/subscriptions/{made['id']}", headers=KEY).raise_for_status()

    for _ in range(2):
        membership_news.subscription_changed(made["id"], gateway)

    assert trail(kept.membership_id) == ["active", "cancelled"]


def test_a_status_that_was_changed_past_the_log_is_seen(kept):
    """The control: this is how `untold` speaks of a move that nobody wrote down."""
    assert untold() == []

    change(Refund, all_refunds()[0].id, status=RefundStatus.FAILED)

    assert untold() == ["refund: is failed, told of until succeeded"]
