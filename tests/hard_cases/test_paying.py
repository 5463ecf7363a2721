"""A payment that comes twice, late, or without its webhook.

Hard cases "paid twice", "payment completes after the hold ended" (time still free; taken) and
"Stripe's webhook never comes".
"""

from datetime import timedelta

import pytest
from flask import current_app

from booking_service.models import Booking, BookingStatus, RefundReason
from booking_service.queries import state
from booking_service.services import checkout, receipts
from booking_service.web import checkout as checkout_pages
from tests.concurrency.crowd import without_constraint
from tests.factories import (
    all_of,
    at_stripe,
    booking,
    change,
    free_slot,
    lost_time,
    payment_of,
    refunds,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

A_DAY = timedelta(hours=24)


def visits() -> list[str]:
    return sorted(b.status.value for b in all_of(Booking))


def returned() -> list[tuple[str, str]]:
    return [(refund.reason.value, refund.status.value) for refund in refunds()]


def link(booking_id) -> str:
    return "/v/" + current_app.extensions["links"].token("visit", booking_id)


# Paid twice (two tabs).


def pay_in_two_tabs(gateway, stripe, work):
    tabs = [at_stripe(free_slot(nth)) for nth in (0, 5)]
    for payment in tabs:
        stripe.pay(payment.stripe_checkout_session_id)
    for payment in (*reversed(tabs), *tabs):
        checkout.confirm(payment.stripe_checkout_session_id, gateway)
    work()
    return tabs


def test_paid_twice_one_keeps_the_visit_and_the_other_goes_back(gateway, stripe, work):
    late, first = pay_in_two_tabs(gateway, stripe, work)

    assert booking(first.booking_id).status is BookingStatus.CONFIRMED
    assert booking(late.booking_id).status is BookingStatus.EXPIRED
    [refund] = refunds()
    assert (refund.payment_id, refund.reason) == (late.id, RefundReason.DUPLICATE_PAYMENT)
    assert [made["payment_intent"] for made in stripe.refunds()] == [
        payment_of(late.booking_id).stripe_payment_intent_id
    ]
    assert state.state()["ledger"]["accounts"]["refund_liability"] == -3900


def test_without_one_first_visit_a_patient_both_are_kept_and_nothing_goes_back(
    gateway, stripe, work
):
    with without_constraint("bookings", "uq_bookings_one_first_visit"):
        pay_in_two_tabs(gateway, stripe, work)
        ended = visits(), stripe.refunds()

    assert ended == (["confirmed", "confirmed"], [])


# Payment completes after the hold ended.


def pay_late_for_a_free_time(gateway, stripe, beat):
    payment = at_stripe()
    change(Booking, payment.booking_id, status=BookingStatus.EXPIRED)
    stripe.pay(payment.stripe_checkout_session_id)
    checkout.confirm(payment.stripe_checkout_session_id, gateway)
    beat()
    return visits(), returned()


def test_paid_after_the_hold_ended_and_the_time_is_free_it_is_booked(gateway, stripe, beat):
    assert pay_late_for_a_free_time(gateway, stripe, beat) == (["confirmed"], [])


def test_without_a_place_for_late_money_it_is_neither_a_visit_nor_on_its_way_back(
    gateway, stripe, beat, monkeypatch
):
    monkeypatch.setattr(receipts, "place", lambda *_: None)

    assert pay_late_for_a_free_time(gateway, stripe, beat) == (["expired"], [])
    assert len(stripe.listed("payment_intents")) == 1


def test_paid_after_the_hold_ended_and_the_time_is_taken_another_is_picked(
    phone, gateway, stripe, beat
):
    late, winner = lost_time(stripe, gateway)
    page = phone.open(link(late.booking_id))
    assert page.heading == "Your $39.00 was taken, and the time was gone"

    page.post(f"{page.path}/choose", slot=page.times()[5], csrf_token=page._token())
    beat()

    assert page.open(link(late.booking_id)).heading.startswith("You're booked: ")
    assert visits() == ["confirmed", "confirmed"]
    assert booking(late.booking_id).starts_at != booking(winner.booking_id).starts_at
    assert (returned(), len(stripe.listed("payment_intents"))) == ([], 2)


def test_paid_after_the_hold_ended_and_the_time_is_taken_the_money_is_asked_for(
    phone, gateway, stripe, beat
):
    late, _ = lost_time(stripe, gateway)

    page = phone.open(link(late.booking_id)).press("Send my $39.00 back now")
    beat()

    assert "Your $39.00 is going back to Visa 4242." in page.words
    assert (visits(), returned()) == (["confirmed", "expired"], [("slot_lost", "succeeded")])


def test_without_the_constraint_both_have_the_same_time(gateway, stripe):
    with without_constraint("bookings", "ex_bookings_no_overlap"):
        lost_time(stripe, gateway)
        ended = [(b.status, b.starts_at) for b in all_of(Booking)]

    assert ended[0] == ended[1]
    assert ended[0][0] is BookingStatus.CONFIRMED


def untouched_for_a_day(gateway, stripe, beat, travel, noon):
    late, _ = lost_time(stripe, gateway)
    travel(noon + A_DAY - timedelta(seconds=1))
    beat()
    before = returned()
    travel(noon + A_DAY)
    beat()
    beat()
    return before, returned(), len(stripe.refunds()), late


def test_paid_after_the_hold_ended_and_untouched_for_a_day_it_goes_back_once(
    gateway, stripe, beat, travel, noon
):
    before, after, at_stripe_now, _ = untouched_for_a_day(gateway, stripe, beat, travel, noon)

    assert before == []
    assert after == [("slot_lost", "succeeded")]
    assert at_stripe_now == 1


def test_without_the_sweep_money_nobody_chose_a_time_for_is_kept_for_ever(
    gateway, stripe, beat, beat_without, travel, noon
):
    beat_without("choices.sweep")

    _, after, at_stripe_now, late = untouched_for_a_day(gateway, stripe, beat, travel, noon)

    assert (after, at_stripe_now) == ([], 0)
    assert booking(late.booking_id).status is BookingStatus.EXPIRED


# Stripe's webhook never comes: none ever does in these tests.


def come_back_from_stripe(phone, stripe):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)
    token = current_app.extensions["links"].token("hold", payment.booking_id)
    phone.open(f"/book/{token}/done")
    return phone.heading, visits()


