"""Asked too often, it refuses as Stripe does; and only when it was told to."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import stripe

from booking_service.simulator.errors import StripeError
from booking_service.simulator.limits import Limits, Rates
from booking_service.simulator.shapes import Kind, Operation, Shape

READ = Operation("get", "/v1/charges/{charge}", "", Shape(Kind.ANY))
LIST = Operation("get", "/v1/charges", "", Shape(Kind.ANY))
SEARCH = Operation("get", "/v1/charges/search", "", Shape(Kind.ANY))
UPDATE = Operation("post", "/v1/payment_intents/{intent}", "", Shape(Kind.ANY))
REASON = "Stripe-Rate-Limited-Reason"


@dataclass
class Watch:
    """A monotonic clock that goes when it is told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def reason(limits, rates, operation, id_="x"):
    """Return why a request is refused; empty when it is let through."""
    try:
        limits.admit(rates, operation, id_)
    except StripeError as refusal:
        return refusal.headers[REASON]
    return ""


def refused(ask, at_most=60):
    """Ask until it is too much: a machine that dawdles gets there all the same."""
    for _ in range(at_most):
        try:
            ask()
        except stripe.RateLimitError as error:
            return error
    raise AssertionError("it was never too much")


def test_an_endpoint_is_full_before_the_account_is():
    limits, rates = Limits(Watch()), Rates(5, 3)

    reads = [reason(limits, rates, READ) for _ in range(4)]
    lists = [reason(limits, rates, LIST) for _ in range(3)]

    assert reads == ["", "", "", "endpoint-rate"]
    assert lists == ["", "", "global-rate"]


def test_time_gives_back_what_was_used_and_no_more():
    watch = Watch()
    limits, rates = Limits(watch), Rates(100, 4)
    assert [reason(limits, rates, READ) for _ in range(5)].count("") == 4

    watch.now += 0.5
    after_half = [reason(limits, rates, READ) for _ in range(5)].count("")
    watch.now += 3600
    after_hour = [reason(limits, rates, READ) for _ in range(9)].count("")

    assert (after_half, after_hour) == (2, 4)


def test_a_search_has_a_limit_of_its_own():
    limits = Limits(Watch())

    assert [reason(limits, Rates(100, 25), SEARCH) for _ in range(22)].count("") == 20


def test_one_intent_is_changed_a_thousand_times_an_hour_and_another_is_not_held_up():
    watch = Watch()
    limits, rates = Limits(watch), Rates(1e9, 1e9)

    first = [reason(limits, rates, UPDATE, "pi_1") for _ in range(1001)]
    assert (first.count(""), first[-1]) == (1000, "resource-specific")
    assert reason(limits, rates, UPDATE, "pi_2") == ""
    watch.now += 36
    assert [reason(limits, rates, UPDATE, "pi_1") for _ in range(11)].count("") == 10


def test_threads_together_get_no_more_than_one_alone():
    limits, rates = Limits(Watch()), Rates(50, 1000)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: reason(limits, rates, LIST), range(400)))

    assert (answers.count(""), answers.count("global-rate")) == (50, 350)


def test_the_sdk_is_told_and_does_not_ask_again_by_itself(sim):
    assert sim.post("/_sim/settings", rate_limit={"account": 9, "endpoint": 1}).status_code == 200

    error = refused(sim.client(retries=3).v1.charges.list)

    assert (error.http_status, error.error.code) == (429, "rate_limit")
    assert (error.error.type, error.headers[REASON]) == ("invalid_request_error", "endpoint-rate")
    assert error.user_message.startswith("Request rate limit exceeded. Learn more about rate limit")
    assert [e["status"] for e in sim.get("/_sim/log")].count(429) == 1


def test_a_refused_payment_is_not_made_and_its_key_stays_free(sim):
    params = {"amount": 3900, "currency": "usd"}
    sim.post("/_sim/settings", rate_limit={"account": 1, "endpoint": 25})
    made, keys = [], iter(range(100))

    def ask():
        key = f"k{next(keys)}"
        made.append(key)
        sim.stripe.v1.payment_intents.create(params, {"idempotency_key": key})

    error = refused(ask)
    sim.post("/_sim/settings", rate_limit=None)

    assert error.headers[REASON] == "global-rate"
    assert len(sim.stripe.v1.payment_intents.list({"limit": 100}).data) == len(made) - 1
    again = sim.stripe.v1.payment_intents.create(params, {"idempotency_key": made[-1]})
    assert "Idempotent-Replayed" not in again.last_response.headers


def test_moving_the_clock_gives_nothing_back(sim):
    sim.post("/_sim/settings", rate_limit={"account": 1, "endpoint": 1})
    read = sim.stripe.v1.balance.retrieve

    def ask():
        sim.advance(3600)
        read()

    assert refused(ask).headers[REASON] == "global-rate"


def test_the_figures_of_stripe_have_names_and_nonsense_is_refused(sim):
    def settled(wanted):
        answer = sim.post("/_sim/settings", rate_limit=wanted)
        return answer.json()["rate_limit"] if answer.status_code == 200 else answer.status_code

    assert settled("live") == {"account": 100, "endpoint": 25}
    assert settled("sandbox") == {"account": 25, "endpoint": 25}
    assert settled({"account": 7, "endpoint": 2}) == {"account": 7, "endpoint": 2}
    assert [settled(w) for w in ("fast", 3, {"account": 1}, {"account": 0, "endpoint": 1})] == [
        400
    ] * 4
    assert settled(None) is None


def test_nobody_is_refused_unless_it_was_switched_on(sim):
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: sim.raw("GET", "/v1/charges").status_code, range(200))

    assert set(answers) == {200}


def test_the_fault_names_a_limit_as_well(sim):
    sim.fault(method="GET", path="/v1/charges", kind="rate_limit")

    with pytest.raises(stripe.RateLimitError) as caught:
        sim.stripe.v1.charges.list()

    assert caught.value.headers[REASON] == "global-rate"
