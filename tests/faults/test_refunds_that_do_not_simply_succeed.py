"""Money that Stripe cannot return, returns late, or was returned by somebody else."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import GatewayRefused
from booking_service.gateways.payments import RefundOutcome
from booking_service.models import EntryKind, PromiseStatus, RefundReason, RefundStatus, Topic
from booking_service.queries import state
from booking_service.services import refunds
from tests.factories import converted, paid
from tests.factories import refunds as all_refunds
from tests.faults.facts import (
    attempts,
    booked,
    cases,
    force,
    now,
    owed,
    promise,
    refund_by_hand,
    requested_refund,
    send,
    sent_topics,
)

REFUND_FAILS, REFUND_PENDS = "4000000000005126", "4000000000007726"
DAY = 24 * 3600


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


class Refusing:
    """A gateway whose answer to a refund is no."""

    def __init__(self, gateway, reason):
        self._gateway = gateway
        self._reason = reason

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def refund(self, order):
        raise GatewayRefused(self._reason, "refused")


def test_a_disputed_payment_blocks_the_refund_and_calls_finance(requested, gateway, work):
    send(requested, Refusing(gateway, "charge_disputed"))

    assert now(requested).status is RefundStatus.BLOCKED
    assert promise() is PromiseStatus.BLOCKED
    assert cases() == [("refund_blocked", "open")]
    assert booked() == []
    assert attempts() == [(1, "charge_disputed")]


def test_a_refund_of_a_payment_already_disputed_is_decided_and_not_sent(app, seeded, stripe):
    visit = paid(stripe)
    with transaction() as session:
        payment = session.merge(visit.payment)
        payment.disputed_at = utc_now()
    with transaction() as session:
        refund = refunds.request(
            session, visit.payment.id, RefundReason.CANCELLATION, "First Visit"
        )

    assert now(refund).status is RefundStatus.BLOCKED
    assert owed(Topic.REFUND_REQUESTED) == 0
    assert cases() == [("refund_blocked", "open")]


def test_another_refusal_is_a_failure_for_a_person(requested, gateway):
    send(requested, Refusing(gateway, "charge_expired_for_capture"))

    assert (now(requested).status, now(requested).failure_code) == (
        RefundStatus.FAILED,
        "charge_expired_for_capture",
    )
    assert promise() is PromiseStatus.BROKEN
    assert cases() == [("refund_failed", "open")]
    assert owed(Topic.REFUND_FAILED) == 1


def test_news_of_a_refund_nobody_here_asked_for_opens_a_case(app, seeded, stripe, gateway):
    visit = paid(stripe)
    by_hand = refund_by_hand(stripe, visit.payment.stripe_payment_intent_id)

    refunds.apply_news(by_hand, gateway)
    refunds.apply_news(by_hand, gateway)

    assert cases() == [("refunded_outside", "open")]
    [refund] = all_refunds()
    assert (refund.reason, refund.status) == (RefundReason.EXTERNAL, RefundStatus.EXTERNAL)
    assert promise() is PromiseStatus.VOID


def test_a_refund_the_bank_sends_back_breaks_the_promise(
    app, seeded, stripe, gateway, work, mail, eventually_at_stripe
):
    stripe.settings(refund_delay_seconds=3600)
    converted(stripe, card=REFUND_FAILS)
    work()
    [refund] = all_refunds()
    assert (refund.status, promise()) == (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)

    eventually_at_stripe("failed")
    refunds.apply_news(refund.stripe_refund_id, gateway)
    refunds.apply_news(refund.stripe_refund_id, gateway)
    work()

    assert now(refund).status is RefundStatus.FAILED
    assert now(refund).failure_code == "expired_or_canceled_card"
    assert promise() is PromiseStatus.BROKEN
    assert cases() == [("refund_failed", "open")]
    assert booked() == [EntryKind.REFUND, EntryKind.REFUND_REVERSED]
    assert state.state()["ledger"]["accounts"]["refund_liability"] == -3900
    assert sent_topics() == [Topic.BOOKING_CONFIRMED, Topic.REFUND_FAILED, Topic.REFUND_SENT]


def test_a_refund_that_takes_days_is_told_of_once_and_booked_when_it_leaves_the_balance(
    app, seeded, stripe, gateway, work, mail, eventually_at_stripe
):
    stripe.settings(refund_delay_seconds=3600)
    converted(stripe, card=REFUND_PENDS)
    work()
    [refund] = all_refunds()
    assert (refund.status, promise()) == (RefundStatus.PENDING, PromiseStatus.EARNED)
    assert booked() == [EntryKind.REFUND]

    eventually_at_stripe("succeeded")
    refunds.apply_news(refund.stripe_refund_id, gateway)
    work()

    assert (now(refund).status, promise()) == (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)
    assert booked() == [EntryKind.REFUND]
    assert cases() == []
    assert sent_topics() == [Topic.BOOKING_CONFIRMED, Topic.REFUND_SENT]


def test_news_of_an_unknown_refund_of_an_unknown_payment_is_nothing(app, seeded, gateway):
    class Elsewhere:
        def find_refund(self, _id):
            strange = RefundStatus.SUCCEEDED
            facts = (uuid4(), "re_1", "pi_unknown", 1, strange, None, None, True, False)
            return RefundOutcome(*facts)

    refunds.apply_news("re_1", Elsewhere())

    assert cases() == []
    assert all_refunds() == []


@pytest.fixture
def empty_balance(stripe):
    """Stripe has no money of ours, and does not fetch any from the bank."""
    stripe.settings(bank_debits=False)
    yield
    stripe.settings(bank_debits=True)


def test_a_refund_that_never_got_its_money_moved_nothing_and_breaks_the_promise(
    app, seeded, stripe, gateway, work, mail, empty_balance
):
    converted(stripe)
    work()
    [refund] = all_refunds()

    force(stripe, refund, "failed", "insufficient_funds")
    refunds.apply_news(refund.stripe_refund_id, gateway)

    assert (now(refund).status, promise()) == (RefundStatus.FAILED, PromiseStatus.BROKEN)
    assert booked() == []
    assert cases() == [("refund_failed", "open")]


def test_thirty_days_later_succeeded_is_still_not_final(
    app, seeded, stripe, gateway, noon, travel, work, mail
):
    converted(stripe)
    work()
    [refund] = all_refunds()
    assert (refund.status, promise()) == (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)

    stripe.advance(30 * DAY)
    travel(noon + timedelta(days=30))
    force(stripe, refund, "failed", "lost_or_stolen_card")
    refunds.apply_news(refund.stripe_refund_id, gateway)
    work()

    assert (now(refund).status, promise()) == (RefundStatus.FAILED, PromiseStatus.BROKEN)
    assert booked() == [EntryKind.REFUND, EntryKind.REFUND_REVERSED]
    assert cases() == [("refund_failed", "open")]
    assert Topic.REFUND_FAILED in sent_topics()


@pytest.mark.parametrize(
    ("then", "kept", "case"),
    [
        ("succeeded", PromiseStatus.SETTLED, "resolved"),
        ("canceled", PromiseStatus.BROKEN, "open"),
    ],
)
def test_a_refund_that_requires_action_is_a_case_until_it_ends(
    app, seeded, stripe, gateway, work, mail, then, kept, case
):
    converted(stripe, card=REFUND_PENDS)
    work()
    [refund] = all_refunds()
    force(stripe, refund, "requires_action", "")
    refunds.apply_news(refund.stripe_refund_id, gateway)
    assert cases() == [("refund_failed", "open")]

    force(stripe, refund, then, "")
    refunds.apply_news(refund.stripe_refund_id, gateway)

    assert promise() is kept
    assert cases() == [("refund_failed", case)]
