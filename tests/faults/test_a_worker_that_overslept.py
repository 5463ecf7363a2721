"""A worker wakes after its lease, when another has done its work: whatever it learned is old."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from booking_service.clock import utc_now
from booking_service.errors import GatewayRefused, GatewayUnavailable
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import wait_until
from booking_service.models import PromiseStatus, RefundStatus
from booking_service.queries import state
from booking_service.services import attempts as attempts_service
from booking_service.services import refunds
from tests.faults.facts import (
    LEASE,
    PATIENCE,
    attempts,
    cases,
    force,
    now,
    promise,
    requested_refund,
    send,
)

REFUNDS = "/v1/refunds"


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


class Meanwhile:
    """A gateway on the way to which a worker falls asleep, and another does the work."""

    def __init__(self, gateway, meanwhile, answer=None):
        self._gateway = gateway
        self._meanwhile = meanwhile
        self._answer = answer

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def refund(self, order):
        self._meanwhile()
        if self._answer is not None:
            raise self._answer
        return self._gateway.refund(order)


@pytest.fixture
def another(requested, gateway, stripe, travel):
    """Give the first key up after two empty lists, and begin the next attempt without an answer."""

    def do() -> None:
        started = utc_now()
        stripe.fault("drop_before", REFUNDS, times=3)
        for wait in (timedelta(0), LEASE, LEASE):
            travel(started + wait)
            send(requested, gateway)
        assert attempts() == [(1, "not_found"), (2, None)]

    return do


def facts():
    """What must not change: all our rows but the time they were looked at."""
    seen = state.state()
    return {name: seen[name] for name in ("refunds", "exceptions", "ledger", "bookings")}


@pytest.mark.parametrize(
    "answer",
    [
        GatewayRefused("charge_disputed", "refused"),
        GatewayRefused("expired_or_canceled_card", "refused"),
        GatewayUnavailable("no answer"),
    ],
    ids=["disputed", "refused", "unavailable"],
)
def test_an_old_answer_does_not_speak_for_the_attempt_that_is_open(
    requested, gateway, another, answer
):
    before = []

    def meanwhile() -> None:
        another()
        before.append((facts(), attempts()))

    send(requested, Meanwhile(gateway, meanwhile, answer))

    assert (facts(), attempts()) == before[0]
    assert now(requested).status is RefundStatus.SENDING


def test_without_asking_which_attempt_is_open_an_old_refusal_would_end_the_new_one(
    requested, gateway, another, monkeypatch
):
    """The control."""
    monkeypatch.setattr(attempts_service, "is_open", lambda *_: True)

    send(requested, Meanwhile(gateway, another, GatewayRefused("old", "refused")))

    assert now(requested).status is RefundStatus.FAILED
    assert attempts() == [(1, "not_found"), (2, "old")]


@pytest.fixture
def asleep_before_asking(monkeypatch, requested):
    """Let a worker fall asleep between its decision to ask and the call, once."""

    def put(meanwhile) -> None:
        may_ask, slept = attempts_service.may_ask, []

        def look(attempt_id, until):
            if not slept:
                slept.append(True)
                meanwhile()
            return may_ask(attempt_id, until)

        monkeypatch.setattr(attempts_service, "may_ask", look)

    return put


def test_a_worker_that_wakes_late_does_not_ask_under_a_key_that_was_given_up(
    requested, gateway, stripe, another, asleep_before_asking
):
    asleep_before_asking(another)

    send(requested, gateway)

    # The other worker's three; the sleeper's own was never sent.
    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"] * 2 + [f"refund:{requested.id}:2"]


def test_a_worker_whose_lease_is_over_does_not_ask(
    requested, gateway, stripe, travel, asleep_before_asking
):
    started = utc_now()
    travel(started)
    asleep_before_asking(lambda: travel(started + LEASE))

    send(requested, gateway)

    assert stripe.keys(REFUNDS) == []


def test_a_worker_within_its_lease_asks(requested, gateway, stripe, travel, asleep_before_asking):
    started = utc_now()
    travel(started)
    asleep_before_asking(lambda: travel(started + LEASE - timedelta(seconds=1)))

    send(requested, gateway)

    assert now(requested).status is RefundStatus.SUCCEEDED


def test_without_looking_a_late_worker_would_return_the_money_twice(
    requested, gateway, stripe, another, monkeypatch
):
    """The control: its key was given up, and the refund under the next came back from the bank."""

    def look(attempt_id, until):
        if not slept:
            slept.append(True)
            another()
            send(requested, gateway)
            force(stripe, now(requested), "failed", "lost_or_stolen_card")
        return True

    slept = []
    monkeypatch.setattr(attempts_service, "may_ask", look)
    send(requested, gateway)

    assert sorted(made["status"] for made in stripe.refunds()) == ["failed", "succeeded"]
    # And what then closes the window: it is one row, and a person looks.
    assert ("refunded_outside", "open") in cases()


@pytest.mark.parametrize("kind", ["hold", "hold_before"])
def test_a_worker_held_at_stripe_for_longer_than_its_lease_changes_nothing(
    app, requested, stripe, settings, travel, kind
):
    patient = StripeGateway(settings, timedelta(minutes=1))
    started = utc_now()
    travel(started)
    fault = stripe.fault(kind, REFUNDS)

    def sleeper() -> None:
        with app.app_context():
            refunds.execute(requested.id, patient, PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        asleep = pool.submit(sleeper)
        wait_until(lambda: stripe.blocked(fault) == 1, "the worker is held")
        travel(started + 2 * LEASE)
        send(requested, patient)
        before = (facts(), attempts(), promise())
        stripe.release(fault)
        asleep.result()

    assert (facts(), attempts(), promise()) == before
    assert promise() is PromiseStatus.SETTLED
    assert len(stripe.refunds()) == 1
