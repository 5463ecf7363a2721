"""What Stripe tells about memberships, in any order and number, and each month to the cent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import uuid4

import pytest
import requests

from booking_service.gateways.memberships import (
    MembershipPayment,
    Subscription,
    SubscriptionStatus,
)
from booking_service.gateways.payments import Event
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import wait_until
from booking_service.models import (
    AuditRow,
    Case,
    ChargeStatus,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    MembershipStatus,
    Promise,
    PromiseStatus,
    Tender,
    WebhookEvent,
)
from booking_service.queries import state
from booking_service.services import membership_news, webhooks
from booking_service.services.memberships import Tendered
from tests.factories import all_of, change, converted, refunds
from tests.trails import trail
from workers import app as workers_app

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

DAYS = 24 * 3600
KEY = {"Authorization": "Bearer sk_test_first_visit", "Stripe-Version": "2026-10-28.endive"}
S, M = SubscriptionStatus, MembershipStatus


@pytest.fixture
def member(stripe, work):
    """A member whose first visit went back."""
    id_ = converted(stripe).membership_id
    work()
    return id_


def membership(id_) -> Membership:
    return next(row for row in all_of(Membership) if row.id == id_)


def subscription_of(id_) -> str:
    return membership(id_).stripe_subscription_id


def booked(kind: EntryKind) -> list[tuple[str, str, int]]:
    """What was booked of a kind: the reference, Stripe's id, and the cents that moved."""
    moved = {line.entry_id: abs(line.amount_cents) for line in all_of(JournalLine)}
    entries = [one for one in all_of(JournalEntry) if one.kind is kind]
    return sorted((one.reference, one.stripe_id, moved[one.id]) for one in entries)


def cancel(stripe, subscription_id: str) -> None:
    """Do what a person does in Stripe's dashboard."""
    path = f"{stripe.url}/v1/subscriptions/{subscription_id}"
    requests.delete(path, headers=KEY).raise_for_status()


def invoices(stripe, id_) -> list[str]:
    found = stripe.listed("invoices", subscription=subscription_of(id_), status="paid")
    return [invoice["id"] for invoice in found]


def renew(stripe, id_) -> None:
    """Let a month pass at Stripe, and the hour until its invoice is charged."""
    before = len(invoices(stripe, id_))
    stripe.advance(31 * DAYS)
    wait_until(lambda: len(invoices(stripe, id_)) > before, "a paid invoice")


class Told:
    """A gateway whose membership stands as a test says."""

    def __init__(self, gateway, status: SubscriptionStatus, **facts) -> None:
        self._gateway, self._facts = gateway, {"status": status, **facts}

    def __getattr__(self, name):
        return getattr(self._gateway, name)

    def find_subscription(self, subscription_id):
        return replace(self._gateway.find_subscription(subscription_id), **self._facts)


def tell(gateway, id_, *statuses: SubscriptionStatus, **facts) -> None:
    for status in statuses:
        told = Told(gateway, status, **facts)
        membership_news.subscription_changed(subscription_of(id_), told)


@pytest.mark.parametrize(
    ("told", "becomes"),
    [
        (S.ACTIVE, M.ACTIVE),
        (S.TRIALING, M.ACTIVE),
        (S.PAST_DUE, M.PAST_DUE),
        (S.UNPAID, M.PAST_DUE),
        (S.CANCELED, M.CANCELLED),
        (S.PAUSED, M.ACTIVE),
        (S.INCOMPLETE, M.ACTIVE),
        (S.INCOMPLETE_EXPIRED, M.ACTIVE),
    ],
)
def test_a_membership_follows_what_stripe_says(member, gateway, told, becomes):
    tell(gateway, member, told)

    assert membership(member).status is becomes


def test_a_membership_that_is_paid_again_is_active_again(member, gateway):
    tell(gateway, member, S.PAST_DUE, S.PAST_DUE, S.ACTIVE)

    assert membership(member).status is M.ACTIVE
    assert trail(member) == ["active", "past_due", "active"]


@pytest.mark.parametrize("order", [*permutations([S.ACTIVE, S.PAST_DUE, S.CANCELED])])
def test_what_was_cancelled_does_not_come_back_in_any_order(member, gateway, order):
    tell(gateway, member, *order, S.CANCELED, S.ACTIVE)

    assert membership(member).status is M.CANCELLED


