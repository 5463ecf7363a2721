from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest
import requests
import stripe

from tests.simulator.harness import eventually


def ask(sim, **options):
    params = {"payment_intent": sim.intent}
    return sim.client(**options).v1.refunds.create(params, {"idempotency_key": "k"})


@pytest.fixture
def shop(sim):
    """A simulator with one payment to refund."""
    sim.intent = sim.paid().payment_intent
    return sim


def refunds(sim) -> int:
    return len(sim.stripe.v1.refunds.list().data)


def test_a_connection_dropped_before_leaves_nothing_behind(shop):
    shop.fault(method="POST", path="/v1/refunds", kind="drop_before")

    with pytest.raises(stripe.APIConnectionError):
        ask(shop)

    assert refunds(shop) == 0
    assert ask(shop).status == "succeeded"


def test_a_connection_dropped_after_leaves_the_refund_made(shop):
    shop.fault(method="POST", path="/v1/refunds", kind="drop_after")

    with pytest.raises(stripe.APIConnectionError):
        ask(shop)

    assert refunds(shop) == 1
    found = ask(shop)
    assert found.last_response.headers["Idempotent-Replayed"] == "true"
    assert refunds(shop) == 1


def test_the_sdks_own_retry_finds_what_was_performed(shop):
    shop.fault(method="POST", path="/v1/refunds", kind="drop_after")

    assert ask(shop, retries=2).status == "succeeded"
    assert refunds(shop) == 1


@pytest.mark.parametrize(("kind", "made"), [("error_500_before", 0), ("error_500_after", 1)])
def test_a_500_says_nothing_about_what_was_done(shop, kind, made):
    shop.fault(method="POST", path="/v1/refunds", kind=kind)

    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            ask(shop)
        assert caught.value.http_status == 500

    assert refunds(shop) == made


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("rate_limit", stripe.RateLimitError, 429),
        ("conflict", stripe.APIError, 409),
        ("unauthorized", stripe.AuthenticationError, 401),
    ],
)
def test_a_refusal_at_the_door_changes_nothing(shop, kind, error, status):
    fault = shop.fault(method="POST", path="/v1/refunds", kind=kind, times=2)

    for _ in range(2):
        with pytest.raises(error) as caught:
            ask(shop)
        assert caught.value.http_status == status

    assert ask(shop).status == "succeeded"
    state = shop.get("/_sim/faults")[0]
    assert (state["id"], state["fired"], state["times"]) == (fault, 2, 2)


def test_a_refusal_carries_the_headers_it_was_given(shop):
    headers = {"Stripe-Should-Retry": "true", "Retry-After": "1"}
    shop.fault(method="POST", path="/v1/refunds", kind="rate_limit", headers=headers)

    assert ask(shop, retries=1).status == "succeeded"
    assert [e["status"] for e in shop.get("/_sim/log") if e["path"] == "/v1/refunds"] == [429, 200]


@pytest.mark.parametrize(("kind", "made_meanwhile"), [("delay", 0), ("delay_after", 1)])
def test_a_late_answer_outlasts_the_callers_patience(shop, kind, made_meanwhile):
    shop.fault(method="POST", path="/v1/refunds", kind=kind, seconds=1.5)

    with pytest.raises(stripe.APIConnectionError):
        ask(shop, timeout=0.5)

    assert refunds(shop) == made_meanwhile
    eventually(lambda: refunds(shop) == 1)


def test_a_held_answer_waits_for_its_release(shop):
    fault = shop.fault(method="POST", path="/v1/refunds", kind="hold")

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, shop)
        eventually(lambda: shop.get("/_sim/faults")[0]["blocked"] == 1)
        assert refunds(shop) == 1
        assert not answer.done()
        assert ask(shop).last_response.headers["Idempotent-Replayed"] == "true"
        shop.post(f"/_sim/faults/{fault}/release")

        assert answer.result().status == "succeeded"
    assert shop.get("/_sim/faults")[0]["blocked"] == 0


def test_a_request_held_before_is_performed_when_released(shop):
    shop.fault(method="POST", path="/v1/refunds", kind="hold_before")

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, shop)
        eventually(lambda: shop.get("/_sim/faults")[0]["blocked"] == 1)
        assert refunds(shop) == 0
        requests.delete(f"{shop.base}/_sim/faults", timeout=5)

        assert answer.result().status == "succeeded"
    assert shop.get("/_sim/faults") == []


def test_a_fault_spoils_only_what_it_names(shop):
    shop.fault(method="GET", path="/v1/charges/*", kind="rate_limit", times=9)

    assert ask(shop).status == "succeeded"
    with pytest.raises(stripe.RateLimitError):
        shop.stripe.v1.charges.retrieve("ch_1")


def test_a_fault_that_makes_no_sense_is_refused(sim):
    for facts in (
        {"kind": "explode"},
        {"kind": "drop"},
        {"event": "*", "kind": "drop_after"},
        {"kind": "delay", "minutes": 1},
        {"kind": "delay", "seconds": "soon"},
        {"kind": "delay", "path": 1},
        {},
    ):
        assert sim.post("/_sim/faults", **facts).status_code == 400
    assert sim.get("/_sim/faults") == []
    assert sim.post("/_sim/faults/fault_9/release").status_code == 404


def test_many_requests_are_served_while_one_is_held(shop):
    shop.fault(method="POST", path="/v1/refunds", kind="hold")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask, shop)
        eventually(lambda: shop.get("/_sim/faults")[0]["blocked"] == 1)
        started = monotonic()
        for _ in range(20):
            shop.stripe.v1.charges.list()
        took = monotonic() - started
        requests.delete(f"{shop.base}/_sim/faults", timeout=5)

    assert took < 5
