from time import time

import pytest
import stripe

from tests.simulator.harness import LINE, eventually


def refusal(sim, **facts):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.open_session(**facts)
    return caught.value


def test_an_open_session_has_no_payment_and_no_customer(sim):
    session = sim.open_session(
        metadata={"booking": "b1"},
        client_reference_id="b1",
        customer_email="payer@example.com",
        locale="es",
        custom_text={"submit": {"message": "Refundable."}},
    )

    assert session.id.startswith("cs_test_")
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.payment_intent, session.customer) == (None, None)
    assert session.customer_creation == "if_required"
    assert session.amount_total == 3900
    assert session.url == f"{sim.base}/c/pay/{session.id}"
    assert session.metadata.to_dict() == {"booking": "b1"}
    assert (session.client_reference_id, session.locale) == ("b1", "es")
    assert session.custom_text.submit.message == "Refundable."
    assert session.customer_details.email == "payer@example.com"
    assert 86_390 <= session.expires_at - time() <= 86_401


def test_a_paid_session_is_complete_and_has_its_payment(sim):
    session = sim.paid(payment_intent_data={"metadata": {"payment": "p1"}, "description": "Visit"})

    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert session.customer is None
    intent = sim.stripe.v1.payment_intents.retrieve(
        session.payment_intent, {"expand": ["latest_charge.balance_transaction"]}
    )
    assert (intent.status, intent.amount_received) == ("succeeded", 3900)
    assert (intent.metadata.to_dict(), intent.description) == ({"payment": "p1"}, "Visit")
    charge = intent.latest_charge
    assert (charge.captured, charge.paid, charge.amount_refunded) == (True, True, 0)
    assert charge.payment_method_details.card.last4 == "4242"
    assert charge.payment_method_details.card.brand == "visa"
    assert charge.billing_details.email == "payer@example.com"
    money = charge.balance_transaction
    assert (money.amount, money.fee, money.net, money.type) == (3900, 143, 3757, "charge")
    assert [(d.amount, d.type) for d in money.fee_details] == [(143, "stripe_fee")]
    assert money.source == charge.id


def test_a_customer_is_made_when_asked_for_and_keeps_the_card_when_asked_for(sim):
    with_card = sim.with_saved_card()[0]
    without = sim.paid(customer_creation="always").customer

    customers = sim.stripe.v1.customers
    assert customers.retrieve(without).email == "payer@example.com"
    assert customers.payment_methods.list(without).data == []
    saved = customers.payment_methods.list(with_card).data
    assert [method.card.last4 for method in saved] == ["4242"]
    assert sim.stripe.v1.payment_methods.retrieve(saved[0].id).customer == with_card


def test_a_customer_who_is_known_stays_the_same(sim):
    customer = sim.stripe.v1.customers.create({"email": "known@example.com"})

    session = sim.paid(customer=customer.id)

    assert session.customer == customer.id
    assert session.customer_details.email == "known@example.com"
    found = sim.stripe.v1.payment_intents.list({"customer": customer.id}).data
    assert [intent.id for intent in found] == [session.payment_intent]


@pytest.mark.parametrize(
    ("card", "code", "decline"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
        ("4242424242424241", "incorrect_number", None),
        ("4111111111111111", "card_declined", "test_mode_live_card"),
    ],
)
def test_a_declined_card_leaves_the_session_open_and_charges_nothing(sim, card, code, decline):
    session = sim.open_session(customer_creation="always")

    answer = sim.pay(session.id, card)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error.get("decline_code")) == (402, code, decline)
    after = sim.stripe.v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.customer, after.payment_status) == ("open", None, "unpaid")
    assert [charge.status for charge in sim.stripe.v1.charges.list().data if charge.paid] == []
    assert sim.pay(session.id).status_code == 200


def test_a_decline_leaves_a_failed_charge_and_the_next_attempt_uses_the_same_intent(sim):
    session = sim.open_session()
    sim.pay(session.id, "4000000000000002")

    tried = sim.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    intent = tried.payment_intent
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)
    assert intent.last_payment_error.decline_code == "generic_decline"
    charge = sim.stripe.v1.charges.retrieve(intent.latest_charge)
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, "card_declined")
    assert charge.outcome.type == "issuer_declined"
    types = [event.type for event in sim.stripe.v1.events.list().data]
    assert types == [
        "payment_intent.payment_failed",
        "charge.failed",
        "payment_intent.created",
        "product.created",
    ]
    assert sim.stripe.v1.balance_transactions.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        sim.stripe.v1.refunds.create({"payment_intent": intent.id})

    assert sim.pay(session.id).json()["payment_intent"] == intent.id
    paid = sim.stripe.v1.payment_intents.retrieve(intent.id)
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)


def test_an_expired_session_takes_its_intent_along(sim):
    session = sim.open_session()
    sim.pay(session.id, "4000000000000002")

    intent = sim.stripe.v1.checkout.sessions.expire(session.id).payment_intent

    assert sim.stripe.v1.payment_intents.retrieve(intent).status == "canceled"


def test_a_session_is_paid_once(sim):
    session = sim.paid()

    assert sim.pay(session.id).status_code == 400
    assert len(sim.stripe.v1.charges.list().data) == 1