def test_news_twice_changes_nothing(member, stripe, gateway):
    renew(stripe, member)
    [newest, _] = invoices(stripe, member)
    membership_news.invoice_changed(newest, gateway)
    before = state.state()

    membership_news.invoice_changed(newest, gateway)
    membership_news.subscription_changed(subscription_of(member), gateway)

    assert state.state() == before


def test_each_month_is_booked_once_under_its_payment(member, stripe, gateway):
    renew(stripe, member)
    for invoice in invoices(stripe, member) * 2:
        membership_news.invoice_changed(invoice, gateway)

    intents = [one for one in stripe.listed("payment_intents") if one["amount"] == 14900]
    ids = sorted(intent["id"] for intent in intents)
    assert len(ids) == 2
    assert booked(EntryKind.MEMBERSHIP_PAYMENT) == [(id_, id_, 14900) for id_ in ids]
    assert booked(EntryKind.MEMBERSHIP_FEE) == [(id_, id_, 462) for id_ in ids]
    accounts = state.state()["ledger"]["accounts"]
    assert accounts["membership_revenue"] == -29800


def test_our_balance_is_stripes_to_the_cent(member, stripe, gateway):
    renew(stripe, member)
    membership_news.subscription_changed(subscription_of(member), gateway)

    moved = [one["net"] for one in stripe.listed("balance_transactions", limit=100)]
    payouts = [
        one["net"]
        for one in stripe.listed("balance_transactions", limit=100)
        if one["type"] == "payout"
    ]
    accounts = state.state()["ledger"]["accounts"]
    assert accounts["stripe_balance"] == sum(moved) - sum(payouts)


def test_a_fee_stripe_books_later_is_booked_then(stripe, gateway, work, monkeypatch):
    member = converted(stripe).membership_id
    worker = workers_app.gateway()

    def without_fee(order):
        made = StripeGateway.subscribe(worker, order)
        return replace(made, payments=[replace(one, fee_cents=None) for one in made.payments])

    monkeypatch.setattr(worker, "subscribe", without_fee)
    work()
    assert (len(booked(EntryKind.MEMBERSHIP_PAYMENT)), booked(EntryKind.MEMBERSHIP_FEE)) == (1, [])

    [invoice] = invoices(stripe, member)
    membership_news.invoice_changed(invoice, gateway)

    assert [cents for *_, cents in booked(EntryKind.MEMBERSHIP_FEE)] == [462]


def test_what_was_recorded_at_the_desk_is_in_the_drawer_with_its_receipt(stripe, work):
    converted(stripe, Tendered(Tender.RECORDED, "T-0042"))
    work()

    assert booked(EntryKind.MEMBERSHIP_PAYMENT) == [("T-0042", None, 14900)]
    assert state.state()["ledger"]["accounts"]["desk_takings"] == 14900


@pytest.mark.parametrize(("days", "marks"), [(14, 1), (15, 0)])
def test_a_membership_is_cancelled_early_within_14_days_of_the_refund(
    noon, member, gateway, days, marks
):
    tell(gateway, member, S.CANCELED, ended_at=noon + timedelta(days=days))

    actions = [row.action for row in all_of(AuditRow)]
    assert membership(member).ended_at == noon + timedelta(days=days)
    assert actions.count("membership.cancelled_early") == marks


def test_a_membership_without_refund_is_not_cancelled_early(noon, stripe, gateway, work):
    visit = converted(stripe)
    [promise] = all_of(Promise)
    change(Promise, promise.id, status=PromiseStatus.VOID)
    work()

    tell(gateway, visit.membership_id, S.CANCELED)

    assert membership(visit.membership_id).ended_at == noon
    actions = [row.action for row in all_of(AuditRow)]
    assert actions.count("membership.cancelled_early") == 0


def test_news_before_our_own_answer_makes_the_member(stripe, gateway):
    """Stripe made it, the answer was lost, and the webhook is faster than the next try."""
    id_ = converted(stripe).membership_id
    made = made_behind_our_back(stripe, gateway, id_)

    membership_news.subscription_changed(made.id, gateway)

    row = membership(id_)
    assert (row.status, row.charge_status, row.stripe_subscription_id) == (
        M.ACTIVE,
        ChargeStatus.PAID,
        made.id,
    )
    assert len(refunds()) == 1


