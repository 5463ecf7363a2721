"""Every request our own gateway sends is one that Stripe's contract allows."""

import inspect
from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service import clock
from booking_service.errors import GatewayRefused
from booking_service.gateways.memberships import CardPageOrder, ChangeOrder, MembershipPageOrder
from booking_service.gateways.payments import CheckoutOrder, RefundOrder, SubscriptionOrder
from booking_service.gateways.stripe import StripeGateway
from booking_service.languages import Language
from booking_service.models import ChangeKind
from booking_service.simulator import create_simulator  # noqa: F401 - registers the operations
from booking_service.simulator.checks import read_params
from booking_service.simulator.contract import contract_of
from booking_service.simulator.errors import StripeError
from booking_service.simulator.operations import HANDLERS
from booking_service.simulator.sdk import calls
from tests.faults.facts import dispute

SENDS_NOTHING = {"read_event"}


class Spy:
    """A gateway whose methods are counted by name."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._gateway, self.called = gateway, set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self._gateway, name)


AVAILABLE_AT_ONCE = "4000000000000077"


def drive(gateway, stripe) -> set[str]:
    """Call every method of the gateway, and return their names."""
    spy = Spy(gateway)
    order = CheckoutOrder(
        booking_id=uuid4(),
        payment_id=uuid4(),
        amount_cents=3900,
        currency="usd",
        save_card=True,
        expires_at=clock.utc_now() + timedelta(minutes=31),
        return_url="https://visits.example/done",
        back_url="https://visits.example/review",
        language=Language.ES,
        title="Primera visita",
        note="$39.00 goes back to this card if you become a member.",
    )
    page = spy.open_checkout(order)
    assert stripe.pay(page.id, AVAILABLE_AT_ONCE).status_code == 200
    stripe.pay_out()
    card = spy.find_checkout(page.id).payment
    spy.expire_checkout(page.id)
    refund = spy.refund(RefundOrder(uuid4(), card.payment_intent_id, 3900, "refund:1"))
    spy.find_refund(refund.stripe_refund_id)
    spy.refunds_of(card.payment_intent_id)
    price, member = spy.create_price(uuid4(), 14900, "usd"), uuid4()
    made = spy.subscribe(
        SubscriptionOrder(member, price, card.customer_id, card.payment_method_id, "membership:1")
    )
    month = stripe.listed("payment_intents")[0]["id"]
    spy.find_dispute(dispute(stripe, month))
    spy.find_subscription(made.id)
    spy.subscriptions_of(card.customer_id, member)
    spy.subscription_of_invoice(stripe.subscriptions()[0]["latest_invoice"])
    spy.open_membership_page(
        MembershipPageOrder(
            membership_id=uuid4(),
            price_id=price,
            customer_id=card.customer_id,
            expires_at=clock.utc_now() + timedelta(hours=23),
            return_url="https://visits.example/m/1",
            language=Language.ES,
            idempotency_key="membership-page:1",
        )
    )
    change_and_recard(spy, made, price, card.customer_id, card.payment_method_id, stripe)
    since = clock.utc_now() - timedelta(days=1)
    for listed in (spy.movements, spy.membership_payments, spy.all_refunds, spy.all_payouts):
        list(listed(since))
    for listed in (spy.all_subscriptions, spy.all_disputes):
        list(listed())
    [payout] = stripe.listed("payouts")
    spy.find_payout(payout["id"])
    list(spy.movements_of(payout["id"]))
    spy.available_cents()
    list(spy.undelivered_events(clock.utc_now()))
    return spy.called


def change_and_recard(spy, made, price, customer_id, method_id, stripe) -> None:
    """Change a membership in every way, and give it another card."""
    terms = made.terms
    far = terms.period_ends_at + timedelta(days=31)
    for number, (kind, ends_at) in enumerate(
        [
            (ChangeKind.PAUSE, None),
            (ChangeKind.RESUME, None),
            (ChangeKind.PLAN, None),
            (ChangeKind.CANCEL, terms.period_ends_at),
            (ChangeKind.KEEP, None),
            (ChangeKind.CANCEL, far),
            (ChangeKind.KEEP, None),
            (ChangeKind.CANCEL_NOW, None),
        ]
    ):
        terms = spy.find_subscription(made.id).terms
        order = ChangeOrder(made.id, terms, kind, price, ends_at, f"membership-change:{number}")
        if kind is ChangeKind.CANCEL_NOW:
            spy.open_card_page(
                CardPageOrder(
                    membership_id=uuid4(),
                    customer_id=customer_id,
                    currency="usd",
                    expires_at=clock.utc_now() + timedelta(hours=23),
                    return_url="https://visits.example/v/1/membership/card",
                    language=Language.ES,
                    idempotency_key="card-page:1",
                )
            )
            spy.use_card(made.id, method_id, "card:1")
        spy.change_membership(order)
    with pytest.raises(GatewayRefused):
        spy.retry_invoice(stripe.subscriptions()[0]["latest_invoice"], "retry:1")


def operation_of(contract, entry):
    """Return the contract's operation of a logged request."""
    parts = entry["path"].split("/")
    for method, path in contract.operations:
        template = path.split("/")
        fits = len(template) == len(parts) and all(
            want == got or want.startswith("{") for want, got in zip(template, parts, strict=True)
        )
        if fits and method == entry["method"].lower():
            return contract.operations[method, path]
    raise AssertionError(f"not an operation: {entry}")


@pytest.fixture
def sent(gateway, stripe):
    """What the gateway sent when every one of its methods was called."""
    called = drive(gateway, stripe)
    public = {name for name, _ in inspect.getmembers(StripeGateway, inspect.isfunction)}
    assert called == {name for name in public if not name.startswith("_")} - SENDS_NOTHING
    return stripe.log()


def test_the_gateway_sends_what_the_contract_allows(sent, stripe):
    contract = contract_of(frozenset(HANDLERS))

    for entry in sent:
        read_params(contract, operation_of(contract, entry).params, entry["params"])

    assert len(sent) >= 16
    assert stripe.violations() == []


def test_the_check_sees_a_parameter_the_gateway_would_mistype(sent):
    contract = contract_of(frozenset(HANDLERS))
    entry = next(e for e in sent if (e["method"], e["path"]) == ("POST", "/v1/checkout/sessions"))
    entry["params"]["payment_intent_data"]["metadatas"] = {"a": "b"}

    with pytest.raises(StripeError, match="metadatas"):
        read_params(contract, operation_of(contract, entry).params, entry["params"])


def test_the_sdk_knows_every_path_we_simulate():
    assert set(calls(frozenset(path for _, path in HANDLERS))) >= set(HANDLERS)
