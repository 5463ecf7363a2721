"""A whole booking, a move and a cancellation by keyboard; the focus is seen at every stop."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.keys import Keys
from tests.browser.patient import DANA, headline, is_booked, money

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"}
DESK = {"viewport": {"width": 1280, "height": 720}, "color_scheme": "dark"}


@pytest.fixture(params=[PHONE, DESK], ids=["light-390", "dark-1280"])
def page(request, phones):
    return phones(**request.param)


def choose_a_time(page, keys: Keys) -> None:
    """Through the offer, its skip link and the filters, to a time of another day."""
    assert keys.tab()["words"] == "Skip to main content"
    keys.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    keys.tab()
    assert page.evaluate("document.activeElement.closest('main') !== null")
    keys.tab_to("What if I can")
    keys.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")
    keys.tab_to("See all times", key="Shift+Tab")
    keys.open()

    keys.tab_to("Any")
    keys.press("ArrowRight")
    expect(page.locator("#said")).to_have_text(re.compile(r"^\d+ times from"))
    assert "part=morning" in page.url
    assert keys.look()["words"] == "Morning"
    keys.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"/book\?$"))
    assert keys.tab()["kind"] == "SELECT"
    keys.tab_to("Wed")
    keys.press("Enter")
    stop = keys.tab()
    assert stop["words"] == "12:00 AM"
    assert page.evaluate("document.activeElement.value").split("@")[1].startswith("2026-11-25")
    keys.open()


def give_details(page, keys: Keys) -> None:
    """A mistake first: the summary is read first, and leads to the field."""
    keys.tab_to("Need more time?")
    keys.tab_to(id_="name")
    keys.type(DANA.name)
    keys.tab_to("booking for somebody else")
    keys.press("Space")
    assert keys.tab()["id"] == "booked_by"
    keys.tab_to("booking for somebody else", key="Shift+Tab")
    keys.press("Space")
    assert keys.tab()["id"] == "phone"
    keys.type("12")
    keys.tab_to(id_="email")
    keys.type(DANA.email)
    keys.open()

    assert keys.look()["words"].startswith("There is a problem")
    keys.tab_to("Enter a mobile number with 10 digits")
    keys.press("Enter")
    assert keys.look()["id"] == "phone"
    keys.press("Control+A")
    keys.type(DANA.phone)
    keys.tab_to("Continue")
    keys.open()


def check_and_pay(page, keys: Keys) -> None:
    keys.tab_to(id_="agree")
    keys.press("Space")
    keys.tab_to("first-visit and refund terms")
    keys.tab_to(id_="save_card")
    keys.press("Space")
    keys.tab_to("Continue to pay $39.00")
    keys.open()
    for field, text in (
        ("email", DANA.email),
        ("number", "4242 4242 4242 4242"),
        ("expiry", "12 / 34"),
        ("cvc", "123"),
        ("name", DANA.name),
    ):
        keys.tab_to(id_=field)
        keys.type(text)
    keys.tab_to("Pay $39.00")
    keys.open()


def kept_waiting(page: Page) -> list[Route]:
    """Return what the filters will ask for, none of it answered."""
    asked: list[Route] = []

    def keep(route: Route) -> None:
        asked.append(route)

    page.route("**/book?*", keep)
    return asked


@pytest.mark.parametrize(("day", "stays"), [("Wed", "Wed"), ("Mon", "Morning")])
def test_a_list_that_comes_late_takes_no_focus_away(live, seeded, page, day, stays):
    """Monday has no morning any more: its stop is gone, and the filter is the next best."""
    page.goto(f"{live}/book")
    keys, asked = Keys(page), kept_waiting(page)
    keys.tab_to("Any")
    keys.press("ArrowRight")
    keys.tab_to(day)

    asked[0].continue_()

    expect(page.locator("#said")).to_have_text(re.compile(r"^\d+ times from"))
    assert keys.look()["words"].startswith(stays)


def test_a_list_that_comes_late_keeps_the_day_that_was_jumped_to(live, seeded, page):
    page.goto(f"{live}/book")
    keys, asked = Keys(page), kept_waiting(page)
    keys.tab_to("Any")
    keys.press("ArrowRight")
    keys.tab_to("Wed")
    keys.press("Enter")

    asked[0].continue_()

    expect(page.locator("#said")).to_have_text(re.compile(r"^\d+ times from"))
    assert keys.tab()["words"] == "12:00 AM"
    assert "@2026-11-25" in page.evaluate("document.activeElement.value")


def test_from_the_offer_to_a_cancelled_visit_without_a_mouse(live, seeded, page):
    keys = Keys(page)
    page.goto(live)
    choose_a_time(page, keys)
    assert headline(page) == "Who is coming?"
    give_details(page, keys)
    assert headline(page) == "Check your booking, then pay $39"
    check_and_pay(page, keys)
    is_booked(page)
    assert money() == ["confirmed paid"]

    first = headline(page)
    keys.tab_to("Move my visit")
    keys.open()
    keys.tab_to("Fri")
    keys.press("Enter")
    keys.tab()
    keys.open()
    is_booked(page)
    assert headline(page) != first

    keys.tab_to("Tell me if an earlier time opens")
    keys.open("Space")
    keys.tab_to("Stop telling me")
    keys.open()
    keys.tab_to("Cancel my visit")
    keys.open()
    keys.tab_to("Cancel and refund $39.00")
    keys.open()
    assert headline(page).endswith("is cancelled")
    assert money() == ["cancelled paid requested"]
