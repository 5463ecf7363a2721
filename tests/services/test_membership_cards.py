"""Another card, and months that could not be charged: told once, tried again, never twice."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from booking_service.db import db
from booking_service.errors import GatewayUnavailable, NotAllowed
from booking_service.gateways.payments import Event
from booking_service.local.ports import wait_until
from booking_service.models import (
    AuditRow,
    Membership,
    MembershipStatus,
    Notification,
    NotificationStatus,
    Tender,
    Topic,
    WebhookEvent,
)
from booking_service.services import membership_cards, membership_news, webhooks
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, afresh, all_of, change, converted, plan

pytestmark = pytest.mark.usefixtures("noon", "seeded")

DAYS = 24 * 3600
SESSIONS = "/v1/checkout/sessions"
FAILS_LATER = "4000000000000341"  # can be kept, and every charge of it is declined
OTHER = "5555555555554444"


@pytest.fixture
def links(app):
    return app.extensions["links"]


@pytest.fixture
def member(stripe, work, mail):
    id_ = converted(stripe).membership_id
    work()
    mail.letters.clear()
    return id_


@pytest.fixture
def owing(member, stripe, gateway, links, mail, travel):
    """A member whose renewal was declined."""
    give(member, stripe, gateway, links, FAILS_LATER)
    stripe.advance(31 * DAYS)
    subscription = row(member).stripe_subscription_id
    wait_until(lambda: stripe.subscriptions()[0]["status"] == "past_due", "a declined renewal")
    travel(stripe.now())
    membership_news.subscription_changed(subscription, gateway)
    return member


def row(id_) -> Membership:
    return afresh(select(Membership).where(Membership.id == id_)).one()


def give(id_, stripe, gateway, links, card: str) -> str:
    """Give another card on Stripe's page, and come back from it."""
    membership_cards.open_(id_, gateway, links)
    page_id = row(id_).card_page_id
    assert stripe.pay(page_id, card).status_code == 200
    membership_cards.confirm_of(id_, gateway)
    return page_id


def count_of(action: str) -> int:
    return [one.action for one in all_of(AuditRow)].count(action)


def test_another_card_is_charged_from_then_on(member, stripe, gateway, links):
    give(member, stripe, gateway, links, OTHER)

    found = row(member)
    assert (found.card_brand, found.card_last4) == ("mastercard", "4444")
    assert (found.card_page_id, found.card_page_url) == (None, None)
    assert count_of("membership.card_changed") == 1
    assert len(stripe.listed("invoices")) == 1  # nothing was charged


def test_a_page_used_twice_over_changes_the_card_once(member, stripe, gateway, links):
    page_id = give(member, stripe, gateway, links, OTHER)
    asked = [one for one in stripe.log() if one["method"] == "POST"]

    membership_cards.write_down(gateway.find_checkout(page_id), gateway)
    membership_cards.confirm_of(member, gateway)

    assert [one for one in stripe.log() if one["method"] == "POST"] == asked
    assert count_of("membership.card_changed") == 1


def test_asking_again_gets_the_same_page_though_the_answer_was_lost(member, stripe, gateway, links):
    stripe.fault("drop_after", SESSIONS)
    with pytest.raises(GatewayUnavailable):
        membership_cards.open_(member, gateway, links)

    first = membership_cards.open_(member, gateway, links)
    second = membership_cards.open_(member, gateway, links)

    pages = [one for one in stripe.listed("checkout/sessions") if one["mode"] == "setup"]
    assert first == second
    assert [one["id"] for one in pages] == [row(member).card_page_id]


@pytest.mark.parametrize("by", ["webhook", "sweep"])
def test_a_card_whose_patient_never_came_back_is_found(member, stripe, gateway, links, by):
    membership_cards.open_(member, gateway, links)
    page_id = row(member).card_page_id
    stripe.pay(page_id, OTHER)

    if by == "sweep":
        assert membership_cards.sweep(gateway) == 1
    else:
        webhooks.receive(Event("evt_card", "checkout.session.completed", page_id))
        [event] = [one for one in all_of(WebhookEvent) if one.stripe_event_id == "evt_card"]
        webhooks.process(event.id, gateway)

    assert row(member).card_last4 == "4444"


