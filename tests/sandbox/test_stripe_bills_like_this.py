"""What we believe of subscriptions, as tests that either Stripe can be asked."""

from time import time

import pytest
import stripe

from tests.sandbox.asking import customer_with_card, monthly


def test_a_saved_card_starts_a_subscription(v1):
    customer, method = customer_with_card(v1)
    facts = {"customer": customer, "items": [{"price": monthly(v1)}], "off_session": True}

    made = v1.subscriptions.create(
        facts | {"default_payment_method": method, "payment_behavior": "error_if_incomplete"}
    )

    item = made.items.data[0]
    assert (made.status, item.current_period_end > item.current_period_start) == ("active", True)
    payments = v1.invoice_payments.list({"invoice": made.latest_invoice}).data
    assert payments[0].payment.payment_intent.startswith("pi_")
    assert v1.subscriptions.cancel(made.id).status == "canceled"


def test_a_declined_card_makes_no_subscription(v1):
    customer, method = customer_with_card(v1, "pm_card_chargeCustomerFail")
    facts = {"customer": customer, "items": [{"price": monthly(v1)}], "off_session": True}

    with pytest.raises(stripe.CardError) as caught:
        v1.subscriptions.create(
            facts | {"default_payment_method": method, "payment_behavior": "error_if_incomplete"}
        )

    assert caught.value.http_status == 402
    assert v1.subscriptions.list({"customer": customer, "status": "all"}).data == []


def test_a_declined_card_can_leave_an_incomplete_one(v1):
    customer, method = customer_with_card(v1, "pm_card_chargeCustomerFail")
    facts = {"customer": customer, "items": [{"price": monthly(v1)}]}

    made = v1.subscriptions.create(facts | {"default_payment_method": method})

    assert made.status == "incomplete"
    assert v1.invoices.retrieve(made.latest_invoice).status == "open"


def test_a_test_clock_renews_a_subscription(account, v1):
    clocks, start = v1.test_helpers.test_clocks, int(time())
    clock = clocks.create({"frozen_time": start})
    customer = v1.customers.create({"test_clock": clock.id}).id
    method = v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    facts = {"customer": customer, "items": [{"price": monthly(v1)}]}
    made = v1.subscriptions.create(facts | {"default_payment_method": method})

    clocks.advance(clock.id, {"frozen_time": made.items.data[0].current_period_end + 7200})
    account.eventually(lambda: clocks.retrieve(clock.id).status == "ready")

    invoices = v1.invoices.list({"subscription": made.id}).data
    assert [(i.billing_reason, i.status) for i in invoices] == [
        ("subscription_cycle", "paid"),
        ("subscription_create", "paid"),
    ]
    assert clocks.delete(clock.id).deleted
