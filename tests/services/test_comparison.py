import pytest

from booking_service.db import transaction
from booking_service.errors import GatewayUnavailable
from booking_service.models import (
    CaseAction,
    DiscrepancyKind,
    JournalEntry,
    Membership,
    Payment,
    PaymentStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.services import comparison, matching, refund_news
from booking_service.services.matching import Difference
from tests.case_makers import case_of, do
from tests.factories import all_of, at_stripe, change, converted, refunds, visit_of

KIND = DiscrepancyKind


def compare(gateway):
    matching.read_news(gateway)
    return comparison.compare(gateway)


@pytest.fixture
def visit(seeded, noon, stripe, work, mail):
    """A member whose refund went through: one payment, one refund, one membership."""
    made = converted(stripe)
    work()
    return made


def test_books_that_agree_have_no_differences(visit, gateway, stripe):
    visit_of("Robin Hale", stripe, 5)
    at_stripe(name="Never Pays", email="never@example.com")

    assert compare(gateway) == []


def test_a_payment_we_missed_is_found(visit, gateway, stripe):
    missed = at_stripe(name="Robin Hale", email="robin@example.com")
    stripe.pay(missed.stripe_checkout_session_id)
    [intent] = [i for i in stripe.listed("payment_intents") if i["amount"] == 3900][:1]

    assert compare(gateway) == [
        Difference(KIND.PAYMENT_MISSING_HERE, missed.id, intent["id"], None, 3900)
    ]


def test_a_payment_stripe_does_not_have_is_found(visit, gateway):
    intent = visit.payment.stripe_payment_intent_id
    change(Payment, visit.payment.id, stripe_payment_intent_id="pi_gone")

    found = compare(gateway)

    # Its refund belongs to a payment of Stripe's that we do not know as ours any more.
    assert found == [
        Difference(KIND.PAYMENT_MISSING_HERE, visit.payment.id, intent, None, 3900),
        Difference(KIND.PAYMENT_MISSING_AT_STRIPE, visit.payment.id, "pi_gone", 3900),
    ]


def test_another_amount_is_found(visit, gateway):
    change(Payment, visit.payment.id, amount_cents=4000)
    intent = visit.payment.stripe_payment_intent_id

    assert compare(gateway) == [
        Difference(KIND.PAYMENT_DIFFERS, visit.payment.id, intent, 4000, 3900)
    ]


def test_a_refund_made_by_hand_is_found(visit, gateway, stripe):
    other = visit_of("Robin Hale", stripe, 5)
    by_hand = gateway._client.v1.refunds.create(
        {"payment_intent": other.payment.stripe_payment_intent_id, "amount": 1000}
    )

    assert compare(gateway) == [Difference(KIND.REFUND_MISSING_HERE, None, by_hand.id, None, 1000)]


def test_a_refund_stripe_does_not_have_is_found(visit, gateway, stripe, noon):
    other = visit_of("Robin Hale", stripe, 5)
    with transaction() as session:
        refund = Refund(
            payment_id=other.payment.id,
            reason=RefundReason.GOODWILL,
            status=RefundStatus.SUCCEEDED,
            amount_cents=500,
            requested_at=noon,
            requested_by="Ana Ruiz",
            stripe_refund_id="re_gone",
        )
        session.add(refund)

    assert compare(gateway) == [
        Difference(KIND.REFUND_MISSING_AT_STRIPE, refund.id, "re_gone", 500)
    ]


@pytest.mark.parametrize(
    ("facts", "differs"),
    [
        ({"amount_cents": 3800}, True),
        ({"status": RefundStatus.PENDING}, True),
        ({"status": RefundStatus.EXTERNAL}, False),
        ({"status": RefundStatus.SETTLED_OTHERWISE}, False),
    ],
    ids=["amount", "older status", "made elsewhere", "paid another way"],
)
def test_a_refund_that_differs_is_found(visit, gateway, facts, differs):
    [refund] = refunds()
    change(Refund, refund.id, **facts)

    cents = facts.get("amount_cents", 3900)
    line = Difference(KIND.REFUND_DIFFERS, refund.id, refund.stripe_refund_id, cents, 3900)
    assert compare(gateway) == ([line] if differs else [])


def test_memberships_are_compared_both_ways(visit, gateway):
    [membership] = all_of(Membership)
    theirs = membership.stripe_subscription_id
    change(Membership, membership.id, stripe_subscription_id="sub_gone")

    assert compare(gateway) == [
        Difference(KIND.MEMBERSHIP_MISSING_HERE, membership.id, theirs),
        Difference(KIND.MEMBERSHIP_MISSING_AT_STRIPE, membership.id, "sub_gone"),
    ]


def test_comparing_changes_nothing(visit, gateway):
    before = (len(all_of(JournalEntry)), [row.status for row in all_of(Payment)])

    compare(gateway)

    assert (len(all_of(JournalEntry)), [row.status for row in all_of(Payment)]) == before
    assert before[1] == [PaymentStatus.PAID]


def test_without_stripe_nothing_can_be_said(app, gateway, stripe):
    stripe.fault("drop_before", "/v1/balance_transactions", "GET")

    with pytest.raises(GatewayUnavailable):
        compare(gateway)


def test_a_refund_that_was_sent_once_more_leaves_no_difference_behind(visit, gateway, stripe, work):
    """The one that failed stays at Stripe, and is no refund we lack."""
    [refund] = refunds()
    stripe.bounce(refund.stripe_refund_id, "unknown")
    refund_news.apply_news(refund.stripe_refund_id, gateway)
    do(case_of(refund.id).id, CaseAction.RETRY)
    work()

    assert compare(gateway) == []
    assert sorted(made["status"] for made in stripe.refunds()) == ["failed", "succeeded"]
