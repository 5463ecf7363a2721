from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.simulator.harness import eventually

KEY = {"idempotency_key": "refund:b1:1"}


def raw_refund(sim, key="k", **params):
    return sim.raw("POST", "/v1/refunds", params, **{"Idempotency-Key": key})


def test_the_same_key_repeats_the_first_answer(sim):
    params = {"payment_intent": sim.paid().payment_intent}

    first = sim.stripe.v1.refunds.create(params, KEY)
    again = sim.stripe.v1.refunds.create(params, KEY)

    assert again.id == first.id
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(sim.stripe.v1.refunds.list().data) == 1


def test_a_refusal_after_work_began_is_repeated_too(sim):
    params = {"payment_intent": sim.paid().payment_intent, "amount": 5000}

    first, again = raw_refund(sim, **params), raw_refund(sim, **params)

    assert (first.status_code, again.status_code) == (400, 400)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()


def test_the_same_key_with_other_parameters_is_refused(sim):
    intent = sim.paid().payment_intent
    sim.stripe.v1.refunds.create({"payment_intent": intent, "amount": 1}, KEY)

    with pytest.raises(stripe.IdempotencyError) as caught:
        sim.stripe.v1.refunds.create({"payment_intent": intent, "amount": 2}, KEY)

    assert caught.value.http_status == 400
    assert [r.amount for r in sim.stripe.v1.refunds.list().data] == [1]


def test_a_key_belongs_to_one_path(sim):
    sim.stripe.v1.customers.create({}, KEY)

    with pytest.raises(stripe.IdempotencyError):
        sim.stripe.v1.refunds.create({"payment_intent": "pi_1"}, KEY)


def test_a_validation_failure_is_not_remembered(sim):
    intent = sim.paid().payment_intent

    assert raw_refund(sim, payment_intent=intent, amount="much").status_code == 400
    assert raw_refund(sim, payment_intent=intent).status_code == 200


def test_a_saved_500_is_repeated(sim):
    sim.fault(method="POST", path="/v1/refunds", kind="error_500_before")
    intent = sim.paid().payment_intent

    first, again = (raw_refund(sim, payment_intent=intent) for _ in range(2))

    assert (first.status_code, again.status_code) == (500, 500)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert sim.stripe.v1.refunds.list().data == []
    assert raw_refund(sim, key="other", payment_intent=intent).status_code == 200


def test_a_key_is_forgotten_after_a_day(sim):
    params = {"payment_intent": sim.paid().payment_intent, "amount": 100}
    first = sim.stripe.v1.refunds.create(params, KEY)

    sim.advance(86_390)
    assert sim.stripe.v1.refunds.create(params, KEY).id == first.id
    sim.advance(20)

    assert sim.stripe.v1.refunds.create(params, KEY).id != first.id


def test_one_key_many_callers_one_refund(sim):
    params = {"payment_intent": sim.paid().payment_intent, "amount": 100}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: raw_refund(sim, **params), range(24)))

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 200}) == 1
    assert len(sim.stripe.v1.refunds.list().data) == 1


def test_a_key_in_use_is_409_and_not_remembered(sim):
    sim.fault(method="POST", path="/v1/refunds", kind="conflict")
    intent = sim.paid().payment_intent

    refused, done = (raw_refund(sim, payment_intent=intent) for _ in range(2))

    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert done.status_code == 200


def test_a_key_is_in_use_while_its_request_is_performed(sim):
    """The second caller comes while the first is blocked inside; it waits for nobody."""
    fault = sim.fault(method="POST", path="/v1/refunds", kind="hold_performing")
    params = {"payment_intent": sim.paid().payment_intent}

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(raw_refund, sim, **params)
        eventually(lambda: sim.get("/_sim/faults")[0]["blocked"] == 1)
        second = raw_refund(sim, **params)
        sim.post(f"/_sim/faults/{fault}/release")

        assert first.result().status_code == 200
    assert second.status_code == 409
    assert raw_refund(sim, **params).headers["Idempotent-Replayed"] == "true"


def test_a_key_that_is_too_long_is_refused(sim):
    assert raw_refund(sim, key="k" * 256, payment_intent="pi_1").status_code == 400
