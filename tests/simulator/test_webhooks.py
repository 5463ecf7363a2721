import json
from threading import Event
from threading import enumerate as enumerate_threads
from time import time

import pytest
import requests
import stripe

from booking_service.simulator.serving import running
from tests.simulator.harness import SECRET, Sim, eventually


def completed(endpoint) -> list[dict]:
    return [e for e in endpoint.events() if e["type"] == "checkout.session.completed"]


def undelivered(sim) -> list[str]:
    found = sim.stripe.v1.events.list({"delivery_success": False, "limit": 100}).data
    return [event.type for event in found]


def test_a_payment_is_told_with_a_signature_the_sdk_accepts(hooked, endpoint):
    session = hooked.paid()

    eventually(lambda: completed(endpoint))
    for body, header in endpoint.received:
        event = hooked.stripe.construct_event(body, header, SECRET)
        assert event.api_version == "2026-10-28.endive"
        assert event.livemode is False
    event = completed(endpoint)[0]
    assert event["data"]["object"]["id"] == session.id
    assert event["data"]["object"]["payment_intent"] == session.payment_intent
    eventually(lambda: not undelivered(hooked))
    assert sorted(endpoint.types()) == [
        "charge.succeeded",
        "checkout.session.completed",
        "payment_intent.created",
        "payment_intent.succeeded",
        "product.created",
    ]


def test_who_moves_the_clock_may_wait_until_what_is_due_was_sent(hooked, endpoint):
    hooked.paid()

    hooked.post("/_sim/clock", advance=60, settle=8)

    assert len(completed(endpoint)) == 1
    assert {delivery["attempts"] for delivery in hooked.get("/_sim/deliveries")} == {1}


def test_an_event_names_the_request_that_caused_it(hooked, endpoint):
    session = hooked.paid()
    params = {"payment_intent": session.payment_intent}

    made = hooked.stripe.v1.refunds.create(params, {"idempotency_key": "refund:1"})

    found = eventually(lambda: [e for e in endpoint.events() if e["type"] == "refund.created"])
    request_id = made.last_response.headers["Request-Id"]
    assert found[0]["request"] == {"id": request_id, "idempotency_key": "refund:1"}
    eventually(lambda: completed(endpoint))
    assert completed(endpoint)[0]["request"] == {"id": None, "idempotency_key": None}


