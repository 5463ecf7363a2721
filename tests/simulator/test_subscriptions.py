from datetime import UTC, datetime

import pytest
import stripe

from booking_service.simulator.periods import one_period_after


def subscribe(sim, customer, method, price, /, **facts):
    usual = {
        "customer": customer,
        "items": [{"price": price}],
        "default_payment_method": method,
        "off_session": True,
        "payment_behavior": "error_if_incomplete",
    }
    return sim.stripe.v1.subscriptions.create(usual | facts)


def test_a_subscription_starts_with_a_paid_invoice(sim):
    customer, method = sim.with_saved_card()

    made = subscribe(sim, customer, method, sim.plan(), metadata={"membership": "m1"})

    assert (made.status, made.default_payment_method) == ("active", method)
    item = made.items.data[0]
    assert item.price.unit_amount == 9900
    assert 28 * 86_400 <= item.current_period_end - item.current_period_start <= 31 * 86_400
    invoice = sim.stripe.v1.invoices.retrieve(made.latest_invoice, {"expand": ["payments"]})
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 9900, 0)
    assert invoice.parent.subscription_details.subscription == made.id
    assert invoice.parent.subscription_details.metadata.to_dict() == {"membership": "m1"}
    assert [line.amount for line in invoice.lines.data] == [9900]
    paid_by = sim.stripe.v1.invoice_payments.list({"invoice": invoice.id}).data[0].payment
    intent = sim.stripe.v1.payment_intents.retrieve(paid_by.payment_intent)
    assert (intent.status, intent.amount, intent.customer) == ("succeeded", 9900, customer)
    assert invoice.payments.data[0].payment.payment_intent == intent.id
    by_intent = {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    assert [p.invoice for p in sim.stripe.v1.invoice_payments.list(by_intent).data] == [invoice.id]


def test_a_declined_card_makes_no_subscription(sim):
    customer, method = sim.with_saved_card("4000000000000341")
    price, charges = sim.plan(), len(sim.stripe.v1.charges.list().data)

    with pytest.raises(stripe.CardError) as caught:
        subscribe(sim, customer, method, price)

    assert (caught.value.http_status, caught.value.code) == (402, "card_declined")
    assert caught.value.error.decline_code == "generic_decline"
    assert sim.stripe.v1.subscriptions.list({"customer": customer, "status": "all"}).data == []
    assert sim.stripe.v1.invoices.list({"customer": customer}).data == []
    assert len(sim.stripe.v1.charges.list().data) == charges


def test_what_cannot_be_subscribed_to_is_refused(sim):
    customer, method = sim.with_saved_card()
    other, plan = sim.with_saved_card()[0], sim.plan()
    once = sim.stripe.v1.prices.create(
        {"currency": "usd", "unit_amount": 100, "product_data": {"name": "Once"}}
    ).id

    for wrong in (
        {"customer": other},
        {"customer": "cus_none"},
        {"items": [{"price": "price_none"}]},
        {"items": [{"price": once}]},
        {"default_payment_method": "pm_none"},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            subscribe(sim, customer, method, plan, **wrong)
    assert sim.stripe.v1.subscriptions.list({"status": "all"}).data == []


def test_a_subscription_is_cancelled_once(sim):
    made = subscribe(sim, *sim.with_saved_card(), sim.plan())
    subscriptions = sim.stripe.v1.subscriptions

    ended = subscriptions.cancel(made.id)

    assert (ended.status, ended.ended_at) == ("canceled", ended.canceled_at)
    assert subscriptions.list({"customer": made.customer}).data == []
    assert [s.id for s in subscriptions.list({"status": "canceled"}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        subscriptions.cancel(made.id)
    assert caught.value.http_status == 404


def test_a_subscription_can_be_told_to_end_later(sim):
    made = subscribe(sim, *sim.with_saved_card(), sim.plan())
    update = sim.stripe.v1.subscriptions.update

    ending = update(made.id, {"cancel_at_period_end": True, "metadata": {"why": "moved"}})
    staying = update(made.id, {"cancel_at_period_end": False})

    assert ending.cancel_at == made.items.data[0].current_period_end
    assert ending.metadata.to_dict() == {"why": "moved"}
    assert (staying.cancel_at, staying.cancel_at_period_end) == (None, False)


def test_a_price_is_found_by_its_lookup_key(sim):
    monthly = sim.plan(lookup_key="monthly")
    sim.plan(lookup_key="yearly")

    prices = sim.stripe.v1.prices
    assert [p.id for p in prices.list({"lookup_keys": ["monthly"]}).data] == [monthly]
    product = sim.stripe.v1.products.retrieve(prices.retrieve(monthly).product)
    assert product.name == "Membership"
    with pytest.raises(stripe.InvalidRequestError, match=f"`{monthly}`. already uses") as caught:
        sim.plan(lookup_key="monthly")
    assert caught.value.param == "lookup_key"


@pytest.mark.parametrize(
    ("start", "interval", "count", "end"),
    [
        ((2026, 1, 31), "month", 1, (2026, 2, 28)),
        ((2028, 1, 31), "month", 1, (2028, 2, 29)),
        ((2026, 11, 30), "month", 3, (2027, 2, 28)),
        ((2028, 2, 29), "year", 1, (2029, 2, 28)),
        ((2026, 12, 31), "week", 2, (2027, 1, 14)),
        ((2026, 12, 31), "day", 1, (2027, 1, 1)),
    ],
)
def test_a_period_ends_where_the_calendar_says(start, interval, count, end):
    began = int(datetime(*start, tzinfo=UTC).timestamp())

    ended = one_period_after(began, {"interval": interval, "interval_count": count})

    assert datetime.fromtimestamp(ended, UTC) == datetime(*end, tzinfo=UTC)


def test_a_paused_subscription_goes_on_without_being_charged(sim):
    made = subscribe(sim, *sim.with_saved_card(), sim.plan())
    subscriptions = sim.stripe.v1.subscriptions
    paused = subscriptions.update(made.id, {"pause_collection": {"behavior": "void"}})
    assert (paused.status, paused.pause_collection.behavior) == ("active", "void")

    sim.advance(32 * 86_400)

    by_subscription = {"subscription": made.id}
    listed = sim.stripe.v1.invoices.list(by_subscription).data
    assert [one.status for one in listed] == ["void", "paid"]
    assert subscriptions.update(made.id, {"pause_collection": ""}).pause_collection is None


def test_only_what_is_simulated_of_a_pause_is_taken(sim):
    made = subscribe(sim, *sim.with_saved_card(), sim.plan())

    for wrong in ({"behavior": "keep_as_draft"}, {"behavior": "void", "resumes_at": 2_000_000_000}):
        with pytest.raises(stripe.APIError) as caught:
            sim.stripe.v1.subscriptions.update(made.id, {"pause_collection": wrong})
        assert caught.value.http_status == 501


def test_another_price_is_billed_with_the_next_period(sim):
    made = subscribe(sim, *sim.with_saved_card(), sim.plan())
    other = sim.stripe.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 4900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Membership"},
        }
    ).id
    item = {"id": made.items.data[0].id, "price": other}
    subscriptions, invoices = sim.stripe.v1.subscriptions, sim.stripe.v1.invoices
    with pytest.raises(stripe.APIError):  # a proration is not simulated
        subscriptions.update(made.id, {"items": [item]})
    with pytest.raises(stripe.InvalidRequestError):
        wrong = {"items": [item | {"id": "si_none"}], "proration_behavior": "none"}
        subscriptions.update(made.id, wrong)

    changed = subscriptions.update(made.id, {"items": [item], "proration_behavior": "none"})
    assert changed.items.data[0].price.unit_amount == 4900
    assert len(invoices.list({"subscription": made.id}).data) == 1

    sim.advance(32 * 86_400)

    assert invoices.list({"subscription": made.id}).data[0].total == 4900
