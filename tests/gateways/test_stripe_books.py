"""The long lists: what each movement of Stripe's balance is about."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from booking_service.gateways.payments import RefundOrder
from booking_service.models import DisputeStatus
from tests.gateways.test_stripe import (
    MEMBERSHIP,
    PAYMENT,
    REFUND,
    order,
    paid,  # noqa: F401  # a fixture
    subscription,
)

pytestmark = pytest.mark.usefixtures("app")
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def by_another_application(gateway, cents: int = 2500):
    """A card payment that another application in the same account took."""
    return gateway._client.v1.payment_intents.create(
        {
            "amount": cents,
            "currency": "usd",
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )


def moved(gateway) -> dict[str, tuple]:
    """What moved, by type: under which id, about which payment, our id, amount and net."""
    return {
        m.type: (m.moved_under, m.payment_at_stripe, m.our_id, m.amount_cents, m.net_cents)
        for m in gateway.movements(None)
    }


def test_a_charge_moves_under_its_payment_and_names_ours(gateway, paid):  # noqa: F811
    card = paid()
    intent = card.payment_intent_id

    assert moved(gateway) == {"charge": (intent, intent, PAYMENT, 3900, 3757)}


def test_a_charge_of_another_application_names_nobody(gateway):
    intent = by_another_application(gateway)

    assert moved(gateway) == {"charge": (intent.id, intent.id, None, 2500, 2397)}


def test_a_refund_moves_under_its_own_id_there_and_back(gateway, stripe, paid):  # noqa: F811
    intent = paid().payment_intent_id
    made = gateway.refund(RefundOrder(REFUND, intent, 3900, "refund:1")).stripe_refund_id
    stripe.bounce(made)

    found = moved(gateway)

    assert found["refund"] == (made, intent, REFUND, -3900, -3900)
    assert found["refund_failure"] == (made, intent, REFUND, 3900, 3900)


def test_a_dispute_moves_under_its_own_id_with_its_fee(gateway, stripe, paid):  # noqa: F811
    intent = paid().payment_intent_id
    stripe.dispute(intent)
    [dispute] = gateway.all_disputes()

    assert moved(gateway)["adjustment"] == (dispute.stripe_id, intent, None, -3900, -5400)
    assert (dispute.payment_at_stripe, dispute.amount_cents) == (intent, 3900)
    assert dispute.status is DisputeStatus.NEEDS_RESPONSE


def test_a_payout_is_made_of_what_was_available(gateway, stripe, paid):  # noqa: F811
    paid()
    stripe.advance(2 * 86400 + 60)
    stripe.pay_out()
    [payout] = gateway.all_payouts(None)

    assert (payout.amount_cents, payout.is_automatic, payout.came_back) == (3757, True, False)
    assert gateway.find_payout(payout.stripe_id) == payout
    assert set(gateway.movements_of(payout.stripe_id)) == {m.id for m in gateway.movements(None)}
    assert moved(gateway)["payout"] == (payout.stripe_id, None, None, -3757, -3757)


def test_a_failed_payout_came_back(gateway, stripe, paid):  # noqa: F811
    paid()
    stripe.advance(3 * 86400)
    [payout] = gateway.all_payouts(None)
    stripe.fail_payout(payout.stripe_id)

    assert gateway.find_payout(payout.stripe_id).came_back is True
    assert moved(gateway)["payout_failure"][::4] == (payout.stripe_id, 3757)


def test_what_is_paid_for_memberships_is_listed_with_the_membership(gateway, paid):  # noqa: F811
    card = paid()
    by_another_application(gateway)
    gateway.subscribe(subscription(card, gateway))

    [receipt] = gateway.membership_payments(None)
    assert (receipt.our_id, receipt.amount_cents) == (MEMBERSHIP, 14900)
    assert [receipt.our_id for receipt in gateway.all_subscriptions()] == [MEMBERSHIP]


def test_lists_leave_out_what_was_made_before(gateway, paid):  # noqa: F811
    card = paid()
    gateway.refund(RefundOrder(REFUND, card.payment_intent_id, 3900, "refund:1"))
    gateway.open_checkout(order(booking_id=uuid4()))

    assert len(list(gateway.all_refunds(None))) == 1
    for listed in (
        gateway.movements,
        gateway.membership_payments,
        gateway.all_refunds,
        gateway.all_payouts,
    ):
        assert list(listed(LATER)) == []
