"""Move and cancel: the money is said first, and neither going back nor reloading does it again."""

from datetime import timedelta

import pytest
from flask import current_app
from playwright.sync_api import Page, expect

from booking_service.links import FIRST
from booking_service.models import RefundReason
from tests.browser.patient import after_the_headline, headline, is_booked, money
from tests.factories import booking, paid, refunds, slot_in

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(live, noon, seeded, stripe):
    made = paid(stripe, slot=slot_in(72))
    made.address = current_app.extensions["links"].visit(made.booking_id, FIRST)
    return made


@pytest.fixture
def phone(visit, phones) -> Page:
    page = phones()
    page.goto(visit.address)
    return page


def moves(visit) -> int:
    return booking(visit.booking_id).moves


def test_a_visit_is_moved_twice_and_the_third_time_is_refused(phone, visit):
    for number in (1, 2):
        phone.get_by_role("link", name="Move my visit").click()
        assert after_the_headline(phone).startswith("Nothing is paid again. Your $39.00 and")
        phone.locator("button.slot").nth(100 * number).click()
        is_booked(phone)
        assert phone.url == visit.address

        phone.reload()
        phone.go_back()
        expect(phone.get_by_role("heading", level=1)).to_have_text("Move your visit")
        phone.reload()
        phone.get_by_role("link", name="Keep my time").click()
        is_booked(phone)
        assert moves(visit) == number

    stays_at = headline(phone)
    phone.get_by_role("link", name="Move my visit").click()
    phone.locator("button.slot").nth(40).click()

    expect(phone.get_by_role("alert")).to_have_text(
        "This visit has been moved twice already. Please call us to move it again."
    )
    assert headline(phone) == stays_at
    assert "Your $39.00 goes back to Visa 4242 if you become a member" in after_the_headline(phone)
    assert (moves(visit), money()) == (2, ["confirmed paid"])


def test_cancelled_in_time_the_money_goes_back_once(phone, visit, work):
    phone.get_by_role("link", name="Cancel my visit").click()
    assert after_the_headline(phone).startswith("Your $39.00 goes back to Visa 4242, all of it.")
    phone.get_by_role("link", name="Keep my visit").click()
    assert money() == ["confirmed paid"]

    phone.get_by_role("link", name="Cancel my visit").click()
    phone.get_by_role("button", name="Cancel and refund $39.00").click()

    assert headline(phone).endswith("is cancelled")
    expected = "$39.00 paid with Visa 4242 Your $39.00 is going back to Visa 4242."
    assert after_the_headline(phone).startswith(expected)
    phone.reload()
    phone.go_back()  # to the question, which is answered
    phone.reload()
    assert headline(phone).endswith("is cancelled")
    assert money() == ["cancelled paid requested"]

    work()
    phone.reload()
    assert "Your $39.00 was returned to Visa 4242 on Mon, Nov 23" in after_the_headline(phone)
    assert money() == ["cancelled paid succeeded"]
    assert [refund.reason for refund in refunds()] == [RefundReason.CANCELLATION]


def test_cancelled_late_the_money_is_kept_and_the_page_says_so_first(phone, visit, noon, travel):
    phone.get_by_role("link", name="Cancel my visit").click()
    travel(noon + timedelta(hours=50))

    # The page that promised the money stood open for too long: it asks again.
    phone.get_by_role("button", name="Cancel and refund $39.00").click()
    assert after_the_headline(phone).startswith("Your $39.00 will not be refunded.")
    assert money() == ["confirmed paid"]
    phone.get_by_role("link", name="Keep my visit").click()
    assert phone.get_by_role("link", name="Move my visit").count() == 0

    phone.get_by_role("link", name="Cancel my visit").click()
    phone.get_by_role("button", name="Cancel without a refund").click()

    expected = "$39.00 paid with Visa 4242 The $39.00 was kept, because the visit was cancelled"
    assert after_the_headline(phone).startswith(expected)
    phone.reload()
    phone.go_back()
    phone.reload()
    assert headline(phone).endswith("is cancelled")
    assert (money(), refunds()) == (["cancelled paid"], [])