def test_an_open_session_can_be_expired_and_then_not_paid(sim):
    session = sim.open_session()

    expired = sim.stripe.v1.checkout.sessions.expire(session.id)

    assert (expired.status, expired.url) == ("expired", None)
    assert sim.pay(session.id).status_code == 400
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        sim.stripe.v1.checkout.sessions.expire(session.id)


def test_a_paid_session_cannot_be_expired(sim):
    session = sim.paid()

    with pytest.raises(stripe.InvalidRequestError, match="status of complete") as caught:
        sim.stripe.v1.checkout.sessions.expire(session.id)

    assert caught.value.http_status == 400


def test_a_session_expires_by_itself(sim):
    session = sim.open_session(expires_at=int(time()) + 1860)
    retrieve = sim.stripe.v1.checkout.sessions.retrieve

    sim.advance(1800)
    assert retrieve(session.id).status == "open"
    sim.advance(61)

    eventually(lambda: retrieve(session.id).status == "expired")
    types = [e.type for e in sim.stripe.v1.events.list({"type": "checkout.*"}).data]
    assert types == ["checkout.session.expired"]


def test_what_stripe_would_refuse_is_refused(sim):
    subscribing = {"price_data": LINE["price_data"] | {"recurring": {"interval": "month"}}}
    facts = {
        "payment_method_types": {"payment_method_types": ["card"]},
        "success_url": {"success_url": ""},
        "expires_at": {"expires_at": int(time()) + 1700},
        "customer_creation": {"customer_creation": "sometimes"},
        "line_items[0][quantity]": {"line_items": [{"price_data": LINE["price_data"]}]},
        "line_items[0]": {"line_items": [{"quantity": 1}]},
        "line_items[0][price]": {"line_items": [subscribing | {"quantity": 1}]},
        "subscription_data": {"subscription_data": {"description": "x"}},
        "custom_text[submit][message]": {"custom_text": {"submit": {"message": "x" * 1201}}},
    }

    assert {param: refusal(sim, **wrong).param for param, wrong in facts.items()} == {
        param: param for param in facts
    }
    assert refusal(sim, payment_method_types=["card"]).code == "parameter_unknown"
    assert refusal(sim, expires_at=int(time()) + 90_000).param == "expires_at"
    too_cheap = LINE | {"price_data": LINE["price_data"] | {"unit_amount": 49}}
    assert refusal(sim, line_items=[too_cheap]).code == "amount_too_small"
    both = {"customer": "cus_1", "customer_email": "a@example.com"}
    assert refusal(sim, **both).code == "parameters_exclusive"
    assert sim.stripe.v1.checkout.sessions.list().data == []


def test_a_session_can_start_a_subscription(sim):
    session = sim.paid(
        mode="subscription",
        line_items=[{"price": sim.plan(), "quantity": 1}],
        subscription_data={"metadata": {"membership": "m1"}},
    )

    subscription = sim.stripe.v1.subscriptions.retrieve(session.subscription)
    assert (subscription.status, subscription.customer) == ("active", session.customer)
    assert subscription.metadata.to_dict() == {"membership": "m1"}
    assert (session.invoice, session.payment_intent) == (subscription.latest_invoice, None)


def test_a_session_can_save_a_card_and_take_nothing(sim):
    session = sim.paid(mode="setup", currency="usd", line_items=[], customer_creation="always")

    assert (session.status, session.payment_status) == ("complete", "no_payment_required")
    assert (session.amount_total, session.payment_intent) == (None, None)
    intent = sim.stripe.v1.setup_intents.retrieve(session.setup_intent)
    assert (intent.status, intent.customer) == ("succeeded", session.customer)
    saved = sim.stripe.v1.customers.payment_methods.list(session.customer).data
    assert [method.id for method in saved] == [intent.payment_method]
    assert sim.stripe.v1.charges.list().data == []


@pytest.mark.parametrize("mode", ["payment", "subscription", "setup"])
def test_a_cardholder_is_asked_and_pays(sim, mode):
    lines = {
        "payment": {},
        "subscription": {"line_items": [{"price": sim.plan(), "quantity": 1}]},
        "setup": {"line_items": [], "currency": "usd"},
    }
    session = sim.open_session(mode=mode, **lines[mode])

    paid = sim.pay(session.id, "4000002760003184")

    assert (paid.status_code, paid.json()["status"]) == (200, "complete")


def test_a_cardholder_who_fails_pays_nothing_and_can_try_again(sim):
    session = sim.open_session()
    path = f"/_sim/checkout/sessions/{session.id}/pay"
    facts = {"card": "4000002760003184", "email": "payer@example.com", "authenticate": False}

    failed = sim.post(path, **facts)

    code = "payment_intent_authentication_failure"
    assert (failed.status_code, failed.json()["error"]["code"]) == (402, code)
    types = {event.type for event in sim.stripe.v1.events.list().data}
    assert {"payment_intent.requires_action", "payment_intent.payment_failed"} <= types
    assert sim.stripe.v1.charges.list().data == []
    assert sim.pay(session.id).status_code == 200


def test_line_items_are_listed(sim):
    session = sim.open_session(line_items=[LINE, LINE | {"quantity": 2}])

    lines = sim.stripe.v1.checkout.sessions.line_items.list(session.id)

    assert [(line.quantity, line.amount_total) for line in lines.data] == [(1, 3900), (2, 7800)]
    assert sim.stripe.v1.checkout.sessions.line_items.list(session.id, {"limit": 1}).has_more
