"""The front desk by keyboard: every key works, none while somebody types, and all can be off."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.keys import Keys
from tests.browser.test_every_screen import sign_in
from tests.factories import booking, free_slot, in_treatment, paid, signed, visit_of

pytestmark = pytest.mark.browser

SCREEN = {"width": 1366, "height": 768}


@pytest.fixture
def desk(live, noon, seeded, stripe, phones) -> Page:
    page = phones(viewport=SCREEN, base_url=live)
    sign_in(page, seeded, "front_desk")
    return page


def heading(page: Page) -> str:
    return page.get_by_role("heading", level=1).inner_text()


def test_the_script_keeps_to_its_size(app):
    assert (Path(app.static_folder) / "desk.js").stat().st_size <= 6 * 1024


def test_each_letter_goes_where_the_list_says(desk, stripe):
    visit_of("Grace Okafor", stripe, 0)
    visit_of("Paul Bend", stripe, 2)
    keys = Keys(desk)
    desk.reload()

    keys.open("w")
    assert heading(desk) == "Walk-in"
    desk.goto("/desk/2026-11-30")
    keys.open("t")
    assert heading(desk) == "Monday, November 23"
    keys.open("n")
    assert heading(desk) == "Grace Okafor"
    keys.open("c")
    expect(desk.get_by_text("Checked in.")).to_be_visible()
    keys.open("n")
    assert heading(desk) == "Paul Bend"
    keys.press("/")
    expect(desk.get_by_role("searchbox")).to_be_focused()


def test_a_step_is_undone_with_one_key(desk, stripe):
    visit = paid(stripe, slot=free_slot())
    desk.goto(f"/desk/visit/{visit.booking_id}")
    keys = Keys(desk)

    keys.open("c")
    assert booking(visit.booking_id).status == "arrived"
    keys.open("z")

    assert booking(visit.booking_id).status == "confirmed"
    expect(desk.get_by_text("Taken back.")).to_be_visible()


def test_arrows_go_from_card_to_card_enter_opens_and_escape_comes_back(desk, stripe):
    visits = [visit_of(name, stripe, nth * 6) for nth, name in enumerate(["Ann One", "Bea Two"])]
    desk.reload()
    keys = Keys(desk)

    keys.press("ArrowDown")
    keys.press("ArrowDown")
    second = desk.evaluate("document.activeElement.id")
    keys.press("ArrowUp")
    first = desk.evaluate("document.activeElement.id")
    assert {first, second} == {f"card-{visit.booking_id}" for visit in visits}

    keys.open("Enter")
    assert first.removeprefix("card-") in desk.url
    keys.open("Escape")
    assert heading(desk) == "Monday, November 23"
    expect(desk.locator(f"[id='{first}']")).to_be_focused()


def test_the_list_of_keys_opens_closes_and_gives_the_focus_back(desk):
    keys = Keys(desk)
    keys.press("?")
    expect(desk.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    # Behind the list nothing hears a key.
    keys.press("w")
    expect(desk.get_by_role("dialog")).to_be_visible()

    keys.press("Escape")

    expect(desk.get_by_role("dialog")).to_be_hidden()
    assert heading(desk) == "Monday, November 23"


def test_plans_are_chosen_and_the_membership_started_by_keys(desk, stripe):
    visit = in_treatment(stripe, slot=free_slot())
    signed(visit.booking_id)
    desk.goto(f"/desk/visit/{visit.booking_id}")
    keys = Keys(desk)

    keys.press("2")
    expect(desk.locator("#plan-2")).to_be_checked()
    keys.open("Control+Enter")
    expect(desk.get_by_role("button", name="Undo")).to_be_visible()
    keys.open("z")

    expect(desk.get_by_text("Taken back. Nothing was charged or refunded.")).to_be_visible()


def test_no_key_fires_while_somebody_types(desk, stripe):
    visit = paid(stripe, slot=free_slot())
    desk.goto(f"/desk/visit/{visit.booking_id}")
    keys = Keys(desk)

    keys.press("/")
    keys.type("wtnczl?")

    expect(desk.get_by_role("searchbox")).to_have_value("wtnczl?")
    assert str(visit.booking_id) in desk.url
    assert booking(visit.booking_id).status == "confirmed"
    expect(desk.get_by_role("dialog")).to_be_hidden()


def test_single_keys_can_be_switched_off_and_on_again(desk, stripe):
    visit = paid(stripe, slot=free_slot())
    desk.goto(f"/desk/visit/{visit.booking_id}")
    keys = Keys(desk)
    keys.press("?")
    desk.get_by_role("switch").uncheck()
    keys.press("Escape")

    for key in ("c", "w", "?", "l"):
        keys.press(key)
    desk.reload()
    keys.press("c")

    assert booking(visit.booking_id).status == "confirmed"
    expect(desk.get_by_role("dialog")).to_be_hidden()
    desk.locator(".rme summary").click()
    desk.get_by_role("button", name="Keyboard shortcuts").click()
    desk.get_by_role("switch").check()
    keys.press("Escape")
    keys.open("c")
    assert booking(visit.booking_id).status == "arrived"


def test_a_key_locks_the_station_and_the_password_opens_it_there(desk, seeded, stripe):
    visit = paid(stripe, slot=free_slot())
    desk.goto(f"/desk/visit/{visit.booking_id}")
    keys = Keys(desk)

    keys.open("l")
    assert heading(desk) == "Who is there?"
    assert "Dana" not in desk.content()
    desk.go_back()
    desk.wait_for_load_state()
    assert heading(desk) == "Who is there?"

    keys.type(next(one["password"] for one in seeded.staff if one["role"] == "front_desk"))
    keys.open("Enter")
    assert heading(desk) == "Dana Whitfield"


def test_nobody_there_for_ten_minutes_and_the_names_are_gone(desk, stripe):
    paid(stripe, slot=free_slot())
    desk.reload()
    expect(desk.get_by_text("Dana Whitfield")).to_be_visible()

    desk.clock.fast_forward(590_000)
    desk.keyboard.press("Shift")
    desk.clock.fast_forward(590_000)
    expect(desk.get_by_text("Dana Whitfield")).to_be_visible()

    with desk.expect_navigation():
        desk.clock.fast_forward(20_000)

    assert heading(desk) == "Who is there?"
    assert "Dana" not in desk.content()
