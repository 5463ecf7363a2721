"""Somebody stands at the desk: how often it must press to check them in and make them a member."""

from time import perf_counter

import pytest
from playwright.sync_api import Page, expect

from booking_service.models import Booking, BookingStatus, Membership
from booking_service.services import visit_steps
from tests.browser.test_every_screen import sign_in
from tests.factories import PRIYA, all_of, paid, plan, signed

pytestmark = pytest.mark.browser

MOST_TO_CONVERT, MOST_TO_CHECK_IN = 5, 1
LONGEST_SECONDS = 15  # at the desk, from opening the visit; machines that are busy included
# What is pressed is counted in the window's name, which outlives its pages.
COUNT = """
  const add = (event) => {
    if (["Control", "Shift", "Meta"].includes(event.key)) return;
    window.name = String(Number(window.name) + 1);
  };
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, add, true);
"""


@pytest.fixture
def desk(live, noon, seeded, stripe, phones) -> Page:
    """The desk's screen at a visit of today; its inputs are counted, across pages."""
    paid(stripe)
    page = phones(viewport={"width": 1366, "height": 768}, base_url=live)
    sign_in(page, seeded, "front_desk")
    page.add_init_script(COUNT)
    page.goto(f"/desk/visit/{all_of(Booking)[0].id}")
    page.evaluate("window.name = '0'")
    return page


def inputs(page: Page) -> int:
    return int(page.evaluate("window.name"))


def test_checking_in_is_one_press(desk):
    desk.get_by_role("button", name="Check in").click()

    expect(desk.get_by_role("heading", name="Dana is here")).to_be_visible()
    assert inputs(desk) <= MOST_TO_CHECK_IN
    assert all_of(Booking)[0].status is BookingStatus.ARRIVED


def is_covered(page: Page) -> bool:
    """Whether the footer hides what the form says last: what goes back, and to which card."""
    ends = "it => it.getBoundingClientRect().bottom"
    starts = "it => it.getBoundingClientRect().top"
    last = page.get_by_role("region", name="Refund").evaluate(ends)
    return last > page.locator("#convert .dfoot").evaluate(starts)


def test_a_patient_becomes_a_member_with_five_inputs_at_most(desk):
    began = perf_counter()
    desk.get_by_role("button", name="Check in").click()
    signed(all_of(Booking)[0].id)
    desk.get_by_role("button", name="Treatment began").click()
    expect(desk.get_by_role("button", name="Start membership")).to_be_in_viewport()
    desk.keyboard.press("2")
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_role("button", name="Undo")).to_be_focused()
    assert perf_counter() - began <= LONGEST_SECONDS
    assert 4 <= inputs(desk) <= MOST_TO_CONVERT
    [membership] = all_of(Membership)
    assert membership.plan_id == plan("Corrective").id


def test_with_the_card_and_the_signature_there_it_is_one_press(desk):
    """The plan that the patient signed for is chosen already."""
    booking_id = all_of(Booking)[0].id
    visit_steps.arrive(booking_id, PRIYA)
    visit_steps.begin_treatment(booking_id, PRIYA)
    signed(booking_id)
    desk.reload()
    desk.evaluate("window.name = '0'")
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_role("button", name="Undo")).to_be_focused()
    assert inputs(desk) == 1
    [membership] = all_of(Membership)
    assert membership.plan_id == plan("Corrective").id


@pytest.mark.parametrize("is_signed", [False, True])
def test_the_whole_form_is_seen_at_once(desk, is_signed):
    """What is charged, what goes back and to which card: nobody has to scroll for it."""
    booking_id = all_of(Booking)[0].id
    visit_steps.arrive(booking_id, PRIYA)
    visit_steps.begin_treatment(booking_id, PRIYA)
    if is_signed:
        signed(booking_id)
    desk.reload()

    expect(desk.get_by_role("heading", name="$39.00 goes back to Visa 4242")).to_be_in_viewport()
    assert not is_covered(desk)


def test_a_signature_on_paper_is_one_input_more(desk):
    desk.get_by_role("button", name="Check in").click()
    desk.get_by_role("button", name="Treatment began").click()
    desk.get_by_label("Signed on paper").check()
    desk.keyboard.press("2")
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_role("button", name="Undo")).to_be_focused()
    assert inputs(desk) <= MOST_TO_CONVERT
