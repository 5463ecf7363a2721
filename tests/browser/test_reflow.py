"""Large letters and small windows: nothing is cut off, nothing scrolls sideways.

In both languages, for the longest name and an address of 60 letters, in the views of `reflow`.
"""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Page

from booking_service.models import Booking
from booking_service.queries.availability import Slot, soonest
from tests.browser.every_state import NAME, EveryState
from tests.browser.reflow import faults
from tests.factories import change, hold

pytestmark = pytest.mark.browser

LANGUAGES = ("en", "es")
GO_ON = "main form .btn.pri"


@pytest.fixture
def states(live, noon, seeded, stripe, gateway, work) -> EveryState:
    made = EveryState(stripe, gateway)
    work()  # refunds are sent, and the earlier time is offered
    return made


@pytest.fixture
def at(live, phones, states) -> Callable[[str, str], Page]:
    """Open a page, by its words or its address, in a language."""
    page = phones(viewport={"width": 320, "height": 640})

    def open_page(words: str, language: str) -> Page:
        path = states.paths[words]
        page.goto(f"{live}{path}{'&' if '?' in path else '?'}lang={language}")
        return page

    return open_page


def test_every_page_holds(states, at):
    found = {
        (language, words): faults(at(words, language))
        for language in LANGUAGES
        for words in states.paths
    }

    assert {where: what for where, what in found.items() if what} == {}


def test_every_page_that_says_no_holds(states, at, stripe):
    found, headlines = {}, set()
    for language in LANGUAGES:
        for words, page in refusals(states, partial(at, language=language), stripe):
            found[language, words] = faults(page)
            headlines.add(page.locator("h1").inner_text())

    assert {where: what for where, what in found.items() if what} == {}
    assert len(headlines) == len(found)  # none was the same page again


def refusals(states, at, stripe) -> Iterator[tuple[str, Page]]:
    page = at("details")
    page.fill("#name", NAME)
    page.fill("#phone", "12")
    page.click(GO_ON)
    yield "wrong details", page

    page = at("details")
    for field in ("name", "phone", "email"):
        page.fill(f"#{field}", states.known[field])
    page.click(GO_ON)
    yield "known", page

    page = at("review")
    page.click(GO_ON)
    yield "not agreed", page
    page.check("#agree")
    stripe.fault("drop_before", "/v1/checkout/sessions", times=99)
    page.click(GO_ON)
    yield "no payment page", page
    stripe.heal()

    page = at("/book")
    slot = page.locator("button.slot").nth(3)
    chosen = slot.get_attribute("value")
    hold(next(one for one in soonest(50) if value_of(one) == chosen))
    slot.click()
    yield "taken", page

    change(Booking, states.booked, moves=2)
    page = at("booked/move")
    page.locator("button.slot").last.click()
    yield "moved too often", page


def value_of(slot: Slot) -> str:
    return f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}"
