"""Two phones show the same time: one gets it, and the other still leaves with a visit."""

import pytest
from playwright.sync_api import expect

from booking_service.models import Booking
from tests.browser.patient import (
    DANA,
    ROBIN,
    after_the_headline,
    give_details,
    go_to_stripe,
    headline,
    is_booked,
    money,
    pay,
)
from tests.factories import all_of

pytestmark = pytest.mark.browser


def test_the_slower_of_two_books_one_of_the_nearest_times(live, seeded, phones):
    quick, slow = phones(), phones()
    for phone in (quick, slow):
        phone.goto(f"{live}/book")
    time = quick.locator("button.slot").first
    value, words = time.get_attribute("value"), time.inner_text()
    time.click()
    expect(quick.get_by_role("heading", level=1)).to_have_text("Who is coming?")

    slow.locator(f"button.slot[value='{value}']").click()

    assert headline(slow) == "That time was just booked"
    assert after_the_headline(slow).startswith(
        "You haven't been charged. Here are the nearest times."
    )
    nearest = slow.locator("button[name=slot]")
    assert nearest.count() == 3
    assert value not in [one.get_attribute("value") for one in nearest.all()]
    assert money() == ["held"]

    slow.reload()
    assert headline(slow) == "That time was just booked"
    assert money() == ["held"]

    chosen = nearest.first.get_attribute("value")
    nearest.first.click()
    for phone, person in ((slow, ROBIN), (quick, DANA)):
        give_details(phone, person)
        go_to_stripe(phone)
        pay(phone, person)
        is_booked(phone)
    assert words in headline(quick)
    assert money() == ["confirmed paid"] * 2
    times = {f"{one.practitioner_id}@{one.starts_at:%Y-%m-%dT%H:%MZ}" for one in all_of(Booking)}
    assert times == {value, chosen}
