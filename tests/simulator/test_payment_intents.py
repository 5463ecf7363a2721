"""Payments and saved cards by the API alone, with Stripe's own names for test cards."""

import pytest
import stripe

BACK = "http://clinic.test/back"


def intend(sim, card="pm_card_visa", **facts):
    usual = {"amount": 3900, "currency": "usd", "payment_method": card, "confirm": True}
    return sim.stripe.v1.payment_intents.create(usual | {"return_url": BACK} | facts)


def saved(sim, card="pm_card_visa"):
    customer = sim.stripe.v1.customers.create({"email": "a@example.com"})
    method = sim.stripe.v1.payment_methods.attach(card, {"customer": customer.id})
    return customer.id, method.id


def test_an_intent_is_paid_at_once(sim):
    intent = intend(sim, metadata={"visit": "1"})

    assert (intent.status, intent.amount_received) == ("succeeded", 3900)
    charge = sim.stripe.v1.charges.retrieve(intent.latest_charge)
    assert (charge.payment_method_details.card.last4, charge.paid) == ("4242", True)


def test_an_intent_is_confirmed_later(sim):
    intents = sim.stripe.v1.payment_intents
    made = intents.create({"amount": 3900, "currency": "usd"})
    assert made.status == "requires_payment_method"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        intents.confirm(made.id, {"return_url": BACK})
    assert caught.value.code == "payment_intent_unexpected_state"

    paid = intents.confirm(made.id, {"payment_method": "pm_card_mastercard", "return_url": BACK})

    assert paid.status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError, match="status of succeeded"):
        intents.cancel(made.id)


def test_a_decline_is_a_402_that_keeps_what_was_tried(sim):
    with pytest.raises(stripe.CardError) as caught:
        intend(sim, "pm_card_visa_chargeDeclined")

    error = caught.value
    assert (error.code, error.error.decline_code) == ("card_declined", "generic_decline")
    kept = sim.stripe.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert kept.status == "requires_payment_method"
    assert sim.stripe.v1.charges.retrieve(error.error.charge).status == "failed"


def test_a_decline_is_replayed_under_its_key(sim):
    params = {"amount": 3900, "currency": "usd", "confirm": True, "return_url": BACK}
    params |= {"payment_method": "pm_card_visa_chargeDeclined"}
    bodies = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            sim.stripe.v1.payment_intents.create(params, {"idempotency_key": "k"})
        bodies.append(caught.value.http_body)

    assert bodies[0] == bodies[1]
    assert len(sim.stripe.v1.payment_intents.list().data) == 1


def test_a_cancelled_intent_is_over(sim):
    intents = sim.stripe.v1.payment_intents
    made = intents.create({"amount": 3900, "currency": "usd"})

    ended = intents.cancel(made.id, {"cancellation_reason": "abandoned"})

    assert (ended.status, ended.cancellation_reason) == ("canceled", "abandoned")
    with pytest.raises(stripe.InvalidRequestError):
        intents.confirm(made.id, {"payment_method": "pm_card_visa", "return_url": BACK})


@pytest.mark.parametrize(
    ("card", "first", "later"),
    [
        ("pm_card_visa", "succeeded", "succeeded"),
        ("pm_card_authenticationRequired", "requires_action", "authentication_required"),
        ("pm_card_authenticationRequiredOnSetup", "requires_action", "authentication_required"),
    ],
)
def test_a_card_that_was_only_attached_acts_with_and_without_its_holder(sim, card, first, later):
    customer, method = saved(sim, card)
    facts = {"customer": customer}

    assert intend(sim, method, **facts).status == first
    if later == "succeeded":
        assert intend(sim, method, off_session=True, **facts).status == later
    else:
        with pytest.raises(stripe.CardError) as caught:
            intend(sim, method, off_session=True, **facts)
        assert caught.value.error.decline_code == later


def test_a_card_that_fails_once_saved_fails_with_its_holder_too(sim):
    customer, method = saved(sim, "pm_card_chargeCustomerFail")

    for away in ({}, {"off_session": True}):
        with pytest.raises(stripe.CardError) as caught:
            intend(sim, method, customer=customer, **away)
        assert caught.value.error.decline_code == "generic_decline"


def test_a_card_set_up_at_checkout_asks_no_more(sim):
    customer, method = sim.with_saved_card("4000002500003155")

    assert intend(sim, method, customer=customer, off_session=True).status == "succeeded"


def test_a_card_that_always_asks_cannot_be_charged_alone(sim):
    customer, method = sim.with_saved_card("4000002760003184")

    with pytest.raises(stripe.CardError) as caught:
        intend(sim, method, customer=customer, off_session=True)
    assert caught.value.code == "authentication_required"


def test_an_intent_saves_its_card(sim):
    customer = sim.stripe.v1.customers.create({}).id

    intent = intend(sim, customer=customer, setup_future_usage="off_session")

    found = sim.stripe.v1.customers.payment_methods.list(customer).data
    assert [method.id for method in found] == [intent.payment_method]


def test_a_card_is_saved_without_a_payment(sim):
    customer = sim.stripe.v1.customers.create({}).id
    facts = {"customer": customer, "payment_method": "pm_card_visa", "confirm": True}

    intent = sim.stripe.v1.setup_intents.create(facts)

    assert intent.status == "succeeded"
    assert sim.stripe.v1.payment_methods.retrieve(intent.payment_method).customer == customer
    with pytest.raises(stripe.CardError) as caught:
        sim.stripe.v1.setup_intents.create(
            facts | {"payment_method": "pm_card_visa_chargeDeclined"}
        )
    assert caught.value.error.setup_intent.status == "requires_payment_method"
    asked = facts | {"payment_method": "pm_card_authenticationRequired"}
    assert sim.stripe.v1.setup_intents.create(asked).status == "requires_action"


def test_a_card_is_attached_once_and_detached(sim):
    customer, method = saved(sim)
    methods = sim.stripe.v1.payment_methods

    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        methods.attach(method, {"customer": customer})
    assert methods.detach(method).customer is None
    assert methods.list({"customer": customer}).data == []
    types = [e.type for e in sim.stripe.v1.events.list({"type": "payment_method.*"}).data]
    assert types == ["payment_method.detached", "payment_method.attached"]


def test_a_customer_has_a_default_card_and_can_be_deleted(sim):
    customer, method = saved(sim)
    settings = {"invoice_settings": {"default_payment_method": method}}

    changed = sim.stripe.v1.customers.update(customer, settings)
    assert changed.invoice_settings.default_payment_method == method
    facts = {"customer": customer, "items": [{"price": sim.plan()}]}
    subscription = sim.stripe.v1.subscriptions.create(facts)
    gone = sim.stripe.v1.customers.delete(customer)

    assert (gone.deleted, subscription.status) == (True, "active")
    assert sim.stripe.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        sim.stripe.v1.customers.retrieve(customer)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported"),
        ({"amount": 49}, "amount_too_small"),
        ({"customer": "cus_none"}, "resource_missing"),
        ({"card": "pm_none"}, "resource_missing"),
    ],
)
def test_what_stripe_would_refuse_is_refused(sim, wrong, code):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        intend(sim, **wrong)

    assert caught.value.code == code
    assert sim.stripe.v1.payment_intents.list().data == []
