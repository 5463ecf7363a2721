import pytest
import stripe

from tests.simulator.harness import eventually, listening


def add(sim, url, *events):
    facts = {"url": url, "enabled_events": list(events or ["*"])}
    return sim.stripe.v1.webhook_endpoints.create(facts)


@pytest.fixture
def second():
    with listening() as made:
        yield made


def test_every_endpoint_hears_what_it_chose_with_its_own_secret(sim, endpoint, second):
    all_ = add(sim, endpoint.url)
    some = add(sim, second.url, "refund.created")

    sim.stripe.v1.refunds.create({"payment_intent": sim.paid().payment_intent})

    eventually(lambda: "refund.created" in endpoint.types() and second.received)
    assert second.types() == ["refund.created"]
    body, header = second.received[0]
    assert sim.stripe.construct_event(body, header, some.secret).type == "refund.created"
    with pytest.raises(stripe.SignatureVerificationError):
        sim.stripe.construct_event(body, header, all_.secret)


def test_an_event_waits_for_each_endpoint(sim, endpoint, second):
    second.answers = [500]
    add(sim, endpoint.url)
    add(sim, second.url)
    sim.stripe.v1.customers.create({})

    eventually(lambda: endpoint.received and second.received)

    def pending():
        return sim.stripe.v1.events.list().data[0].pending_webhooks

    eventually(lambda: pending() == 1)
    sim.advance(3)
    eventually(lambda: pending() == 0)
    assert len(endpoint.received) == 1


def test_a_secret_is_told_once(sim, endpoint):
    made = add(sim, endpoint.url)

    assert made.secret.startswith("whsec_")
    assert "secret" not in sim.stripe.v1.webhook_endpoints.retrieve(made.id).to_dict()
    assert [one.id for one in sim.stripe.v1.webhook_endpoints.list().data] == [made.id]


def test_an_endpoint_is_changed_disabled_and_deleted(sim, endpoint):
    made, endpoints = add(sim, endpoint.url), sim.stripe.v1.webhook_endpoints

    changed = endpoints.update(made.id, {"enabled_events": ["charge.failed"], "disabled": True})
    assert (changed.status, changed.enabled_events) == ("disabled", ["charge.failed"])
    sim.paid()
    assert endpoints.delete(made.id).deleted
    sim.paid()

    assert sim.get("/_sim/deliveries") == []
    assert endpoints.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        add(sim, "ftp://nowhere")


def test_disorder_duplicates_and_reorders_but_loses_nothing(hooked, endpoint):
    hooked.post("/_sim/settings", webhook_disorder=7)
    for _ in range(6):
        hooked.paid()
    listed = hooked.stripe.v1.events.list
    eventually(lambda: not listed({"delivery_success": False}).data)

    def owed():
        return [one for one in hooked.get("/_sim/deliveries") if not one["is_done"]]

    eventually(lambda: not owed())
    made = [e.id for e in listed({"limit": 100}).data][::-1]
    came = [event["id"] for event in endpoint.events()]
    first = list(dict.fromkeys(came))
    assert set(came) == set(made)
    assert len(came) > len(made)
    assert first != made


def test_the_same_seed_makes_the_same_disorder(hooked):
    def plan(seed):
        hooked.post("/_sim/reset")
        hooked.post("/_sim/settings", webhook_disorder=seed, webhook_url="http://127.0.0.1:9/x")
        for _ in range(5):
            hooked.stripe.v1.customers.create({})
        events = [e.id for e in hooked.stripe.v1.events.list().data][::-1]
        deliveries = hooked.get("/_sim/deliveries")
        return [sum(one["event"] == id_ for one in deliveries) for id_ in events]

    first = plan(3)

    assert plan(3) == first
    assert len({tuple(plan(seed)) for seed in range(8)}) > 1
    hooked.post("/_sim/settings", webhook_disorder=None)
    assert plan(None) == [1] * 5
