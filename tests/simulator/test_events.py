"""Events are listed for 30 days of the simulator's clock, and then they are gone."""

import pytest
import stripe

from tests.simulator.harness import eventually

DAY = 86_400


def customer(sim) -> str:
    """Make a customer, and return the event that says so."""
    sim.stripe.v1.customers.create({"name": "A"})
    return sim.stripe.v1.events.list({"limit": 1}).data[0].id


def listed(sim) -> list[str]:
    return [event.id for event in sim.stripe.v1.events.list({"limit": 100}).data]


def test_an_event_is_listed_for_thirty_days_and_no_longer(sim):
    first = customer(sim)
    sim.advance(DAY)
    second = customer(sim)

    sim.advance(29 * DAY - 60)
    assert listed(sim) == [second, first]
    sim.advance(61)
    assert listed(sim) == [second]
    sim.advance(DAY)
    assert listed(sim) == []
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.events.retrieve(first)
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert sim.post(f"/_sim/events/{first}/resend").status_code == 404
    assert len(sim.stripe.v1.customers.list().data) == 2


def test_what_is_owed_of_an_old_event_goes_with_it(hooked, endpoint):
    endpoint.answers = [500] * 50
    owed = customer(hooked)
    eventually(lambda: [d["attempts"] for d in hooked.get("/_sim/deliveries")] != [0])

    hooked.advance(31 * DAY)

    assert owed not in listed(hooked)
    assert hooked.get("/_sim/deliveries") == []


def test_an_event_of_a_test_clock_ages_by_the_clock_of_the_simulator(sim):
    clocks, start = sim.stripe.v1.test_helpers.test_clocks, 1_600_000_000
    clock = clocks.create({"frozen_time": start}).id
    customer = sim.stripe.v1.customers.create({"test_clock": clock}).id
    card = sim.stripe.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    facts = {"customer": customer, "items": [{"price": sim.plan()}]}
    sim.stripe.v1.subscriptions.create(facts | {"default_payment_method": card})
    made = listed(sim)

    clocks.advance(clock, {"frozen_time": start + 40 * DAY})
    eventually(lambda: clocks.retrieve(clock).status == "ready")
    renewed = listed(sim)
    assert renewed[-len(made) :] == made
    assert len(renewed) > len(made)
    sim.advance(31 * DAY)
    assert set(renewed) & set(listed(sim)) == set()  # payouts have happened since


def test_a_twin_grows_old_as_well(hooked, endpoint):
    hooked.fault(event="customer.created", kind="twin")
    customer(hooked)
    eventually(lambda: len(endpoint.received) == 2)
    assert len(listed(hooked)) == 2

    hooked.advance(31 * DAY)

    assert listed(hooked) == []
