"""Stripe moved the money, and its answer never came.

Hard case "Stripe's answer is lost". Two things protect: one key for one try, and looking before the
next. Either is enough alone; these tests take out one, the other, and both.
"""

from uuid import uuid4

import pytest

from booking_service.gateways.payments import RefundOrder, SubscriptionOrder
from booking_service.models import PromiseStatus, RefundStatus
from booking_service.queries import state
from booking_service.services import first_payments, refunds
from tests.factories import converted
from tests.factories import refunds as all_refunds


class Blind:
    """A gateway that never finds what it made."""

    def __init__(self, gateway):
        self._gateway = gateway

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def refunds_of(self, payment_intent_id):
        return []

    def subscriptions_of(self, customer_id, membership_id):
        return []


@pytest.fixture
def blind(app, celery, monkeypatch):
    monkeypatch.setitem(app.extensions, "gateway", Blind(app.extensions["gateway"]))


@pytest.fixture
def random_keys(monkeypatch):
    monkeypatch.setattr(
        refunds, "RefundOrder", lambda *facts: RefundOrder(*facts[:3], str(uuid4()))
    )
    monkeypatch.setattr(
        first_payments,
        "SubscriptionOrder",
        lambda **facts: SubscriptionOrder(**facts | {"idempotency_key": str(uuid4())}),
    )


def lose_answers(stripe) -> None:
    for path in ("/v1/subscriptions", "/v1/refunds"):
        stripe.fault("drop_after", path)


def outcome(stripe) -> tuple[int, list[RefundStatus], list[PromiseStatus]]:
    promises = [booking["promise_status"] for booking in state.state()["bookings"]]
    return len(stripe.subscriptions()), [r.status for r in all_refunds()], promises


KEPT = (1, [RefundStatus.SUCCEEDED], [PromiseStatus.SETTLED])


def test_stripes_answer_is_lost_and_the_money_moved_once(app, seeded, stripe, mail, persevere):
    lose_answers(stripe)
    converted(stripe)

    persevere()

    assert outcome(stripe) == KEPT


def test_without_looking_the_key_is_enough(app, seeded, stripe, mail, persevere, blind):
    lose_answers(stripe)
    converted(stripe)

    persevere()

    assert outcome(stripe) == KEPT
    assert stripe.statuses("POST", "/v1/subscriptions") == [0, 200]
    assert stripe.statuses("POST", "/v1/refunds") == [0, 200]


def test_without_the_key_looking_is_enough(app, seeded, stripe, mail, persevere, random_keys):
    lose_answers(stripe)
    converted(stripe)

    persevere()

    assert outcome(stripe) == KEPT


def test_without_either_a_member_is_charged_twice_and_a_kept_promise_counts_as_broken(
    app, seeded, stripe, mail, persevere, blind, random_keys
):
    lose_answers(stripe)
    converted(stripe)

    persevere()

    assert outcome(stripe) == (2, [RefundStatus.FAILED], [PromiseStatus.BROKEN])
    assert stripe.statuses("POST", "/v1/refunds") == [0, 400]
    assert [refund["status"] for refund in stripe.refunds()] == ["succeeded"]
