"""Subscriptions as time passes."""

import pytest
import stripe

from tests.simulator.harness import eventually

DAY = 86_400
MONTH = 32 * DAY


def subscribe(sim, card="4242424242424242", **facts):
    customer, method = sim.with_saved_card(card)
    usual = {"customer": customer, "items": [{"price": sim.plan()}]}
    return sim.stripe.v1.subscriptions.create(usual | {"default_payment_method": method} | facts)


def get(sim, subscription):
    return sim.stripe.v1.subscriptions.retrieve(subscription.id)


def invoices(sim, subscription):
    found = sim.stripe.v1.invoices.list({"subscription": subscription.id}).data
    return [(i.billing_reason, i.status, i.total) for i in reversed(found)]


def told(sim, *types):
    found = sim.stripe.v1.events.list({"types": list(types), "limit": 100}).data
    return [event.type for event in reversed(found)]


def break_card(sim, subscription):
    """Let the next attempts at a subscription fail."""
    customer = subscription.customer
    made = sim.stripe.v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", {"customer": customer}
    )
    sim.stripe.v1.subscriptions.update(subscription.id, {"default_payment_method": made.id})


def test_a_subscription_renews_every_month(sim):
    made = subscribe(sim)
    end = made.items.data[0].current_period_end

    sim.advance(end - made.created + 60)
    drafted = sim.stripe.v1.invoices.list({"subscription": made.id}).data[0]
    assert (drafted.status, drafted.billing_reason) == ("draft", "subscription_cycle")
    sim.advance(3601)

    assert invoices(sim, made)[1:] == [("subscription_cycle", "paid", 9900)]
    item = get(sim, made).items.data[0]
    assert item.current_period_start == end
    sim.advance(2 * MONTH)
    assert [status for _, status, _ in invoices(sim, made)] == ["paid"] * 4


def test_a_renewal_that_fails_is_tried_again_and_then_ends(sim):
    made = subscribe(sim)
    break_card(sim, made)
    end = made.items.data[0].current_period_end

    sim.advance(end - made.created + 3700)
    assert get(sim, made).status == "past_due"
    invoice = sim.stripe.v1.invoices.retrieve(get(sim, made).latest_invoice)
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    assert invoice.next_payment_attempt == end + 3600 + 3 * DAY
    sim.advance(15 * DAY)

    ended = get(sim, made)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert told(sim, "invoice.payment_failed") == ["invoice.payment_failed"] * 4
    assert told(sim, "charge.failed") == ["charge.failed"] * 4


def test_a_past_due_subscription_is_put_right_by_paying(sim):
    made = subscribe(sim)
    break_card(sim, made)
    sim.advance(made.items.data[0].current_period_end - made.created + 3700)
    late = get(sim, made)

    planned = sim.stripe.v1.invoices.retrieve(late.latest_invoice).next_payment_attempt

    with pytest.raises(stripe.CardError):
        sim.stripe.v1.invoices.pay(late.latest_invoice, {"off_session": True})
    tried = sim.stripe.v1.invoices.retrieve(late.latest_invoice)
    assert (tried.attempt_count, tried.next_payment_attempt) == (1, planned)
    paid = sim.stripe.v1.invoices.pay(late.latest_invoice, {"payment_method": "pm_card_visa"})

    assert (paid.status, paid.attempt_count) == ("paid", 1)
    assert get(sim, made).status == "active"
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        sim.stripe.v1.invoices.pay(late.latest_invoice)


def test_a_declined_start_is_incomplete_and_lapses_after_23_hours(sim):
    made = subscribe(sim, "4000000000000341", off_session=True)
    assert made.status == "incomplete"
    assert invoices(sim, made) == [("subscription_create", "open", 9900)]

    sim.advance(23 * 3600 - 60)
    assert get(sim, made).status == "incomplete"
    sim.advance(61)

    assert get(sim, made).status == "incomplete_expired"
    assert invoices(sim, made) == [("subscription_create", "void", 9900)]
    listed = sim.stripe.v1.subscriptions.list({"status": "ended"}).data
    assert [one.id for one in listed] == [made.id]


