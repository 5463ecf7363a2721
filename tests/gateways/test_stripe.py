"""The adapter against Stripe over HTTP: what is asked, and what each answer means."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import stripe as stripe_sdk

from booking_service import clock
from booking_service.db import transaction
from booking_service.errors import (
    GatewayBusy,
    GatewayLockedOut,
    GatewayRefused,
    GatewayUnavailable,
)
from booking_service.gateways import stripe_reading as reading
from booking_service.gateways.payments import (
    CheckoutOrder,
    CheckoutStatus,
    RefundOrder,
    SubscriptionOrder,
)
from booking_service.gateways.stripe import StripeGateway
from booking_service.languages import Language
from booking_service.models import RefundStatus

SESSIONS = "/v1/checkout/sessions"
BOOKING, PAYMENT, MEMBERSHIP, REFUND, PLAN = (uuid4() for _ in range(5))


def order(**facts) -> CheckoutOrder:
    plain = {
        "booking_id": BOOKING,
        "payment_id": PAYMENT,
        "amount_cents": 3900,
        "currency": "usd",
        "save_card": True,
        "expires_at": clock.utc_now() + timedelta(minutes=31),
        "return_url": "https://visits.example/done",
        "back_url": "https://visits.example/review",
        "language": Language.ES,
        "title": "Primera visita",
        "note": "$39.00 goes back to this card if you become a member.",
    }
    return CheckoutOrder(**plain | facts)


@pytest.fixture
def paid(gateway, stripe):
    """A payment page that was paid; its payment."""

    def pay(card="4242424242424242", **facts):
        page = gateway.open_checkout(order(**facts))
        assert stripe.pay(page.id, card).status_code == 200
        return gateway.find_checkout(page.id).payment

    return pay


def subscription(card, gateway) -> SubscriptionOrder:
    price_id = gateway.create_price(PLAN, 14900, "usd")
    return SubscriptionOrder(
        MEMBERSHIP, price_id, card.customer_id, card.payment_method_id, f"membership:{MEMBERSHIP}"
    )


def asked(stripe, path, method="POST") -> dict:
    """The last request to a path: its parameters and its key."""
    entry = [e for e in stripe.log() if (e["method"], e["path"]) == (method, path)][-1]
    return {"params": entry["params"], "key": entry["idempotency_key"]}


def test_a_payment_page_is_asked_for_in_neutral_words_and_opaque_ids(gateway, stripe):
    wanted = order()
    page = gateway.open_checkout(wanted)

    expires_at = str(int(wanted.expires_at.timestamp()))
    ours = {
        "application": "first_visit",
        "booking_id": str(BOOKING),
        "payment_id": str(PAYMENT),
    }
    assert asked(stripe, SESSIONS) == {
        "key": f"checkout:{BOOKING}:{expires_at}",
        "params": {
            "mode": "payment",
            "client_reference_id": str(BOOKING),
            "expires_at": expires_at,
            "success_url": "https://visits.example/done",
            "cancel_url": "https://visits.example/review",
            "locale": "es",
            "custom_text": {
                "submit": {"message": "$39.00 goes back to this card if you become a member."}
            },
            "line_items": {
                "0": {
                    "quantity": "1",
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": "3900",
                        "product_data": {"name": "Primera visita"},
                    },
                }
            },
            "metadata": ours,
            "payment_intent_data": {"metadata": ours, "setup_future_usage": "off_session"},
            "customer_creation": "always",
        },
    }
    assert page.url.endswith(page.id)
    assert stripe.violations() == []


def test_without_consent_no_card_is_kept(gateway, stripe, paid):
    card = paid(save_card=False)

    params = asked(stripe, SESSIONS)["params"]
    assert "customer_creation" not in params
    assert "setup_future_usage" not in params["payment_intent_data"]
    assert (card.customer_id, card.payment_method_id) == (None, None)


def test_a_payment_is_read_with_its_fee_and_card(gateway, paid):
    card = paid()

    assert (card.amount_cents, card.currency, card.fee_cents) == (3900, "usd", 143)
    assert (card.card_brand, card.card_last4) == ("visa", "4242")
    assert card.payment_intent_id.startswith("pi_")
    assert card.customer_id.startswith("cus_")
    assert card.payment_method_id.startswith("pm_")


def test_an_open_page_has_no_payment_and_a_closed_one_says_what_it_is(gateway, stripe):
    page = gateway.open_checkout(order())

    found = gateway.find_checkout(page.id)
    assert (found.id, found.status, found.booking_id, found.payment) == (
        page.id,
        CheckoutStatus.OPEN,
        BOOKING,
        None,
    )
    assert gateway.expire_checkout(page.id).status is CheckoutStatus.EXPIRED
    assert gateway.expire_checkout(page.id).status is CheckoutStatus.EXPIRED

    paid_page = gateway.open_checkout(order(booking_id=uuid4()))
    stripe.pay(paid_page.id)
    answer = gateway.expire_checkout(paid_page.id)
    assert answer.status is CheckoutStatus.COMPLETE
    assert answer.payment.amount_cents == 3900


def test_a_refund_names_our_refund_and_repeats_under_its_key(gateway, stripe, paid):
    card = paid()
    wanted = RefundOrder(REFUND, card.payment_intent_id, 3900, f"refund:{REFUND}:1")

    first, second = gateway.refund(wanted), gateway.refund(wanted)

    assert asked(stripe, "/v1/refunds") == {
        "key": f"refund:{REFUND}:1",
        "params": {
            "payment_intent": card.payment_intent_id,
            "amount": "3900",
            "metadata": {"application": "first_visit", "refund_id": str(REFUND)},
        },
    }
    assert first == second == gateway.find_refund(first.stripe_refund_id)
    assert list(gateway.refunds_of(card.payment_intent_id)) == [first]
    assert (first.refund_id, first.payment_intent_id, first.amount_cents, first.status) == (
        REFUND,
        card.payment_intent_id,
        3900,
        RefundStatus.SUCCEEDED,
    )
    assert first.failure_code is None


def test_a_slow_refund_is_pending(gateway, paid):
    card = paid("4000000000007726")

    made = gateway.refund(RefundOrder(REFUND, card.payment_intent_id, 3900, "refund:1"))

    assert made.status is RefundStatus.PENDING


def test_a_second_full_refund_is_refused_for_good(gateway, paid):
    card = paid()
    gateway.refund(RefundOrder(REFUND, card.payment_intent_id, 3900, "refund:1"))

    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(RefundOrder(uuid4(), card.payment_intent_id, 3900, "refund:2"))

    assert refused.value.reason == "charge_already_refunded"


def test_a_refund_made_by_hand_is_nobodys_of_ours(gateway, stripe, paid):
    card = paid()
    stripe_refund = gateway._client.v1.refunds.create(
        {"payment_intent": card.payment_intent_id, "metadata": {"refund_id": str(REFUND)}}
    )

    found = gateway.find_refund(stripe_refund.id)

    assert (found.refund_id, found.payment_intent_id) == (None, card.payment_intent_id)


def test_a_membership_takes_its_first_payment_at_once_or_leaves_nothing(gateway, stripe, paid):
    wanted = subscription(paid(), gateway)

    made = gateway.subscribe(wanted)

    assert asked(stripe, "/v1/prices") == {
        "key": f"price:{PLAN}",
        "params": {
            "currency": "usd",
            "unit_amount": "14900",
            "recurring": {"interval": "month"},
            "product_data": {"name": "Membership"},
            "metadata": {"application": "first_visit", "plan_id": str(PLAN)},
        },
    }
    assert asked(stripe, "/v1/subscriptions") == {
        "key": f"membership:{MEMBERSHIP}",
        "params": {
            "customer": wanted.customer_id,
            "items": {"0": {"price": wanted.price_id}},
            "default_payment_method": wanted.payment_method_id,
            "off_session": "true",
            "expand": {"0": "default_payment_method"},
            "payment_behavior": "error_if_incomplete",
            "metadata": {"application": "first_visit", "membership_id": str(MEMBERSHIP)},
        },
    }
    assert (made.membership_id, made.status, made.ended_at) == (MEMBERSHIP, "active", None)
    assert [(paid.amount_cents, paid.fee_cents) for paid in made.payments] == [(14900, 462)]
    assert gateway.find_subscription(made.id) == made
    assert gateway.subscriptions_of(wanted.customer_id, MEMBERSHIP) == [made]
    assert gateway.subscriptions_of(wanted.customer_id, uuid4()) == []


def test_the_same_plan_gets_the_same_price(gateway):
    prices = {gateway.create_price(PLAN, 14900, "usd") for _ in range(2)}

    assert len(prices) == 1


def test_a_declined_membership_is_refused_with_the_banks_code(gateway, stripe, paid):
    wanted = subscription(paid("4000000000000341"), gateway)

    with pytest.raises(GatewayRefused) as refused:
        gateway.subscribe(wanted)

    assert (refused.value.reason, refused.value.decline_code) == (
        "card_declined",
        "generic_decline",
    )
    assert [s for s in stripe.subscriptions() if s["status"] == "active"] == []


# Each way Stripe can fail a request, and what callers are told: wait, stop, or call a person.
FAULTS = {
    "unauthorized": GatewayLockedOut,  # 401
    "rate_limit": GatewayBusy,  # 429
    "conflict": GatewayBusy,  # 409
    "error_500_before": GatewayUnavailable,
    "error_500_after": GatewayUnavailable,
    "drop_before": GatewayUnavailable,
    "drop_after": GatewayUnavailable,
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_way_stripe_fails_has_one_meaning(gateway, stripe, paid, kind):
    card = paid()
    calls = {
        "POST": ("/v1/refunds", lambda: gateway.refund(RefundOrder(REFUND, intent, 3900, "k"))),
        "GET": ("/v1/refunds", lambda: gateway.refunds_of(intent)),
    }
    intent = card.payment_intent_id

    meant = {}
    for method, (path, call) in calls.items():
        stripe.fault(kind, path, method)
        with pytest.raises((GatewayUnavailable, GatewayRefused)) as error:
            call()
        meant[method] = type(error.value)

    assert meant == dict.fromkeys(calls, FAULTS[kind])
    retried = [entry for entry in stripe.log() if entry["path"] == "/v1/refunds"]
    assert len(retried) == 2  # the SDK does not try again by itself


def test_a_slow_stripe_is_unavailable(settings, app, stripe):
    impatient = StripeGateway(settings, timedelta(seconds=0.2))
    fault = stripe.fault("hold_before", SESSIONS)

    with pytest.raises(GatewayUnavailable):
        impatient.open_checkout(order())

    stripe.release(fault)


def test_what_stripe_does_not_know_is_refused(gateway):
    for call in (
        lambda: gateway.find_checkout("cs_test_unknown"),
        lambda: gateway.expire_checkout("cs_test_unknown"),
        lambda: gateway.find_refund("re_unknown"),
    ):
        with pytest.raises(GatewayRefused) as refused:
            call()
        assert refused.value.reason == "resource_missing"


def test_one_key_for_two_requests_is_refused(gateway, paid):
    card = paid()
    wanted = RefundOrder(REFUND, card.payment_intent_id, 3900, "refund:1")
    gateway.refund(wanted)

    with pytest.raises(GatewayRefused):
        gateway.refund(replace(wanted, amount_cents=100))


def test_no_message_of_ours_repeats_what_stripe_said_about_the_key(gateway, stripe):
    stripe.fault("unauthorized", SESSIONS)

    with pytest.raises(GatewayLockedOut) as locked_out:
        gateway.open_checkout(order())

    assert "sk_test" not in str(locked_out.value)


def test_stripe_is_not_asked_inside_a_transaction(gateway, stripe):
    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction():
        gateway.find_refund("re_1")

    assert stripe.log() == []


def test_a_refund_by_hand_shows_in_its_payment(gateway, stripe):
    page = gateway.open_checkout(order())
    stripe.pay(page.id)
    found = gateway.find_checkout(page.id)
    assert not found.payment.has_gone_back

    stripe.refund(found.payment.payment_intent_id, 100)

    assert gateway.find_checkout(page.id).payment.has_gone_back


@pytest.mark.parametrize(
    ("intent", "has_failed"),
    [("processing", False), ("requires_payment_method", True), ("canceled", True)],
)
def test_a_payment_that_takes_days_has_failed_when_its_intent_has(intent, has_failed):
    """A page is complete at once; the simulator knows only cards, which never take days."""
    session = stripe_sdk.checkout.Session.construct_from(
        {
            "id": "cs_1",
            "status": "complete",
            "payment_status": "unpaid",
            "metadata": {},
            "payment_intent": {"id": "pi_1", "object": "payment_intent", "status": intent},
            "subscription": None,
        },
        "sk_test",
    )

    found = reading.checkout(session)

    assert (found.status, found.payment) == (CheckoutStatus.COMPLETE, None)
    assert found.has_failed is has_failed


def test_events_nobody_took_are_listed(gateway, stripe):
    stripe.settings(webhook_url="http://127.0.0.1:9/webhooks/stripe")
    page = gateway.open_checkout(order())
    stripe.pay(page.id)

    missed = list(gateway.undelivered_events(clock.utc_now() - timedelta(days=3)))
    stripe.settings(webhook_url="")

    assert ("checkout.session.completed", page.id) in {
        (event.type, event.object_id) for event in missed
    }
