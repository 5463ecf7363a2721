"""The first payment is declined; or it was made, and does not last.

Hard cases "membership payment declined" and "membership later charged back, or cancelled within
days".
"""

from datetime import timedelta

import pytest
import requests

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.models import AuditRow, DisputeStatus, JournalLine, Membership
from booking_service.services import disputes, first_payments, ledger, membership_news
from tests.factories import all_of, booking, converted, paid, plan, refunds
from tests.faults.facts import decide, dispute, promise
from tests.stripe_account import _KEY as KEY

pytestmark = pytest.mark.usefixtures("seeded", "mail")

DECLINES_ONCE_SAVED = "4000000000000341"
DAY = timedelta(hours=23)


@pytest.fixture
def here(noon, stripe, desk, travel):
    """Dana is in treatment, with a card that will be declined."""
    visit = paid(stripe, card=DECLINES_ONCE_SAVED)
    travel(booking(visit.booking_id).starts_at)
    for step in ("arrive", "begin-treatment"):
        desk.post(f"/bookings/{visit.booking_id}/{step}")
    return visit


def press(desk, visit, travel, work, **payment):
    """Convert, and let the time to undo pass; return the membership as the desk sees it."""
    body = {"plan_id": str(plan().id), "payment": payment}
    made = desk.post(f"/bookings/{visit.booking_id}/convert", body).get_json()["membership"]
    travel(utc_now() + timedelta(seconds=11))
    work()
    return desk.get(f"/memberships/{made['id']}").get_json()


def standing(told) -> tuple[str, str, object]:
    return told["membership"]["status"], told["membership"]["payment"]["status"], told["refund"]


# Membership payment declined.


def test_membership_payment_declined_nothing_goes_back_until_the_phone_pays(
    here, desk, stripe, travel, work, beat
):
    declined = press(desk, here, travel, work, method="saved_card")
    assert standing(declined) == ("pending", "declined", None)
    assert (promise(), stripe.refunds(), stripe.subscriptions()) == ("open", [], [])

    waiting = press(desk, here, travel, work, method="checkout_link")
    assert standing(waiting) == ("pending", "scheduled", None)
    stripe.pay(all_of(Membership)[0].stripe_checkout_session_id)
    beat()

    assert waiting["membership"]["id"] == declined["membership"]["id"]
    assert (promise(), len(stripe.refunds()), len(stripe.subscriptions())) == ("settled", 1, 1)


def test_taking_a_decline_for_a_payment_returns_the_money_though_nobody_paid(
    here, desk, stripe, travel, work, monkeypatch
):
    """The control: whatever the bank says, the patient is a member."""

    def believe(charge, _refusal):
        with transaction() as session:
            first_payments.activate(session, charge.membership_id, None)

    monkeypatch.setattr(first_payments, "_decline", believe)

    press(desk, here, travel, work, method="saved_card")

    assert (promise(), len(stripe.refunds()), stripe.subscriptions()) == ("settled", 1, [])


def declined_and_left_alone(here, desk, travel, work, beat):
    press(desk, here, travel, work, method="saved_card")
    [membership] = all_of(Membership)
    travel(membership.decided_at + DAY - timedelta(seconds=1))
    beat()
    seen = [all_of(Membership)[0].status.value]
    travel(membership.decided_at + DAY)
    beat()
    beat()  # the promise follows the membership
    return [*seen, all_of(Membership)[0].status.value, promise().value]


def test_membership_payment_declined_lapses_after_23_hours(here, desk, travel, work, beat):
    ended = declined_and_left_alone(here, desk, travel, work, beat)

    assert ended == ["pending", "ended", "lapsed"]
    assert refunds() == []


def test_without_the_sweep_a_declined_membership_is_pending_for_ever(
    here, desk, travel, work, beat, beat_without
):
    beat_without("memberships.sweep")

    assert declined_and_left_alone(here, desk, travel, work, beat)[1] == "pending"


# Membership later charged back, or cancelled within days.


@pytest.fixture
def member(noon, stripe, work):
    made = converted(stripe)
    work()
    return made


def charged_back(member, stripe, gateway):
    """The bank takes the first month back; return what the books call a loss, in cents."""
    first_month = next(
        one
        for one in stripe.listed("payment_intents", limit=100)
        if one["id"] != member.payment.stripe_payment_intent_id
    )
    made = dispute(stripe, first_month["id"])
    for verdict in ("under_review", DisputeStatus.LOST):
        disputes.apply_news(made, gateway)
        decide(stripe, made, verdict)
    disputes.apply_news(made, gateway)
    lines = [line for line in all_of(JournalLine) if line.account == "dispute_losses"]
    return first_month["amount"], sum(line.amount_cents for line in lines)


def test_membership_later_charged_back_the_promise_stays_kept_and_it_is_a_loss(
    member, stripe, gateway
):
    taken, lost = charged_back(member, stripe, gateway)

    assert lost == taken
    assert (promise(), [refund.status.value for refund in refunds()]) == ("settled", ["succeeded"])


def test_without_its_entry_what_the_bank_took_is_reported_nowhere(
    member, stripe, gateway, monkeypatch
):
    monkeypatch.setattr(ledger, "record_dispute_lost", lambda *_: None)

    assert charged_back(member, stripe, gateway)[1] == 0


def cancelled_at_once(stripe, gateway):
    """Somebody cancels at Stripe; return after how many days, as finance is shown."""
    [made] = stripe.subscriptions()
    requests.delete(f"{stripe.url}/v1/subscriptions/{made['id']}", headers=KEY).raise_for_status()
    for _ in range(2):
        membership_news.subscription_changed(made["id"], gateway)
    rows = [row for row in all_of(AuditRow) if row.action == "membership.cancelled_early"]
    return [row.after["days"] for row in rows]


def test_membership_cancelled_within_days_the_promise_stays_kept_and_it_is_shown(
    member, stripe, gateway
):
    shown = cancelled_at_once(stripe, gateway)

    assert (shown, promise()) == ([0], "settled")
    assert [refund.status.value for refund in refunds()] == ["succeeded"]


def test_without_the_mark_a_member_of_a_day_is_shown_to_nobody(
    member, stripe, gateway, monkeypatch
):
    monkeypatch.setattr(membership_news, "_note_if_early", lambda *_: None)

    assert cancelled_at_once(stripe, gateway) == []
