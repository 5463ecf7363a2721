import pytest

from booking_service.db import transaction
from booking_service.errors import GatewayUnavailable
from booking_service.gateways.payments import Event
from booking_service.models import (
    BookingStatus,
    JournalEntry,
    Membership,
    MembershipStatus,
    OutboxMessage,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    Tender,
    Topic,
    WebhookEvent,
)
from booking_service.queries import state
from booking_service.services import membership_pages, webhooks
from booking_service.services.memberships import Tendered
from tests.factories import all_of, at_stripe, booking, converted, payment_of, refunds


def received(type_: str, object_id: str, id_: str = "evt_1"):
    """Keep an event; return what is kept of it."""
    webhooks.receive(Event(id_, type_, object_id))
    return next((row for row in all_of(WebhookEvent) if row.stripe_event_id == id_), None)


def test_an_event_is_kept_once_and_owed_to_a_worker(app, noon):
    for _ in range(2):
        event = received("checkout.session.completed", "cs_1")

    assert (event.type, event.object_id, event.received_at) == (
        "checkout.session.completed",
        "cs_1",
        noon,
    )
    assert event.processed_at is None
    assert len(all_of(WebhookEvent)) == 1
    assert [(row.topic, row.subject_id) for row in all_of(OutboxMessage)] == [
        (Topic.WEBHOOK_RECEIVED, event.id)
    ]


def test_events_nobody_listens_to_are_not_kept(app):
    assert received("invoice.created", "in_1") is None
    assert received("", "") is None
    assert all_of(OutboxMessage) == []


@pytest.mark.parametrize("type_", ["completed", "async_payment_succeeded", "expired"])
def test_an_event_is_news_and_stripe_is_asked(seeded, noon, stripe, gateway, type_):
    payment = at_stripe()
    event = received(f"checkout.session.{type_}", payment.stripe_checkout_session_id)

    webhooks.process(event.id, gateway)
    assert booking(payment.booking_id).status is BookingStatus.HELD
    assert payment_of(payment.booking_id).status is PaymentStatus.OPEN

    stripe.pay(payment.stripe_checkout_session_id)
    webhooks.process(event.id, gateway)
    assert booking(payment.booking_id).status is BookingStatus.CONFIRMED
    entries = len(all_of(JournalEntry))

    webhooks.process(event.id, gateway)
    assert len(all_of(JournalEntry)) == entries
    assert state.state()["webhook_events"] == {"received": 1, "unprocessed": 0, "failed": 0}


def test_a_page_that_expired_at_stripe_frees_the_time(seeded, noon, stripe, gateway):
    payment = at_stripe()
    gateway.expire_checkout(payment.stripe_checkout_session_id)
    event = received("checkout.session.expired", payment.stripe_checkout_session_id)

    webhooks.process(event.id, gateway)

    assert booking(payment.booking_id).status is BookingStatus.EXPIRED
    assert payment_of(payment.booking_id).status is PaymentStatus.EXPIRED


def test_an_event_whose_object_cannot_be_asked_for_stays_unprocessed(seeded, noon, stripe, gateway):
    payment = at_stripe()
    event = received("checkout.session.completed", payment.stripe_checkout_session_id)
    stripe.fault("drop_before", "/v1/checkout/sessions/*", "GET")

    with pytest.raises(GatewayUnavailable):
        webhooks.process(event.id, gateway)

    assert state.state()["webhook_events"]["unprocessed"] == 1
    webhooks.process(event.id, gateway)
    [kept] = all_of(WebhookEvent)
    assert kept.processed_at == noon


@pytest.mark.usefixtures("noon", "seeded", "mail")
def test_news_of_a_refund_that_is_known_changes_nothing(stripe, gateway, work):
    converted(stripe)
    work()
    [refund] = refunds()
    entries = len(all_of(JournalEntry))

    for name in ("created", "updated", "failed"):
        event = received(f"refund.{name}", refund.stripe_refund_id, f"evt_{name}")
        webhooks.process(event.id, gateway)

    assert [row.status for row in refunds()] == [RefundStatus.SUCCEEDED]
    assert len(all_of(JournalEntry)) == entries


def test_an_event_given_up_counts_as_failed(app, noon):
    received("refund.updated", "re_1")
    with transaction() as session:
        session.query(OutboxMessage).update({"needs_review_at": noon})

    assert state.state()["webhook_events"] == {"received": 1, "unprocessed": 1, "failed": 1}


@pytest.mark.parametrize("type_", ["refund.updated", "checkout.session.completed"])
def test_news_of_what_stripe_does_not_know_under_our_key_is_done_with(
    seeded, noon, gateway, work, type_
):
    """The other mode's, or another account's: asking again would never make it ours."""
    received(type_, "xx_unheard_of")

    assert work() == [Topic.WEBHOOK_RECEIVED]

    [message] = all_of(OutboxMessage)
    assert message.done_at == noon


def elsewhere(stripe) -> None:
    """Let Stripe deliver to an address where nobody listens."""
    stripe.settings(webhook_url="http://127.0.0.1:9/webhooks/stripe")


@pytest.fixture
def lost_webhooks(stripe):
    elsewhere(stripe)
    yield
    stripe.settings(webhook_url="")


def test_what_stripe_could_not_deliver_is_fetched_and_worked_on(
    seeded, lost_webhooks, stripe, gateway, mail, work
):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)

    for _ in range(2):
        assert webhooks.sweep(gateway) == 1
        work()

    [event] = all_of(WebhookEvent)
    assert event.type == "checkout.session.completed"
    assert event.object_id == payment.stripe_checkout_session_id
    assert booking(payment.booking_id).status is BookingStatus.CONFIRMED


def test_nothing_is_fetched_while_stripe_does_not_answer(seeded, lost_webhooks, stripe, gateway):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)
    stripe.fault("drop_before", "/v1/events", "GET")

    assert webhooks.sweep(gateway) == 0

    assert all_of(WebhookEvent) == []
    assert webhooks.sweep(gateway) == 1


def test_a_payment_page_of_a_membership_that_was_paid_makes_a_member(
    seeded, noon, stripe, gateway, app
):
    id_ = converted(stripe, Tendered(Tender.CHECKOUT_LINK)).membership_id
    membership_pages.open_(id_, gateway, app.extensions["links"])
    page = all_of(Membership)[0].stripe_checkout_session_id
    stripe.pay(page)

    webhooks.process(received("checkout.session.completed", page).id, gateway)

    assert all_of(Membership)[0].status is MembershipStatus.ACTIVE
    assert [refund.reason for refund in refunds()] == [RefundReason.MEMBERSHIP]
