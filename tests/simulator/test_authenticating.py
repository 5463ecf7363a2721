"""A cardholder confirms a payment that the API began, or fails to."""

import pytest
import stripe

from tests.simulator.test_account_pages import buttons, page, press_on

ASKS = "pm_card_authenticationRequired"
FAILED = "payment_intent_authentication_failure"


@pytest.fixture
def waiting(sim):
    """A customer's intent that waits for its cardholder."""
    customer = sim.stripe.v1.customers.create({"email": "a@example.com"}).id
    facts = {"amount": 3900, "currency": "usd", "payment_method": ASKS, "customer": customer}
    facts |= {"confirm": True, "return_url": "http://clinic.test/back"}
    intent = sim.stripe.v1.payment_intents.create(facts)
    assert intent.status == "requires_action"
    return intent


def confirm(sim, intent_id, *, succeed):
    return sim.post(f"/_sim/payment_intents/{intent_id}/authenticate", succeed=succeed)


def told(sim, intent_id):
    events = sim.stripe.v1.events.list({"limit": 100}).data
    about = [e for e in events if intent_id in str(e.data.object.to_dict())]
    return [e.type for e in reversed(about)]


def test_a_confirmed_payment_is_charged(sim, waiting):
    answer = confirm(sim, waiting.id, succeed=True)

    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    intent = sim.stripe.v1.payment_intents.retrieve(waiting.id, {"expand": ["latest_charge"]})
    assert (intent.amount_received, intent.latest_charge.paid) == (3900, True)
    assert intent.next_action is None
    assert told(sim, waiting.id) == [
        "payment_intent.created",
        "payment_intent.requires_action",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


def test_a_failed_confirmation_charges_nothing_and_can_be_followed_by_another_card(sim, waiting):
    answer = confirm(sim, waiting.id, succeed=False)

    assert (answer.status_code, answer.json()["status"]) == (200, "requires_payment_method")
    intents = sim.stripe.v1.payment_intents
    error = intents.retrieve(waiting.id).last_payment_error
    assert (error.code, error.type) == (FAILED, "invalid_request_error")
    assert error.payment_method.card.last4 == "3184"
    assert sim.stripe.v1.charges.list().data == []
    assert told(sim, waiting.id)[-1] == "payment_intent.payment_failed"
    again = intents.confirm(
        waiting.id, {"payment_method": "pm_card_visa", "return_url": "http://clinic.test/back"}
    )
    assert (again.status, again.last_payment_error) == ("succeeded", None)


def test_only_who_was_asked_can_confirm(sim, waiting):
    assert confirm(sim, waiting.id, succeed="yes").status_code == 400
    assert confirm(sim, "pi_none", succeed=True).status_code == 404
    confirm(sim, waiting.id, succeed=True)

    again = confirm(sim, waiting.id, succeed=True)

    assert again.status_code == 400
    assert again.json()["error"]["code"] == "payment_intent_unexpected_state"
    assert len(sim.stripe.v1.charges.list().data) == 1


def test_an_off_session_charge_that_was_declined_is_made_up_for_on_session(sim):
    customer = sim.stripe.v1.customers.create({"email": "a@example.com"}).id
    card = sim.stripe.v1.payment_methods.attach(ASKS, {"customer": customer}).id
    facts = {"amount": 3900, "currency": "usd", "customer": customer, "payment_method": card}
    intents = sim.stripe.v1.payment_intents
    with pytest.raises(stripe.CardError) as caught:
        intents.create(facts | {"confirm": True, "off_session": True})
    intent = caught.value.error.payment_intent.id

    facts = {"payment_method": card, "return_url": "http://clinic.test/back"}
    assert intents.confirm(intent, facts).status == "requires_action"
    confirm(sim, intent, succeed=True)

    assert intents.retrieve(intent).status == "succeeded"


@pytest.fixture
def incomplete(sim):
    """A subscription whose first payment waits for its cardholder; with its intent's id."""
    customer = sim.stripe.v1.customers.create({"email": "a@example.com"}).id
    card = sim.stripe.v1.payment_methods.attach(ASKS, {"customer": customer}).id
    facts = {"customer": customer, "items": [{"price": sim.plan()}], "default_payment_method": card}
    facts |= {"payment_behavior": "default_incomplete", "expand": ["latest_invoice.payments"]}
    made = sim.stripe.v1.subscriptions.create(facts)
    intent = made.latest_invoice.payments.data[0].payment.payment_intent
    assert sim.stripe.v1.payment_intents.confirm(intent).status == "requires_action"
    return made.id, made.latest_invoice.id, intent


def test_a_subscription_begins_when_its_first_payment_is_confirmed(sim, incomplete):
    subscription, invoice, intent = incomplete
    assert sim.stripe.v1.subscriptions.retrieve(subscription).status == "incomplete"

    confirm(sim, intent, succeed=True)

    assert sim.stripe.v1.subscriptions.retrieve(subscription).status == "active"
    paid = sim.stripe.v1.invoices.retrieve(invoice)
    assert (paid.status, paid.attempt_count) == ("paid", 1)


def test_a_subscription_stays_incomplete_when_the_confirmation_fails(sim, incomplete):
    subscription, invoice, intent = incomplete

    confirm(sim, intent, succeed=False)

    assert sim.stripe.v1.subscriptions.retrieve(subscription).status == "incomplete"
    found = sim.stripe.v1.invoices.retrieve(invoice)
    assert (found.status, found.attempt_count, found.next_payment_attempt) == ("open", 1, None)
    failed = sim.stripe.v1.events.list({"type": "invoice.payment_failed"}).data
    assert [event.data.object["id"] for event in failed] == [invoice]
    facts = {"payment_method": "pm_card_visa"}
    assert sim.stripe.v1.payment_intents.confirm(intent, facts).status == "succeeded"
    assert sim.stripe.v1.subscriptions.retrieve(subscription).status == "active"


def test_the_intent_of_a_payment_page_takes_its_page_along(sim):
    session = sim.open_session()
    form = {"number": "4000002760003184", "expiry": "12/40", "cvc": "123", "email": "a@b.example"}
    assert sim.raw("POST", f"/c/pay/{session.id}", form).status_code == 200  # the two buttons
    (intent,) = sim.stripe.v1.payment_intents.list().data

    confirm(sim, intent.id, succeed=True)

    paid = sim.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (paid.status, paid.payment_intent) == ("complete", intent.id)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Confirm as its cardholder", "succeeded"),
        ("Fail to confirm", "requires_payment_method"),
    ],
)
def test_a_person_confirms_or_fails_to_on_the_intents_page(sim, waiting, words, status):
    path = f"/object/{waiting.id}"
    assert buttons(page(sim, path)) == ["Confirm as its cardholder", "Fail to confirm"]

    assert press_on(sim, waiting.id, words).status_code == 200

    assert sim.stripe.v1.payment_intents.retrieve(waiting.id).status == status
    assert buttons(page(sim, path)) == []