def test_a_wrong_secret_or_a_changed_body_is_refused(hooked, endpoint):
    hooked.paid()
    body, header = eventually(lambda: endpoint.received)[0]

    for changed, secret in ((body, "whsec_other"), (body + b" ", SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            hooked.stripe.construct_event(changed, header, secret)


def test_while_a_secret_is_rotated_both_sign(hooked, endpoint):
    hooked.post("/_sim/settings", webhook_secrets=["whsec_new", SECRET])
    hooked.paid()

    body, header = eventually(lambda: endpoint.received)[0]

    assert header.count("v1=") == 2
    for secret in ("whsec_new", SECRET):
        hooked.stripe.construct_event(body, header, secret)


def test_what_is_not_answered_with_2xx_comes_again_later(hooked, endpoint):
    endpoint.answers = [500, 302, 404, 400, 500]  # every first attempt of five events
    hooked.paid()
    eventually(lambda: len(endpoint.received) == 5)
    eventually(lambda: all(d["attempts"] for d in hooked.get("/_sim/deliveries")))
    assert len(undelivered(hooked)) == 5

    hooked.advance(2.1)

    eventually(lambda: not undelivered(hooked))
    assert len(endpoint.received) == 10
    ids = [event["id"] for event in endpoint.events()]
    assert sorted(ids[:5]) == sorted(ids[5:])
    first, second = (
        next(header for body, header in some if json.loads(body)["id"] == ids[0])
        for some in (endpoint.received[:5], endpoint.received[5:])
    )
    assert first.split(",")[0] != second.split(",")[0]


def test_the_waits_grow_and_end_after_three_days(hooked, endpoint):
    endpoint.answers = [500] * 1000
    hooked.stripe.v1.customers.create({})
    waits = []

    def waiting() -> list[dict]:
        return [d for d in hooked.get("/_sim/deliveries") if not d["is_done"]]

    for attempt in range(1, 40):
        eventually(lambda n=attempt: hooked.get("/_sim/deliveries")[0]["attempts"] == n)
        if not waiting():
            break
        wait = waiting()[0]["due"] - hooked.get("/_sim/clock")["now"]
        waits.append(round(wait))
        hooked.advance(wait + 0.1)

    assert waits[:4] == [2, 10, 60, 300]
    assert waits == sorted(waits)
    assert 3 * 86_400 <= sum(waits) <= 3 * 86_400 + 43_200
    assert undelivered(hooked) == ["customer.created"]


def test_an_event_that_was_lost_can_be_sent_again(hooked, endpoint):
    hooked.fault(event="checkout.session.completed", kind="lose")
    hooked.paid()
    eventually(lambda: undelivered(hooked) == ["checkout.session.completed"])
    assert completed(endpoint) == []

    event = hooked.stripe.v1.events.list({"type": "checkout.session.completed"}).data[0]
    assert hooked.post(f"/_sim/events/{event.id}/resend").status_code == 202

    eventually(lambda: completed(endpoint))
    eventually(lambda: not undelivered(hooked))


def test_a_dropped_attempt_is_made_up_for(hooked, endpoint):
    hooked.fault(event="checkout.session.completed", kind="drop")
    hooked.paid()
    eventually(lambda: undelivered(hooked) == ["checkout.session.completed"])

    hooked.advance(2.1)

    eventually(lambda: len(completed(endpoint)) == 1)


def test_a_duplicate_has_the_same_id_and_a_twin_another(hooked, endpoint):
    hooked.fault(event="checkout.session.completed", kind="duplicate", copies=3)
    hooked.fault(event="charge.succeeded", kind="twin")
    hooked.paid()

    eventually(lambda: len(completed(endpoint)) == 3)
    assert len({event["id"] for event in completed(endpoint)}) == 1

    def charges() -> list[dict]:
        return [e for e in endpoint.events() if e["type"] == "charge.succeeded"]

    eventually(lambda: len(charges()) == 2)
    assert len({event["id"] for event in charges()}) == 2
    assert len({event["data"]["object"]["id"] for event in charges()}) == 1


def test_a_delayed_event_comes_by_the_simulators_clock(hooked, endpoint):
    hooked.fault(event="checkout.session.completed", kind="delay", seconds=300)
    hooked.paid()
    eventually(lambda: undelivered(hooked) == ["checkout.session.completed"])
    assert completed(endpoint) == []

    hooked.advance(301)

    eventually(lambda: completed(endpoint))


@pytest.mark.parametrize("kind", ["bad_signature", "old_timestamp"])
def test_a_forged_or_stale_attempt_is_recognised(hooked, endpoint, kind):
    hooked.fault(event="customer.created", kind=kind)
    hooked.stripe.v1.customers.create({})
    body, header = eventually(lambda: endpoint.received)[0]

    with pytest.raises(stripe.SignatureVerificationError):
        hooked.stripe.construct_event(body, header, SECRET)


def test_a_dead_endpoint_holds_up_no_answer(hooked):
    hooked.post("/_sim/settings", webhook_url="http://127.0.0.1:9/nobody")
    started = time()

    hooked.paid()

    assert time() - started < 3
    assert "checkout.session.completed" in undelivered(hooked)


def test_stopping_waits_for_no_endpoint(endpoint):
    """An attempt that is answered after the end is written down nowhere, and harms nothing."""
    arrived, answer = Event(), Event()
    endpoint.before_answer = lambda: (arrived.set(), answer.wait(10))

    with running(webhook_url=endpoint.url, webhook_secrets=(SECRET,)) as base:
        Sim(base).stripe.v1.customers.create({})
        assert arrived.wait(10)
        started = time()
    took = time() - started
    answer.set()
    eventually(lambda: not [t for t in enumerate_threads() if t.name == "delivery"])

    assert took < 5


def test_events_are_found_by_type(hooked):
    session = hooked.paid()
    hooked.stripe.v1.refunds.create({"payment_intent": session.payment_intent})
    listed = hooked.stripe.v1.events.list

    assert [e.type for e in listed({"type": "refund.created"}).data] == ["refund.created"]
    assert [e.type for e in listed({"types": ["refund.*", "charge.succeeded"]}).data] == [
        "refund.created",
        "charge.succeeded",
    ]
    refunded = listed({"type": "charge.refunded"}).data[0]
    assert refunded.data.previous_attributes.to_dict() == {"amount_refunded": 0, "refunded": False}


def test_no_event_is_sent_where_nobody_listens(sim):
    sim.paid()

    assert sim.get("/_sim/deliveries") == []
    assert sim.stripe.v1.events.list({"delivery_success": False}).data == []
    answer = requests.post(f"{sim.base}/_sim/events/evt_none/resend", timeout=5)
    assert answer.status_code == 404
