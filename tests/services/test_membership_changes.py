"""What is decided about memberships that run: done once, whatever answer is lost."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
import requests
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from booking_service.db import db, transaction
from booking_service.errors import GatewayUnavailable, Invalid, NotAllowed, NotFound
from booking_service.models import (
    Actor,
    AuditRow,
    ChangeKind,
    Membership,
    MembershipChange,
    MembershipStatus,
    Plan,
    Practice,
    Tender,
)
from booking_service.services import (
    desk_memberships,
    membership_changes,
    membership_news,
    membership_orders,
    periods,
)
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, afresh, all_of, change, converted, later, plan

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

DAYS = 24 * 3600
KEY = {"Authorization": "Bearer sk_test_first_visit", "Stripe-Version": "2026-10-28.endive"}
SUBSCRIPTIONS = "/v1/subscriptions/*"


@pytest.fixture
def member(stripe, work, gateway):
    """A member by card, with what Stripe says of the membership."""
    id_ = converted(stripe).membership_id
    work()
    return id_


@pytest.fixture
def at_the_desk(stripe, work):
    """A member who pays each month at the desk."""
    id_ = converted(stripe, Tendered(Tender.RECORDED, "T-0042")).membership_id
    work()
    return id_


def row(id_) -> Membership:
    return afresh(select(Membership).where(Membership.id == id_)).one()


def at_stripe(stripe) -> dict:
    [made] = stripe.subscriptions()
    return made


def last_change() -> MembershipChange:
    return max(all_of(MembershipChange), key=lambda one: one.decided_at)


def cancel(id_, actor: Actor = PRIYA) -> datetime:
    ends_at = row(id_).period_ends_at
    membership_changes.cancel(id_, ends_at, actor)
    return ends_at


def test_what_stripe_says_is_known_from_the_first_payment(member, stripe):
    found, made = row(member), at_stripe(stripe)

    ends = made["items"]["data"][0]["current_period_end"]
    assert int(found.period_ends_at.timestamp()) == ends
    assert (found.card_brand, found.card_last4) == ("visa", "4242")
    assert (found.cancels_at, found.paused_at, found.next_plan_id) == (None, None, None)


def test_a_pause_is_decided_sent_and_confirmed(member, stripe, work, noon):
    membership_changes.pause(member, PRIYA)
    assert (row(member).paused_at, last_change().is_open) == (None, True)

    work()

    assert at_stripe(stripe)["pause_collection"]["behavior"] == "void"
    assert (row(member).paused_at, row(member).status) == (noon, MembershipStatus.ACTIVE)
    assert (last_change().confirmed_at, last_change().decided_by) == (noon, "Priya Shah")
    assert [one.action for one in all_of(AuditRow)].count("membership.pause") == 1


def test_a_resumed_membership_is_charged_again(member, stripe, work):
    membership_changes.pause(member, PRIYA)
    work()

    membership_changes.resume(member, PRIYA)
    work()

    assert at_stripe(stripe)["pause_collection"] is None
    assert row(member).paused_at is None


def test_a_cancellation_ends_with_the_period_and_can_be_taken_back(member, stripe, work):
    ends_at = cancel(member, Actor.patient())
    work()
    assert at_stripe(stripe)["cancel_at_period_end"] is True
    assert row(member).cancels_at == ends_at
    assert last_change().decided_by == "the patient"

    membership_changes.keep(member, PRIYA)
    work()

    assert at_stripe(stripe)["cancel_at"] is None
    assert row(member).cancels_at is None


def test_the_practices_notice_moves_the_end_to_a_later_period(member, stripe, work, noon):
    [practice] = all_of(Practice)
    change(Practice, practice.id, notice_days=40)
    found = row(member)
    ends_at = periods.cancelled_at(found.billing_anchor_at, found.period_ends_at, 40, noon)
    assert ends_at == periods.months_after(found.billing_anchor_at, 2)
    with pytest.raises(NotAllowed, match="date has changed"):
        membership_changes.cancel(member, found.period_ends_at, PRIYA)

    membership_changes.cancel(member, ends_at, PRIYA)
    work()
    assert at_stripe(stripe)["cancel_at"] == int(ends_at.timestamp())
    assert row(member).cancels_at == ends_at

    membership_changes.keep(member, PRIYA)
    work()
    assert (at_stripe(stripe)["cancel_at"], row(member).cancels_at) == (None, None)


def test_cancelled_now_is_over_now(member, stripe, work):
    membership_changes.pause(member, PRIYA)
    work()

    membership_changes.cancel_now(member, PRIYA)
    work()

    found = row(member)
    assert at_stripe(stripe)["status"] == "canceled"
    assert (found.status, found.paused_at) == (MembershipStatus.CANCELLED, None)
    assert last_change().confirmed_at is not None


def test_another_plan_is_billed_from_the_next_charge_on(member, stripe, gateway, work):
    before, other = row(member).plan_id, plan("Wellness")
    membership_changes.change_plan(member, other.id, PRIYA)
    work()
    assert (row(member).plan_id, row(member).next_plan_id) == (before, other.id)
    [item] = at_stripe(stripe)["items"]["data"]
    assert item["price"]["unit_amount"] == other.price_cents
    assert len(stripe.listed("invoices")) == 1

    stripe.advance(31 * DAYS)
    membership_news.subscription_changed(row(member).stripe_subscription_id, gateway)

    assert (row(member).plan_id, row(member).next_plan_id) == (other.id, None)


def test_going_back_to_the_plan_of_now_changes_nothing_of_it(member, stripe, work):
    before = row(member).plan_id
    for plan_id in (plan("Wellness").id, before):
        membership_changes.change_plan(member, plan_id, PRIYA)
        work()

    assert (row(member).plan_id, row(member).next_plan_id) == (before, None)


@pytest.mark.parametrize("act", ["pause", "cancel_now"])
def test_a_lost_answer_is_asked_for_again_and_done_once(member, stripe, persevere, act):
    method = {"pause": "POST", "cancel_now": "DELETE"}[act]
    stripe.fault("drop_after", SUBSCRIPTIONS, method)
    getattr(membership_changes, act)(member, PRIYA)

    persevere()

    asked = [one for one in stripe.log() if one["method"] == method]
    changed = [one for one in asked if one["path"].startswith("/v1/subscriptions/sub")]
    assert len(changed) == 1  # it was looked up, and was done already
    assert last_change().confirmed_at is not None


def test_while_stripe_does_not_answer_the_decision_stays_open(member, stripe, gateway):
    membership_changes.pause(member, PRIYA)
    stripe.fault("drop_before", SUBSCRIPTIONS, "GET")

    with pytest.raises(GatewayUnavailable):
        membership_orders.execute(last_change().id, gateway)

    assert last_change().is_open


def test_a_worker_that_overslept_does_not_pause_what_was_resumed(member, stripe, gateway, work):
    """Its request arrives last, under the key of a decision that was done: Stripe repeats."""
    asked = []

    class Remembering:
        def __getattr__(self, name):
            return getattr(gateway, name)

        def change_membership(self, order):
            asked.append(order)
            return gateway.change_membership(order)

    membership_changes.pause(member, PRIYA)
    membership_orders.execute(last_change().id, Remembering())
    membership_changes.resume(member, PRIYA)
    work()

    gateway.change_membership(asked[0])
    assert at_stripe(stripe)["pause_collection"] is None

    # The negative control: with a key of its own, it would.
    gateway.change_membership(replace(asked[0], idempotency_key="another"))
    assert at_stripe(stripe)["pause_collection"] is not None


def test_executing_twice_asks_once(member, stripe, gateway, work):
    membership_changes.pause(member, PRIYA)
    work()
    asked = len(stripe.log())

    membership_orders.execute(last_change().id, gateway)

    assert len(stripe.log()) == asked


def test_one_decision_at_a_time(member, work):
    membership_changes.pause(member, PRIYA)

    with pytest.raises(NotAllowed, match="still on its way"):
        membership_changes.cancel_now(member, PRIYA)

    assert len(all_of(MembershipChange)) == 1


def test_the_database_keeps_one_open_decision(member, noon):
    facts = {"membership_id": member, "decided_at": noon, "decided_by": "x"}
    refused = pytest.raises(IntegrityError, match="uq_membership_changes_one_open")
    with refused, transaction() as session:
        session.add_all(MembershipChange(kind=ChangeKind.PAUSE, **facts) for _ in range(2))


def test_what_stripe_refuses_is_written_down_and_changes_nothing(member, stripe, work):
    other = plan("Wellness").id
    change(Plan, other, stripe_price_id="price_gone")
    membership_changes.change_plan(member, other, PRIYA)

    work()

    assert (last_change().refusal_code, last_change().confirmed_at) == ("resource_missing", None)
    assert row(member).next_plan_id is None


def test_a_change_of_what_ended_meanwhile_is_moot(member, stripe, work):
    membership_changes.pause(member, PRIYA)
    path = f"{stripe.url}/v1/subscriptions/{row(member).stripe_subscription_id}"
    requests.delete(path, headers=KEY).raise_for_status()

    work()

    assert last_change().refusal_code == "ended"
    assert row(member).status is MembershipStatus.CANCELLED


def test_what_makes_no_sense_is_refused(member, work):
    for act in (membership_changes.resume, membership_changes.keep):
        with pytest.raises(NotAllowed, match="how it is already"):
            act(member, PRIYA)
    with pytest.raises(NotAllowed, match="how it is already"):
        membership_changes.change_plan(member, row(member).plan_id, PRIYA)
    for plan_id in (None, uuid4()):
        with pytest.raises(Invalid):
            membership_changes.change_plan(member, plan_id, PRIYA)
    with pytest.raises(NotFound):
        membership_changes.pause(uuid4(), PRIYA)


def test_a_membership_that_has_not_begun_cannot_be_changed(stripe):
    id_ = converted(stripe).membership_id

    with pytest.raises(NotAllowed, match="has ended, or hasn't started"):
        membership_changes.pause(id_, PRIYA)


def test_without_stripe_a_decision_holds_at_once(at_the_desk, stripe, noon):
    assert row(at_the_desk).period_ends_at == periods.months_after(noon, 1)
    asked = len(stripe.log())

    membership_changes.pause(at_the_desk, PRIYA)
    assert row(at_the_desk).paused_at == noon
    membership_changes.resume(at_the_desk, PRIYA)
    ends_at = cancel(at_the_desk)
    assert (row(at_the_desk).paused_at, row(at_the_desk).cancels_at) == (None, ends_at)
    membership_changes.keep(at_the_desk, PRIYA)
    membership_changes.change_plan(at_the_desk, plan("Wellness").id, PRIYA)
    assert row(at_the_desk).next_plan_id == plan("Wellness").id
    membership_changes.change_plan(at_the_desk, row(at_the_desk).plan_id, PRIYA)
    assert row(at_the_desk).next_plan_id is None
    membership_changes.cancel_now(at_the_desk, PRIYA)

    assert row(at_the_desk).status is MembershipStatus.CANCELLED
    assert len(stripe.log()) == asked


def test_months_at_the_desk_turn_here(at_the_desk, travel, noon):
    membership_changes.change_plan(at_the_desk, plan("Wellness").id, PRIYA)
    travel(periods.months_after(noon, 1) - timedelta(seconds=1))
    assert desk_memberships.sweep() == 0

    travel(periods.months_after(noon, 1))
    assert desk_memberships.sweep() == 1

    assert row(at_the_desk).period_ends_at == periods.months_after(noon, 2)
    assert db.session.get(Plan, row(at_the_desk).plan_id).name == "Wellness"
    ends_at = cancel(at_the_desk)
    travel(later(ends_at, hours=1))
    desk_memberships.sweep()
    found = row(at_the_desk)
    assert (found.status, found.ended_at) == (MembershipStatus.CANCELLED, ends_at)


def test_months_are_counted_from_the_day_they_began(noon):
    began = datetime.fromisoformat("2027-01-31T12:00:00+00:00")

    ends = [periods.months_after(began, months).date().isoformat() for months in (1, 2, 13)]

    assert ends == ["2027-02-28", "2027-03-31", "2028-02-29"]
