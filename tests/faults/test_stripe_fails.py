"""Each way Stripe can fail, at the first payment and again at the refund."""

import pytest

from tests.factories import converted
from tests.faults.endings import assert_kept, person

MONEY_MOVES = ("/v1/subscriptions", "/v1/refunds")
TIMES_OUT = {"seconds": 3}


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("drop_before", {}),
        ("drop_after", {}),
        ("delay_after", TIMES_OUT),
        ("error_500_before", {}),
        ("error_500_after", {}),
    ],
)
def test_the_promise_is_kept_when_stripe(service, stripe, letters, kind, more):
    faults = [stripe.fault(kind, path, **more) for path in MONEY_MOVES]

    visit = converted(stripe)

    now = assert_kept(stripe, [visit], letters)
    assert now["exceptions"] == []
    assert [fault["fired"] for fault in stripe.faults()] == [1] * len(faults)


def test_two_promises_are_kept_when_stripe_is_too_busy_for_either(service, stripe, letters):
    for path in MONEY_MOVES:
        stripe.fault("rate_limit", path)
        stripe.fault("conflict", path)
    visits = [converted(stripe, **person(number)) for number in range(2)]

    now = assert_kept(stripe, visits, letters)

    assert now["exceptions"] == []
    assert [fault["fired"] for fault in stripe.faults()] == [1] * 4


def test_a_key_stripe_does_not_accept_calls_a_person_until_it_is_accepted_again(
    service, stripe, letters
):
    for path in MONEY_MOVES:
        stripe.fault("unauthorized", path)

    visit = converted(stripe)

    now = assert_kept(stripe, [visit], letters)
    assert {(case["type"], case["status"]) for case in now["exceptions"]} == {
        ("stripe_locked_out", "resolved")
    }
