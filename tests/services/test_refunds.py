from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import GatewayUnavailable
from booking_service.gateways.payments import RefundOutcome
from booking_service.models import (
    Case,
    CaseType,
    EntryKind,
    Payment,
    PaymentTender,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.queries import state
from booking_service.services import refunds
from tests.factories import all_of, change, paid
from tests.factories import refunds as all_refunds
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
    is_back = status is RefundStatus.FAILED
    cents = refund.amount_cents
    return RefundOutcome(refund.id, stripe_id, None, cents, status, None, None, True, is_back)


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

    apply(requested, "re_another", RefundStatus.SUCCEEDED)

    assert (now(requested).status, now(requested).stripe_refund_id) == (
        RefundStatus.SUCCEEDED,
        ours,
    )
    another = next(refund for refund in all_refunds() if refund.id != requested.id)
    assert (another.reason, another.stripe_refund_id) == (RefundReason.EXTERNAL, "re_another")
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


def test_a_key_that_stripe_forgot_is_not_used_the_refund_is_found(
    requested, gateway, stripe, travel
):
    """Performed, not answered, not listed; a day later Stripe has forgotten the key."""
    stripe.fault("drop_after", REFUNDS)
    stripe.fault("error_500_before", REFUNDS, method="GET")
    started = utc_now()
    travel(started)
    send(requested, gateway)
    stripe.advance(25 * 3600)
    travel(started + timedelta(hours=25))

    send(requested, gateway)

    assert now(requested).status is RefundStatus.SUCCEEDED
    assert stripe.keys(REFUNDS) == [f"refund:{requested.id}:1"]
    assert len(stripe.refunds()) == 1


def request(payment_id, reason=RefundReason.CANCELLATION):
    with transaction() as session:
        return refunds.request(session, payment_id, reason, "First Visit")


def returned(payment_id, cents: int, reason=RefundReason.EXTERNAL, status=RefundStatus.EXTERNAL):
    with transaction() as session:
        session.add(
            Refund(
                payment_id=payment_id,
                reason=reason,
                status=status,
                amount_cents=cents,
                requested_at=utc_now(),
                requested_by="somebody",
            )
        )


@pytest.fixture
def visit(app, seeded, stripe):
    return paid(stripe)


@pytest.mark.parametrize(
    ("status", "left"),
    [
        (RefundStatus.EXTERNAL, 2900),
        (RefundStatus.SUCCEEDED, 2900),
        (RefundStatus.PENDING, 2900),
        (RefundStatus.SETTLED_OTHERWISE, 2900),
        (RefundStatus.REQUESTED, 2900),
        (RefundStatus.FAILED, 3900),
        (RefundStatus.CANCELED, 3900),
    ],
)
def test_the_amount_is_what_was_captured_less_what_went_back(visit, status, left):
    returned(visit.payment.id, 1000, RefundReason.GOODWILL, status)

    assert request(visit.payment.id).amount_cents == left


def test_a_refund_made_outside_is_not_the_one_we_owe(visit):
    returned(visit.payment.id, 1000)

    owed = request(visit.payment.id)

    assert (owed.reason, owed.amount_cents) == (RefundReason.CANCELLATION, 2900)


def test_when_nothing_is_left_no_refund_is_made_and_the_promise_ends(visit):
    returned(visit.payment.id, 3900)

    assert request(visit.payment.id) is None

    assert promise() is PromiseStatus.VOID
    assert [refund.reason for refund in all_refunds()] == [RefundReason.EXTERNAL]


def test_a_refund_is_sent_for_what_is_left_when_it_is_sent(requested, gateway, stripe):
    returned(requested.payment_id, 1000)

    send(requested, gateway)

    assert [made["amount"] for made in stripe.refunds()] == [2900]
    assert now(requested).amount_cents == 2900
    assert promise() is PromiseStatus.SETTLED


def test_a_refund_of_which_nothing_is_left_is_not_sent_and_the_promise_is_kept(
    requested, gateway, stripe
):
    returned(requested.payment_id, 3900)

    send(requested, gateway)

    assert stripe.keys(REFUNDS) == []
    assert now(requested).status is RefundStatus.CANCELED
    assert promise() is PromiseStatus.SETTLED


@pytest.mark.parametrize("tender", [PaymentTender.CASH, PaymentTender.TERMINAL])
def test_paid_at_the_desk_is_paid_back_at_the_desk(requested, gateway, stripe, tender):
    change(Payment, requested.payment_id, tender=tender, reference="R-1")

    send(requested, gateway)

    assert stripe.keys(REFUNDS) == []
    assert now(requested).status is RefundStatus.BLOCKED
    assert promise() is PromiseStatus.EARNED
    [case] = all_of(Case)
    assert (case.type, case.detail, case.amount_cents) == (CaseType.DESK_PAYOUT, tender, 3900)


def test_a_dispute_that_opened_after_the_decision_stops_the_refund(requested, gateway, stripe):
    change(Payment, requested.payment_id, disputed_at=utc_now())

    send(requested, gateway)

    assert stripe.keys(REFUNDS) == []
    assert (now(requested).status, promise()) == (RefundStatus.BLOCKED, PromiseStatus.BLOCKED)