def test_a_month_that_fails_is_told_of_once(owing, stripe, gateway, work, mail):
    found = row(owing)
    [invoice] = stripe.listed("invoices", status="open")
    assert found.status is MembershipStatus.PAST_DUE
    assert found.past_due_code == "generic_decline"
    assert int(found.retry_at.timestamp()) == invoice["next_payment_attempt"]
    assert int(found.past_due_since.timestamp()) == invoice["status_transitions"]["finalized_at"]

    for _ in range(3):
        membership_news.invoice_changed(invoice["id"], gateway)
    work()

    [letter] = mail.letters
    assert letter.subject == "Your monthly payment didn’t go through"
    assert "/membership/card" in letter.text
    assert count_of("membership.payment_failed") == 1


def test_a_mail_about_a_month_that_was_paid_meanwhile_is_not_sent(
    owing, stripe, gateway, links, work, mail
):
    give(owing, stripe, gateway, links, OTHER)

    work()

    assert mail.letters == []
    [told] = [one for one in all_of(Notification) if one.topic is Topic.PAYMENT_FAILED]
    assert told.status is NotificationStatus.SKIPPED


def test_another_card_pays_the_month_that_is_owed_at_once(owing, stripe, gateway, links):
    give(owing, stripe, gateway, links, OTHER)

    found = row(owing)
    assert found.status is MembershipStatus.ACTIVE
    assert (found.past_due_since, found.past_due_code, found.retry_at) == (None, None, None)
    assert stripe.listed("invoices", status="open") == []


def test_another_card_that_is_declined_too_leaves_the_month_owed(owing, stripe, gateway, links):
    give(owing, stripe, gateway, links, FAILS_LATER)

    assert row(owing).status is MembershipStatus.PAST_DUE
    assert row(owing).card_page_id is None


def test_what_was_looked_up_earlier_does_not_undo_what_is_known(
    owing, stripe, gateway, links, travel
):
    """A worker looked while the month was owed, slept, and wakes after it was paid."""
    old = gateway.find_subscription(row(owing).stripe_subscription_id)
    then = row(owing).looked_up_at
    travel(then + timedelta(minutes=1))
    give(owing, stripe, gateway, links, OTHER)

    with_session(lambda session: membership_news.follow(session, locked(owing), old, then))
    assert row(owing).status is MembershipStatus.ACTIVE

    # The negative control: were it news, it would.
    later = then + timedelta(minutes=2)
    with_session(lambda session: membership_news.follow(session, locked(owing), old, later))
    assert row(owing).status is MembershipStatus.PAST_DUE


def with_session(act) -> None:
    db.session.rollback()
    act(db.session())
    db.session.commit()


def locked(id_) -> Membership:
    return db.session.get_one(Membership, id_)


def test_the_desk_mails_the_link(member, work, mail):
    membership_cards.send_link(member, PRIYA)
    work()

    [letter] = mail.letters
    assert letter.subject == "The link for another card"
    assert count_of("membership.card_link") == 1


def test_months_taken_at_the_desk_have_no_card(stripe, work, gateway, links, mail):
    id_ = converted(stripe, Tendered(Tender.RECORDED, "T-0042")).membership_id
    work()

    with pytest.raises(NotAllowed, match="isn't paid by card here"):
        membership_cards.open_(id_, gateway, links)
    with pytest.raises(NotAllowed, match="isn't paid by card here"):
        membership_cards.send_link(id_, PRIYA)


def test_the_database_knows_no_pause_of_what_ended(member, noon):
    with pytest.raises(IntegrityError, match="changes_while_running"):
        change(Membership, member, status=MembershipStatus.CANCELLED, paused_at=noon)
    with pytest.raises(IntegrityError, match="owes_while_past_due"):
        change(Membership, member, retry_at=noon)
    with pytest.raises(IntegrityError, match="next_plan_is_another"):
        change(Membership, member, next_plan_id=plan().id)
