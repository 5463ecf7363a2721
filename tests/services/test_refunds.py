from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import GatewayUnavailable
from booking_service.gateways.payments import RefundOutcome
from booking_service.models import (
    EntryKind,
    PromiseStatus,
    RefundReason,
    RefundStatus,
)
from booking_service.queries import state
from booking_service.services import refunds
from tests.faults.facts import (
    LEASE,
    PATIENCE,
    attempts,
    booked,
    cases,
    now,
    promise,
    requested_refund,
    send,
)

REFUNDS = "/v1/refunds"


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


def outcome(refund, stripe_id: str, status: RefundStatus) -> RefundOutcome:
    return RefundOutcome(refund.id, stripe_id, None, refund.amount_cents, status, None, None)


def apply(refund, stripe_id: str, status: RefundStatus) -> None:
    with transaction() as session:
        refunds.apply(session, refund.id, outcome(refund, stripe_id, status))


def test_asking_twice_and_executing_twice_moves_the_money_once(requested, gateway, stripe):
    with transaction() as session:
        again = refunds.request(session, requested.payment_id, RefundReason.MEMBERSHIP, "Priya")

    send(requested, gateway)
    send(requested, gateway)

    assert again.id == requested.id
    assert len(stripe.refunds()) == 1
    assert stripe.statuses("POST", REFUNDS) == [200]
    assert booked() == [EntryKind.REFUND]
    assert promise() is PromiseStatus.SETTLED


def test_the_key_and_the_amount_follow_from_the_refund(requested, gateway, stripe):
    send(requested, gateway)

    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"]
    [made] = stripe.refunds()
    assert made["amount"] == 3900
    assert made["metadata"] == {"application": "first_visit", "refund_id": str(requested.id)}


@pytest.mark.parametrize("old", [RefundStatus.PENDING, RefundStatus.SUCCEEDED])
def test_an_older_answer_after_a_newer_truth_changes_nothing(requested, gateway, old):
    send(requested, gateway)
    stripe_id = now(requested).stripe_refund_id
    apply(requested, stripe_id, RefundStatus.FAILED)
    before = state.state()

    apply(requested, stripe_id, old)

    assert state.state() == before
    assert now(requested).status is RefundStatus.FAILED


def test_a_second_refund_at_stripe_for_one_of_ours_is_shown_to_a_person(requested, gateway):
    send(requested, gateway)
    ours = now(requested).stripe_refund_id

    apply(requested, "re_another", RefundStatus.FAILED)

    assert (now(requested).status, now(requested).stripe_refund_id) == (
        RefundStatus.SUCCEEDED,
        ours,
    )
    assert cases() == [("refunded_outside", "open")]


def test_an_answer_that_was_lost_is_found_without_asking_again(requested, gateway, stripe):
    stripe.fault("drop_after", REFUNDS)

    send(requested, gateway)

    assert now(requested).status is RefundStatus.SUCCEEDED
    assert len(stripe.keys(REFUNDS)) == 1


@pytest.mark.parametrize("kind", ["drop_before", "rate_limit", "conflict", "unauthorized"])
def test_what_stripe_did_not_do_is_asked_again_under_the_same_key(requested, gateway, stripe, kind):
    stripe.fault(kind, REFUNDS)

    send(requested, gateway)
    send(requested, gateway)

    assert now(requested).status is RefundStatus.SUCCEEDED
    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"] * 2
    assert attempts() == [(1, "succeeded")]


def test_another_key_is_used_only_after_two_empty_lists_a_lease_apart(
    requested, gateway, stripe, travel
):
    """Stripe saved a 500 under the key, and repeats it for a day."""
    stripe.fault("error_500_before", REFUNDS)
    started = utc_now()
    for seconds in (0, 59):
        travel(started + timedelta(seconds=seconds))
        send(requested, gateway)
    assert attempts() == [(1, None)]

    travel(started + LEASE)
    send(requested, gateway)
    assert attempts() == [(1, "not_found")]
    send(requested, gateway)

    assert attempts() == [(1, "not_found"), (2, "succeeded")]
    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"] * 3 + [f"refund:{requested.id}:2"]
    assert len(stripe.refunds()) == 1


def test_a_key_older_than_its_age_is_not_used_again(requested, gateway, stripe, travel):
    """Stripe forgets keys after a day: the same key would be a second refund."""
    stripe.fault("drop_before", REFUNDS)
    started = utc_now()
    travel(started)
    send(requested, gateway)

    travel(started + timedelta(hours=23))
    send(requested, gateway)
    asked_with_the_old_key = stripe.keys(REFUNDS)
    travel(started + timedelta(hours=23, minutes=1))
    send(requested, gateway)
    send(requested, gateway)

    assert asked_with_the_old_key == [f"refund:{requested.id}:1"]
    assert now(requested).status is RefundStatus.SUCCEEDED
    assert stripe.keys(REFUNDS)[1:] == [f"refund:{requested.id}:2"]


def test_a_key_younger_than_its_age_is_used_again(requested, gateway, stripe, travel):
    stripe.fault("drop_before", REFUNDS)
    started = utc_now()
    travel(started)
    send(requested, gateway)

    travel(started + timedelta(hours=23) - timedelta(seconds=1))
    send(requested, gateway)

    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"] * 2


def test_without_the_age_a_forgotten_key_would_ask_for_the_money_again(
    requested, gateway, stripe, travel, monkeypatch
):
    """Only Stripe's cap on a full refund is left then."""
    stripe.fault("drop_after", REFUNDS)
    monkeypatch.setattr(refunds, "_ours", lambda *_: None)
    send(requested, gateway)
    stripe.advance(25 * 3600)

    with suppress(GatewayUnavailable):
        refunds.execute(requested.id, gateway, replace(PATIENCE, key_max_age=timedelta(days=365)))

    assert stripe.statuses("POST", REFUNDS) == [0, 400]
