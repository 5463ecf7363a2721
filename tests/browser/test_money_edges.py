"""When paying does not go as hoped: the money is said first, and is where the page says it is."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from booking_service.models import Booking, BookingStatus, RefundReason
from booking_service.queries.availability import soonest
from tests.browser.patient import (
    PAY,
    ROBIN,
    after_the_headline,
    at_review,
    at_stripe,
    go_to_stripe,
    headline,
    is_booked,
    money,
    pay,
)
from tests.factories import all_of, change, paid, refunds

pytestmark = pytest.mark.browser
NOT_CHARGED = "You haven't been charged."


@pytest.fixture
def phone(seeded, phones):
    return phones()


@pytest.fixture
def late(live, phone, stripe):
    """Stripe's page, open, of somebody whose time was let go."""
    at_stripe(phone, live)
    [booking] = all_of(Booking)
    change(Booking, booking.id, status=BookingStatus.EXPIRED)
    return phone


@pytest.fixture
def lost(late, stripe):
    """The page of somebody who paid for a time that another has."""
    [booking] = all_of(Booking)
    who_and_when = (booking.practitioner_id, booking.starts_at)
    slot = next(s for s in soonest(200) if (s.practitioner_id, s.starts_at) == who_and_when)
    paid(stripe, slot=slot, name=ROBIN.name, email=ROBIN.email)
    pay(late)
    expect(late.get_by_role("heading", level=1)).to_contain_text("the time was gone")
    return late


def test_a_hold_ends_while_its_page_stands_open(live, phone, noon, travel):
    at_review(phone, live)
    note = phone.locator("[data-until]")
    expect(note).to_contain_text("(10 min left)")

    travel(noon + timedelta(minutes=9))
    phone.clock.fast_forward("09:00")
    expect(note).to_contain_text("(1 min left)")
    phone.get_by_role("button", name="Need more time?").click()
    expect(note).to_contain_text("(10 min left)")

    travel(noon + timedelta(minutes=20))
    phone.clock.fast_forward("11:00")
    expect(note).to_contain_text("That hold has ended: go on, and we’ll try to take the time again")
    phone.get_by_label("I’ve read and agree").check()
    phone.get_by_role("button", name=PAY).click()

    expect(phone.get_by_role("heading", level=1)).to_contain_text("We had to let")
    assert after_the_headline(phone).startswith(NOT_CHARGED)
    assert "It is still free. Your details are kept." in after_the_headline(phone)
    assert money() == ["held"]
    phone.get_by_role("button", name="Take it again").click()
    assert "Dana Whitfield dana@example.com (518) 555-0178" in after_the_headline(phone)
    go_to_stripe(phone)
    pay(phone)
    is_booked(phone)
    assert money() == ["confirmed paid", "expired"]


def test_back_from_stripe_unpaid_and_then_paid(live, phone):
    at_stripe(phone, live)
    page = phone.url
    phone.get_by_role("link", name="Back").click()

    assert headline(phone) == "Ready when you are"
    said = after_the_headline(phone)
    assert said.startswith(NOT_CHARGED)
    assert "is yours until 12:31 PM (31 min left)." in said
    assert money() == ["held open"]

    phone.get_by_role("button", name="Pay $39.00").click()
    assert phone.url == page
    pay(phone)
    is_booked(phone)
    assert money() == ["confirmed paid"]


def test_stripes_page_ends_and_the_time_is_taken_again(live, phone, noon, stripe, travel):
    at_stripe(phone, live)
    stripe.advance(1900)
    travel(noon + timedelta(seconds=1900))
    phone.clock.fast_forward(1_900_000)
    phone.reload()
    expect(phone.get_by_role("heading", level=1)).to_have_text("This page has expired")
    phone.get_by_role("link", name="Back").click()

    assert headline(phone) == "Your payment page timed out"
    assert after_the_headline(phone).startswith(NOT_CHARGED)
    assert money() == ["expired expired"]
    phone.get_by_role("button", name="Take it again").click()
    assert "Dana Whitfield" in after_the_headline(phone)
    go_to_stripe(phone)
    pay(phone)
    is_booked(phone)
    assert money() == ["confirmed paid", "expired expired"]


def test_paid_late_and_the_time_is_still_free(late):
    pay(late)

    is_booked(late)
    assert money() == ["confirmed paid"]


def test_paid_late_and_another_time_chosen(lost):
    assert headline(lost) == "Your $39.00 was taken, and the time was gone"
    assert money() == ["confirmed paid", "expired paid"]

    lost.locator("button.slot").nth(5).click()

    is_booked(lost)
    assert "Your $39.00 goes back to Visa 4242 if you become a member" in after_the_headline(lost)
    lost.reload()
    lost.go_back()
    assert money() == ["confirmed paid"] * 2
    assert refunds() == []


def test_paid_late_and_the_money_sent_back(lost, work):
    lost.get_by_role("button", name="Send my $39.00 back now").click()

    assert headline(lost) == "You've paid, but that time has gone"
    assert after_the_headline(lost).startswith("Your $39.00 is going back to Visa 4242.")
    assert money() == ["confirmed paid", "expired paid requested"]
    lost.reload()
    lost.go_back()
    work()
    lost.goto(lost.url)
    assert after_the_headline(lost).startswith(
        "Your $39.00 has gone back to you. It did not become a visit"
    )
    assert money() == ["confirmed paid", "expired paid succeeded"]
    assert [refund.reason for refund in refunds()] == [RefundReason.SLOT_LOST]


def test_one_payment_page_in_two_tabs_is_paid_once(live, phone, stripe):
    at_stripe(phone, live)
    tab = phone.context.new_page()
    tab.goto(phone.url)
    pay(phone)
    is_booked(phone)

    pay(tab)

    expect(tab.get_by_role("heading", level=1)).to_have_text("Already paid")
    assert money() == ["confirmed paid"]
    assert len(stripe.listed("payment_intents")) == 1


def test_another_time_in_a_second_tab_closes_the_first_tabs_page(live, phone):
    at_stripe(phone, live)
    tab = phone.context.new_page()
    tab.goto(f"{live}/book")
    tab.locator("button.slot").nth(20).click()
    go_to_stripe(tab)

    pay(phone)
    expect(phone.get_by_role("heading", level=1)).to_have_text("This page has expired")
    pay(tab)
    is_booked(tab)

    assert money() == ["confirmed paid", "expired expired"]


def test_paid_on_two_phones_one_goes_back(live, phone, phones, work):
    other = phones()
    at_stripe(phone, live)
    at_stripe(other, live, nth=20)
    pay(phone)
    is_booked(phone)

    pay(other)

    expect(other.get_by_role("heading", level=1)).to_have_text("You’re booked once")
    assert after_the_headline(other).startswith("The second $39.00 is going back to Visa 4242.")
    work()
    other.reload()
    assert after_the_headline(other).startswith(
        "The second $39.00 has gone back to you. You paid for one"
    )
    assert money() == ["confirmed paid", "expired paid succeeded"]
    assert [refund.reason for refund in refunds()] == [RefundReason.DUPLICATE_PAYMENT]
