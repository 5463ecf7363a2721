"""What a patient changes about a paid visit, on a phone: the money is said first."""

from datetime import timedelta

import pytest
from flask import current_app

from booking_service.clock import utc_now
from booking_service.models import (
    Booking,
    BookingStatus,
    Payment,
    Promise,
    PromiseStatus,
    RefundReason,
)
from booking_service.services import choices
from tests import factories
from tests.factories import all_of, booking, change, free_slot, lost_time, refunds
from tests.web.phone import Phone


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def visit(seeded, stripe):
    """A paid visit three days from now."""
    made = factories.paid(stripe)
    starts_at = booking(made.booking_id).starts_at + timedelta(days=3)
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
    change(Booking, made.booking_id, **times)
    made.starts_at = starts_at
    return made


@pytest.fixture
def lost(seeded, stripe, gateway) -> Payment:
    return lost_time(stripe, gateway)[0]


def link(visit) -> str:
    return "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)


def test_cancelling_says_first_that_the_money_goes_back(phone, visit):
    phone.open(link(visit)).open(link(visit) + "/cancel")
    assert phone.words.startswith(
        "Cancel your visit? Your $39.00 goes back to Visa 4242, all of it."
    )
    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED

    phone.press("Cancel and refund $39.00")

    assert phone.heading.startswith("Your visit on ")
    assert "Your $39.00 is going back to Visa 4242." in phone.words
    assert [refund.reason for refund in refunds()] == [RefundReason.CANCELLATION]


def test_cancelling_late_says_first_that_the_money_is_kept(phone, visit, travel):
    travel(visit.starts_at - timedelta(hours=24))
    phone.open(link(visit) + "/cancel")
    assert phone.words.startswith("Cancel your visit? Your $39.00 will not be refunded.")

    phone.press("Cancel without a refund")

    assert booking(visit.booking_id).status is BookingStatus.CANCELLED
    assert "Your $39.00 paid for this visit" not in phone.words
    assert "The $39.00 was kept, because the visit was cancelled late." in phone.words
    assert refunds() == []


def test_a_page_that_promised_a_refund_too_long_ago_asks_again(phone, visit, travel):
    phone.open(link(visit) + "/cancel")
    travel(visit.starts_at - timedelta(hours=24))

    phone.press("Cancel and refund $39.00")

    assert phone.offers("Cancel without a refund")
    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED


def test_a_visit_that_has_begun_is_refused_in_words(phone, visit, travel):
    phone.open(link(visit) + "/cancel")
    travel(visit.starts_at)
    assert "/cancel" not in phone.get(link(visit)).text

    answer = phone.post(link(visit) + "/cancel", money="kept", csrf_token=phone._token())

    assert answer.status_code == 409
    assert "has begun" in answer.text


def test_a_visit_is_moved_with_one_tap_and_nothing_is_paid_again(phone, visit):
    phone.open(link(visit) + "/move")
    assert phone.words.startswith("Move your visit Nothing is paid again.")
    slot = free_slot(30)
    pick = f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}"

    answer = phone.post(link(visit) + "/move", slot=pick, csrf_token=phone._token())

    assert answer.status_code == 303
    assert booking(visit.booking_id).starts_at == slot.starts_at
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]


def test_a_time_that_went_meanwhile_shows_the_others(phone, visit):
    phone.open(link(visit) + "/move")
    slot = free_slot(30)
    pick = f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}"
    factories.hold(slot)

    answer = phone.post(link(visit) + "/move", slot=pick, csrf_token=phone._token())

    assert answer.status_code == 409
    assert "Your visit has not been moved." in answer.text
    assert booking(visit.booking_id).starts_at == visit.starts_at
    answer = phone.post(link(visit) + "/move", slot="?", csrf_token=phone._token())
    assert (answer.status_code, "Choose one of the times" in answer.text) == (422, True)


def test_more_days_are_one_tap_away(phone, visit):
    today = phone.open(link(visit) + "/move").times()
    week = phone.open(link(visit) + "/move?from=2999-01-01").html

    assert today
    assert "Show more days" not in week


def test_a_lost_time_offers_times_and_the_money(phone, lost):
    phone.open(link(lost))

    assert phone.heading == "Your $39.00 was taken, and the time was gone"
    assert "If you do nothing, it goes back to Visa 4242 by itself on" in phone.words
    assert phone.times()
    assert phone.get(link(lost) + "/visit.ics").status_code == 404


def test_a_chosen_time_that_went_meanwhile_says_that_the_money_is_here(phone, lost):
    phone.open(link(lost))
    slot = free_slot(30)
    pick = f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}"
    factories.hold(slot)

    answer = phone.post(link(lost) + "/choose", slot=pick, csrf_token=phone._token())

    assert answer.status_code == 409
    assert "Your $39.00 is still here" in answer.text


def test_the_return_page_leads_to_the_choice(phone, lost):
    token = current_app.extensions["links"].token("hold", lost.booking_id)

    for page in ("done", "review", "details"):
        phone.open(f"/book/{token}/{page}")
        assert phone.heading == "Your $39.00 was taken, and the time was gone"


def test_taking_a_paid_time_again_leads_to_where_it_is(phone, lost):
    phone.open("/book")
    token = current_app.extensions["links"].token("hold", lost.booking_id)

    answer = phone.post(f"/book/{token}/again", csrf_token=phone._token())

    assert answer.status_code == 303
    assert answer.headers["Location"].endswith(link(lost))


def test_money_a_person_looks_at_is_said_to_be_safe(phone, seeded, stripe, gateway):
    payment = factories.at_stripe()
    change(Payment, payment.id, amount_cents=4000)
    stripe.pay(payment.stripe_checkout_session_id)
    factories.checkout.confirm(payment.stripe_checkout_session_id, gateway)

    phone.open(link(payment))

    assert phone.heading == "We have your payment, and are looking into it"
    assert "Your money is safe." in phone.words


def test_after_a_day_the_page_says_that_the_money_goes_back(phone, lost, travel):
    travel(utc_now() + timedelta(hours=24, seconds=1))
    assert phone.open(link(lost)).heading == "We have your payment, and are looking into it"

    choices.sweep()

    assert "Your $39.00 is going back to Visa 4242." in phone.open(link(lost)).words