def test_news_of_one_that_is_not_paid_makes_no_member(stripe, gateway):
    id_ = converted(stripe).membership_id
    made = made_behind_our_back(stripe, gateway, id_)

    for status in (S.INCOMPLETE, S.TRIALING, S.INCOMPLETE_EXPIRED, S.CANCELED):
        told = Told(gateway, status, payments=[])
        membership_news.subscription_changed(made.id, told)

    assert membership(id_).status is M.PENDING
    assert refunds() == []


def test_one_that_was_cancelled_before_we_knew_of_it_was_a_member(stripe, gateway):
    """Its first payment settled: the promise is kept, and finance sees how it ended."""
    id_ = converted(stripe).membership_id
    made = made_behind_our_back(stripe, gateway, id_)
    cancel(stripe, made.id)

    membership_news.subscription_changed(made.id, gateway)

    assert membership(id_).status is M.CANCELLED
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.EARNED]


def test_a_second_one_for_the_same_decision_is_a_case_and_never_adopted(member, stripe, gateway):
    first = subscription_of(member)
    second = made_behind_our_back(stripe, gateway, member)

    for _ in range(2):
        membership_news.subscription_changed(second.id, gateway)

    [case] = all_of(Case)
    assert (case.type, case.subject_id, case.detail) == ("membership_twice", member, second.id)
    assert case.amount_cents == 14900
    assert subscription_of(member) == first
    [payment] = second.payments
    assert booked(EntryKind.UNMATCHED_RECEIPT) == [
        (payment.payment_intent_id, payment.payment_intent_id, 14900)
    ]
    assert len(refunds()) == 1


def test_a_second_one_that_was_cancelled_opens_no_case_again(member, stripe, gateway):
    second = made_behind_our_back(stripe, gateway, member)
    cancel(stripe, second.id)

    membership_news.subscription_changed(second.id, gateway)

    assert all_of(Case) == []
    assert membership(member).status is M.ACTIVE
    assert len(booked(EntryKind.UNMATCHED_RECEIPT)) == 1


def test_one_found_after_the_desk_took_cash_is_a_case(stripe, gateway):
    """The receipt is what was decided; the card must be given its money back."""
    id_ = converted(stripe, Tendered(Tender.RECORDED, "T-0042")).membership_id
    made = made_behind_our_back(stripe, gateway, id_)

    membership_news.subscription_changed(made.id, gateway)

    assert [case.type for case in all_of(Case)] == ["membership_twice"]
    assert membership(id_).status is M.PENDING


def test_another_applications_news_is_left_alone(gateway):
    for membership_id in (None, uuid4()):
        other = Subscription(
            "sub_other",
            membership_id,
            S.ACTIVE,
            datetime(2026, 11, 23, tzinfo=UTC),
            [MembershipPayment("pi_other", 100, 33)],
        )

        class Other:
            def find_subscription(self, _id, found=other):
                return found

        membership_news.subscription_changed("sub_other", Other())

    assert all_of(JournalEntry) == []


def test_an_invoice_that_bills_no_membership_is_left_alone(gateway):
    class Loose:
        def subscription_of_invoice(self, _id):
            return None

    membership_news.invoice_changed("in_1", Loose())

    assert all_of(Membership) == []


@pytest.mark.parametrize(
    "type_",
    [
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "invoice.paid",
        "invoice.payment_failed",
    ],
)
def test_each_webhook_about_a_membership_is_looked_up(member, stripe, gateway, type_):
    [invoice] = invoices(stripe, member)
    about = invoice if type_.startswith("invoice") else subscription_of(member)
    cancel(stripe, subscription_of(member))
    webhooks.receive(Event("evt_1", type_, about))
    [event] = [row for row in all_of(WebhookEvent) if row.stripe_event_id == "evt_1"]

    webhooks.process(event.id, gateway)

    assert membership(member).status is M.CANCELLED


def made_behind_our_back(stripe, gateway, id_) -> Subscription:
    """Make a membership at Stripe that we have not written down."""
    [customer] = stripe.listed("customers")
    [card] = stripe.listed("payment_methods", customer=customer["id"])
    body = {
        "customer": customer["id"],
        "items[0][price]": gateway.create_price(membership(id_).plan_id, 14900, "usd"),
        "default_payment_method": card["id"],
        "off_session": "true",
        "payment_behavior": "error_if_incomplete",
        "metadata[application]": "first_visit",
        "metadata[membership_id]": str(id_),
    }
    answer = requests.post(f"{stripe.url}/v1/subscriptions", data=body, headers=KEY)
    answer.raise_for_status()
    return gateway.find_subscription(answer.json()["id"])
