"""What Stripe has, and the warning before refunds have to wait for it."""

from datetime import timedelta

import pytest

from booking_service.clock import utc_now
from booking_service.models import Actor, Booking, StripeBalance
from booking_service.queries.finance_forecast import forecast
from booking_service.services import balance, bookings
from tests.factories import all_of, change, visit_of
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("seeded", "noon")
WARNING = "Refunds may have to wait for money."


def what_finance_reads(app, seeded, page):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))
    return words(browser.get(page))


def test_nothing_is_forecast_before_stripe_was_asked(app):
    assert forecast() is None


def test_a_promise_of_today_is_more_than_an_empty_balance(stripe, gateway):
    visit_of("Robin Hale", stripe)  # the money of the visit itself is not available for two days

    balance.read(gateway)

    found = forecast()
    assert (found.available_cents, found.owed_cents, found.promised_cents) == (0, 0, 3900)
    assert not found.will_do


def test_money_that_is_available_will_do(stripe, gateway):
    visit_of("Robin Hale", stripe, card="4000000000000077")  # this card's money can be used at once
    visit_of("Ada Reyes", stripe, 5, card="4000000000000077")
    balance.read(gateway)
    assert forecast().available_cents == 2 * (3900 - 143)
    assert not forecast().will_do

    visit_of("Sol Park", stripe, 10, card="4000000000000077")
    balance.read(gateway)
    for number, booking in enumerate(all_of(Booking)[:2]):
        later = utc_now() + timedelta(days=9, hours=number)
        change(Booking, booking.id, starts_at=later, ends_at=later + timedelta(minutes=45))

    assert forecast().will_do


def test_a_refund_on_its_way_is_owed_and_promised_no_more(stripe, gateway):
    visit = visit_of("Robin Hale", stripe, 5)
    bookings.cancel(visit.booking_id, Actor.system())

    balance.read(gateway)

    assert (forecast().owed_cents, forecast().promised_cents) == (3900, 0)


def test_asking_again_replaces_the_answer_and_no_answer_keeps_it(stripe, gateway):
    balance.read(gateway)
    visit_of("Robin Hale", stripe, card="4000000000000077")
    balance.read(gateway)
    [kept] = all_of(StripeBalance)
    stripe.fault("error_500_before", "/v1/balance", times=9)

    balance.read(gateway)

    assert [(row.available_cents, row.read_at) for row in all_of(StripeBalance)] == [
        (3757, kept.read_at)
    ]


@pytest.mark.parametrize("page", ["/finance/refunds", "/finance/payouts"])
def test_finance_is_warned_before_it_happens(app, seeded, stripe, gateway, page):
    visit_of("Robin Hale", stripe)
    assert WARNING not in what_finance_reads(app, seeded, page)

    balance.read(gateway)

    assert f"{WARNING} Stripe has $0.00 available" in what_finance_reads(app, seeded, page)
