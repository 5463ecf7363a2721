"""Somebody refunds in Stripe's dashboard; or the patient's bank asks the money back.

Hard cases "refunded in Stripe's dashboard" and "dispute opened" (it blocks; an inquiry may be
refunded; won resumes; lost is void).
"""

import pytest

from booking_service.models import RefundReason
from booking_service.models.disputes import OPEN
from booking_service.queries import state
from booking_service.services import disputes, reconciliation, refund_news, refund_rows, refunds
from tests.factories import paid
from tests.factories import refunds as all_refunds
from tests.faults.facts import (
    booked,
    cases,
    decide,
    dispute,
    intent_of,
    promise,
    refund_by_hand,
    requested_refund,
    sent_topics,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")


@pytest.fixture
def owed(stripe, celery):
    """A member's $39: decided, not sent yet."""
    return requested_refund(stripe, celery)


def standing() -> tuple[str, str]:
    [refund] = all_refunds()
    return refund.status.value, promise().value


# Refunded in Stripe's dashboard.


@pytest.mark.parametrize("seen_by", ["webhook", "comparison of the books", "our own attempt"])
def test_refunded_in_stripes_dashboard_fulfils_the_promise_and_nothing_goes_back_twice(
    owed, stripe, gateway, persevere, seen_by
):
    by_hand = refund_by_hand(stripe, intent_of(owed))
    if seen_by == "webhook":
        refunds.apply_news(by_hand, gateway)
    elif seen_by != "our own attempt":
        reconciliation.run(gateway, "First Visit")

    persevere()

    assert standing() == ("external", "settled")
    assert [made["id"] for made in stripe.refunds()] == [by_hand]
    assert (booked(), cases()) == (["refund"], [])
    assert sent_topics().count("notifications.refund_sent") == 1


def test_without_recognising_it_a_kept_promise_counts_as_broken(
    owed, stripe, gateway, persevere, monkeypatch
):
    monkeypatch.setattr(refund_news, "_made_outside", lambda *_: None)
    refunds.apply_news(refund_by_hand(stripe, intent_of(owed)), gateway)

    persevere()

    assert standing() == ("failed", "broken")
    assert [made["status"] for made in stripe.refunds()] == ["succeeded"]


def ten_dollars_by_hand(visit, stripe, gateway):
    """Somebody gives $10 back whom nobody here asked to."""
    by_hand = refund_by_hand(stripe, visit.payment.stripe_payment_intent_id, 1000)
    for _ in range(2):
        refunds.apply_news(by_hand, gateway)
    return [(refund.reason, refund.amount_cents) for refund in all_refunds()]


def test_refunded_in_stripes_dashboard_unasked_is_an_exception(stripe, gateway):
    seen = ten_dollars_by_hand(paid(stripe), stripe, gateway)

    assert seen == [(RefundReason.EXTERNAL, 1000)]
    assert cases() == [("refunded_outside", "open")]


def test_without_a_row_of_its_own_money_that_left_is_seen_by_nobody(stripe, gateway, monkeypatch):
    monkeypatch.setattr(refund_news, "_a_second_one", lambda *_: None)

    assert ten_dollars_by_hand(paid(stripe), stripe, gateway) == []
    assert cases() == []


# Dispute opened.


@pytest.fixture
def disputed(owed, stripe, gateway):
    """What the bank does, step by step, as we hear of it."""
    made = []

    def bank(*statuses: str) -> None:
        for status in statuses:
            if made:
                decide(stripe, made[0], status)
            else:
                made.append(dispute(stripe, intent_of(owed), status))
            disputes.apply_news(made[0], gateway)

    return bank


@pytest.fixture
def deaf(monkeypatch):
    """Nothing follows from a dispute: it is written down, and that is all."""
    monkeypatch.setattr(refund_rows, "follow_disputes", lambda *_: None)


def accounts() -> set[str]:
    """Which accounts of the ledger are not at zero."""
    return {name for name, cents in state.state()["ledger"]["accounts"].items() if cents}


def asked_stripe(stripe) -> int:
    return len(stripe.keys("/v1/refunds"))


def test_dispute_opened_blocks_the_refund(disputed, stripe, persevere):
    disputed("needs_response")
    persevere()

    assert (standing(), asked_stripe(stripe)) == (("blocked", "blocked"), 0)
    assert sorted(cases()) == [("dispute_open", "open"), ("refund_blocked", "open")]


def test_without_following_disputes_stripe_is_asked_for_disputed_money(
    disputed, stripe, persevere, deaf
):
    disputed("needs_response")
    persevere()

    assert asked_stripe(stripe) == 1


def test_dispute_opened_as_an_inquiry_may_be_refunded(disputed, stripe, persevere):
    disputed("warning_needs_response")
    persevere()

    assert standing() == ("succeeded", "settled")
    assert cases() == [("dispute_open", "open")]


def test_taking_an_inquiry_for_a_dispute_keeps_the_money_back(
    disputed, stripe, persevere, monkeypatch
):
    """The control."""
    monkeypatch.setattr(refund_rows, "BLOCKING", OPEN)

    disputed("warning_needs_response")
    persevere()

    assert standing() == ("blocked", "blocked")


def test_dispute_won_resumes_the_refund(disputed, stripe, persevere):
    disputed("needs_response")
    persevere()
    disputed("won")
    persevere()

    assert standing() == ("succeeded", "settled")
    assert len(stripe.refunds()) == 1
    assert {status for _, status in cases()} == {"resolved"}
    assert not {"disputed_funds", "refund_liability"} & accounts()


def test_without_following_disputes_one_that_was_won_blocks_for_ever(
    disputed, stripe, persevere, deaf
):
    disputed("needs_response")
    persevere()
    disputed("won")
    persevere()

    assert (standing(), stripe.refunds()) == (("blocked", "blocked"), [])


def test_dispute_lost_is_void_because_the_patient_has_the_money(disputed, stripe, persevere):
    disputed("needs_response", "lost")
    persevere()

    assert (standing(), asked_stripe(stripe)) == (("canceled", "void"), 0)
    assert all_refunds()[0].failure_code == "dispute_lost"
    assert {status for _, status in cases()} == {"resolved"}
    assert not {"disputed_funds", "refund_liability", "dispute_losses"} & accounts()


def test_without_following_disputes_one_that_was_lost_counts_as_a_promise_we_kept(
    disputed, stripe, persevere, deaf
):
    disputed("needs_response", "lost")
    persevere()

    assert standing() == ("canceled", "settled")