def test_default_incomplete_waits_for_its_intent(sim):
    made = subscribe(sim, payment_behavior="default_incomplete")
    expand = ["confirmation_secret", "payments"]
    invoice = sim.stripe.v1.invoices.retrieve(made.latest_invoice, {"expand": expand})
    intent = invoice.payments.data[0].payment.payment_intent
    assert made.status == "incomplete"
    assert invoice.confirmation_secret.client_secret.startswith(intent)

    confirmed = sim.stripe.v1.payment_intents.confirm(intent)

    assert confirmed.status == "succeeded"
    assert get(sim, made).status == "active"
    assert invoices(sim, made) == [("subscription_create", "paid", 9900)]
    sim.advance(DAY)
    assert get(sim, made).status == "active"


def test_an_end_can_be_told_and_comes(sim):
    made = subscribe(sim)
    update = sim.stripe.v1.subscriptions.update

    ending = update(made.id, {"cancel_at_period_end": True})
    assert (ending.status, ending.cancellation_details.reason) == (
        "active",
        "cancellation_requested",
    )
    sim.advance(MONTH)

    ended = get(sim, made)
    assert (ended.status, ended.ended_at) == ("canceled", ending.cancel_at)
    assert len(invoices(sim, made)) == 1


def test_an_end_can_be_on_a_day(sim):
    made = subscribe(sim)
    at = made.created + 5 * DAY

    sim.stripe.v1.subscriptions.update(made.id, {"cancel_at": at})
    sim.advance(4 * DAY)
    assert get(sim, made).status == "active"
    sim.advance(DAY + 60)

    assert (get(sim, made).status, get(sim, made).ended_at) == ("canceled", at)


def test_a_trial_costs_nothing_until_it_ends(sim):
    made = subscribe(sim, trial_period_days=14)
    assert (made.status, made.trial_end) == ("trialing", made.created + 14 * DAY)
    assert invoices(sim, made) == [("subscription_create", "paid", 0)]

    sim.advance(11 * DAY + 60)
    assert told(sim, "customer.subscription.trial_will_end") != []
    sim.advance(3 * DAY + 3700)

    assert get(sim, made).status == "active"
    assert invoices(sim, made)[1:] == [("subscription_cycle", "paid", 9900)]


def test_a_trial_can_be_ended_now(sim):
    made = subscribe(sim, trial_period_days=14)

    sim.stripe.v1.subscriptions.update(made.id, {"trial_end": "now"})
    sim.advance(3700)

    assert get(sim, made).status == "active"
    assert invoices(sim, made)[1:] == [("subscription_cycle", "paid", 9900)]


def test_periods_are_counted_from_the_anchor(sim):
    now = int(sim.get("/_sim/clock")["now"])

    made = subscribe(sim, billing_cycle_anchor=now + 10 * DAY, proration_behavior="none")

    assert made.items.data[0].current_period_end == now + 10 * DAY
    assert invoices(sim, made) == [("subscription_create", "paid", 0)]
    sim.advance(10 * DAY + 3700)
    assert invoices(sim, made)[1:] == [("subscription_cycle", "paid", 9900)]
    with pytest.raises(stripe.APIError, match="proration_behavior"):
        subscribe(sim, billing_cycle_anchor=now + 50 * DAY)


def test_a_test_clock_moves_its_customers_alone(sim):
    v1 = sim.stripe.v1
    start = 1_900_000_000
    clock = v1.test_helpers.test_clocks.create({"frozen_time": start, "name": "renewals"})
    facts = {"test_clock": clock.id, "payment_method": "pm_card_visa"}
    customer = v1.customers.create(facts)
    method = v1.customers.payment_methods.list(customer.id).data[0].id
    facts = {"customer": customer.id, "items": [{"price": sim.plan()}]}
    made = v1.subscriptions.create(facts | {"default_payment_method": method})
    other = subscribe(sim)
    assert (made.created, made.test_clock) == (start, clock.id)

    moved = v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": start + MONTH})

    assert moved.status == "advancing"
    retrieve = v1.test_helpers.test_clocks.retrieve
    ready = eventually(lambda: (found := retrieve(clock.id)).status == "ready" and found)
    assert ready.frozen_time == start + MONTH
    assert [status for _, status, _ in invoices(sim, made)] == ["paid", "paid"]
    assert len(invoices(sim, other)) == 1
    with pytest.raises(stripe.InvalidRequestError):
        v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": start})
    assert v1.test_helpers.test_clocks.delete(clock.id).deleted
    assert get(sim, made).status == "canceled"
    assert v1.customers.list({"test_clock": clock.id}).data == []