def test_stripes_webhook_never_comes_and_the_return_page_asks_stripe(phone, stripe):
    heading, ended = come_back_from_stripe(phone, stripe)

    assert heading.startswith("You're booked: ")
    assert ended == ["confirmed"]


def test_without_asking_the_return_page_waits_for_ever(phone, stripe, monkeypatch):
    monkeypatch.setattr(checkout_pages.checkout, "confirm", lambda *_: None)

    _, ended = come_back_from_stripe(phone, stripe)

    assert ended == ["held"]


@pytest.fixture
def unreachable(stripe):
    """Stripe cannot deliver its events."""
    stripe.settings(webhook_url="http://127.0.0.1:9/webhooks/stripe")
    yield
    stripe.settings(webhook_url="")


def close_the_phone_after_paying(stripe, beat, travel, noon):
    payment = at_stripe(free_slot(40))
    stripe.pay(payment.stripe_checkout_session_id)
    travel(noon + timedelta(hours=2))
    beat()
    return visits()


@pytest.mark.parametrize("left", ["holds.sweep", "checkout.sweep", "webhooks.sweep"])
def test_stripes_webhook_never_comes_and_each_sweep_alone_finds_the_payment(
    stripe, beat, beat_without, travel, noon, unreachable, left
):
    beat_without(*{"holds.sweep", "checkout.sweep", "webhooks.sweep"} - {left})

    assert close_the_phone_after_paying(stripe, beat, travel, noon) == ["confirmed"]


def test_without_any_sweep_a_paid_visit_is_never_booked(
    stripe, beat, beat_without, travel, noon, unreachable
):
    beat_without("holds.sweep", "checkout.sweep", "webhooks.sweep")

    assert close_the_phone_after_paying(stripe, beat, travel, noon) == ["held"]
    assert len(stripe.listed("payment_intents")) == 1
