"""What the tests ask of either Stripe."""

import pytest
import stripe

BACK = "https://visits.example/back"
LINE = {
    "quantity": 1,
    "price_data": {
        "currency": "usd",
        "unit_amount": 3900,
        "product_data": {"name": "First visit"},
    },
}


def paid(v1, card="pm_card_visa", **facts):
    usual = {
        "amount": 3900,
        "currency": "usd",
        "payment_method": card,
        "confirm": True,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
    }
    return v1.payment_intents.create(usual | facts)


def session(v1, **facts):
    usual = {"mode": "payment", "line_items": [LINE], "success_url": BACK, "cancel_url": BACK}
    return v1.checkout.sessions.create(usual | facts)


def customer_with_card(v1, card="pm_card_visa"):
    customer = v1.customers.create({"name": "Sandbox"}).id
    return customer, v1.payment_methods.attach(card, {"customer": customer}).id


def monthly(v1):
    facts = {"currency": "usd", "unit_amount": 9900, "recurring": {"interval": "month"}}
    return v1.prices.create(facts | {"product_data": {"name": "Membership"}}).id


def refusal(call, *args):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        call(*args)
    return caught.value
