"""The whole of it on a small phone that runs no scripts."""

import pytest
from playwright.sync_api import expect

from tests.browser.patient import (
    DANA,
    after_the_headline,
    give_details,
    go_to_stripe,
    headline,
    is_booked,
    money,
    pay,
)

pytestmark = pytest.mark.browser


def test_filter_book_wait_for_an_earlier_time_move_and_cancel(live, seeded, phones):
    page = phones(java_script_enabled=False, viewport={"width": 320, "height": 640})
    page.goto(live)
    page.get_by_text("What if I can’t come?").click()
    expect(page.get_by_text("Up to 24 hours before it you get a full refund")).to_be_visible()
    page.get_by_role("link", name="See all times").click()

    page.get_by_role("radio", name="Evening").check()
    page.get_by_label("Doctor").select_option(label="Dr. Lena Park")
    page.get_by_role("button", name="Show these times").click()
    expect(page.get_by_role("radio", name="Evening")).to_be_checked()
    parts = page.locator("[role=group]").evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert parts
    assert all(part.startswith("Evening, ") for part in parts)
    page.get_by_role("link", name="Show more days").click()
    page.get_by_role("link", name="Tue").click()
    page.locator("section.day", has_text="Tuesday").locator("button.slot").first.click()

    give_details(page, DANA._replace(phone="12"))
    expect(page.get_by_role("alert")).to_contain_text("Enter a mobile number with 10 digits")
    give_details(page, DANA)
    assert "Dr. Lena Park" in after_the_headline(page)
    go_to_stripe(page)
    page.get_by_role("link", name="Back").click()
    assert headline(page) == "Ready when you are"
    page.get_by_role("button", name="Pay $39.00").click()
    pay(page)
    is_booked(page)
    assert headline(page) == "You're booked: Tuesday, December 1 at 5:00 PM"

    page.get_by_role("button", name="Tell me if an earlier time opens").click()
    page.get_by_role("button", name="Stop telling me").click()
    page.get_by_role("button", name="Tell me if an earlier time opens").click()
    assert "We'll email you when an earlier time opens" in after_the_headline(page)

    page.get_by_role("link", name="Move my visit").click()
    page.get_by_role("link", name="Show more days").click()
    page.locator("section.day", has_text="Friday").locator("button.slot").first.click()
    is_booked(page)
    assert headline(page) == "You're booked: Friday, December 4 at 12:00 AM"

    page.get_by_role("link", name="Cancel my visit").click()
    page.get_by_role("button", name="Cancel and refund $39.00").click()
    assert headline(page) == "Your visit on Friday, December 4 is cancelled"
    assert "Your $39.00 is going back to Visa 4242." in after_the_headline(page)
    assert money() == ["cancelled paid requested"]
