"""The desk finds anybody from the keyboard, while somebody talks to it."""

import pytest
from playwright.sync_api import expect

from tests.browser.test_every_screen import sign_in
from tests.factories import paid, visit_of

pytestmark = pytest.mark.browser


def test_a_slash_a_few_letters_and_enter(live, noon, seeded, stripe, phones):
    paid(stripe, name="Dana Whitfield")
    visit_of("Robin Hale", stripe, 3)
    page = phones(viewport={"width": 1366, "height": 768}, base_url=live)
    sign_in(page, seeded, "front_desk")

    page.keyboard.press("/")
    page.keyboard.type("whit")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Find a patient")
    expect(page.get_by_role("link", name="Dana Whitfield")).to_be_visible()

    # The list follows what is typed, and Enter opens who comes first.
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    field.press("ControlOrMeta+a")
    page.keyboard.type("hale")
    expect(page.get_by_role("link", name="Robin Hale")).to_be_visible()
    expect(page.get_by_role("link", name="Dana Whitfield")).to_be_hidden()
    assert "hale" not in page.url
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Robin Hale")).to_be_visible()
