"""The agreement between two browsers: signed on the patient's phone, seen at the desk at once."""

import pytest
from flask import current_app
from playwright.sync_api import Page, expect

from booking_service.models import AgreementSignature, Booking, Membership
from booking_service.services import visit_steps
from tests.browser.patient import after_the_headline, headline
from tests.browser.test_every_screen import sign_in
from tests.factories import PRIYA, all_of, paid, plan

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(live, noon, seeded, stripe) -> Booking:
    """Somebody whose treatment is about to begin."""
    made = paid(stripe)
    visit_steps.arrive(made.booking_id, PRIYA)
    return all_of(Booking)[0]


@pytest.fixture
def desk(live, seeded, phones, visit) -> Page:
    page = phones(viewport={"width": 1366, "height": 768}, base_url=live)
    sign_in(page, seeded, "front_desk")
    page.goto(f"/desk/visit/{visit.id}")
    page.get_by_role("button", name="Treatment began").click()
    return page


def sign(phone: Page, plan_name: str) -> None:
    phone.get_by_label(plan_name).check()
    phone.get_by_label("Type your full name to sign").fill("Dana Whitfield")
    phone.get_by_label("I’ve read the membership agreement").check()
    phone.get_by_role("button", name="Sign the agreement").click()
    expect(phone.get_by_role("heading", level=1)).to_have_text("You’ve signed the agreement")


def test_what_is_signed_on_the_phone_is_seen_at_the_desk_and_started_there(desk, phones, visit):
    expect(desk.get_by_text("Waiting for Dana's phone")).to_be_visible()
    phone = phones()
    phone.goto(current_app.extensions["links"].agree(visit.id, 0))
    assert headline(phone) == "Membership agreement"
    assert after_the_headline(phone).startswith("You haven't been charged. Signing charges nothing")
    assert phone.locator("input:checked").count() == 0

    sign(phone, "Wellness")
    desk.clock.run_for(3000)
    expect(desk.get_by_text("Dana signed for Wellness at 12:00 PM")).to_be_visible()
    expect(desk.get_by_label("Wellness")).to_be_checked()
    expect(desk.locator("#news")).to_have_text("The agreement is signed for Wellness.")

    desk.keyboard.press("2")
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_role("alert")).to_contain_text(
        "The agreement is signed for Wellness. Ask to sign for Corrective on the phone"
    )
    assert all_of(Membership) == []

    phone.get_by_role("link", name="Choose another plan").click()
    sign(phone, "Corrective")
    desk.clock.run_for(3000)
    expect(desk.get_by_text("Dana signed for Corrective at 12:00 PM")).to_be_visible()
    desk.keyboard.press("Control+Enter")

    expect(desk.get_by_role("button", name="Undo")).to_be_focused()
    [membership] = all_of(Membership)
    last = max(all_of(AgreementSignature), key=lambda row: row.number)
    assert (membership.plan_id, membership.signature_id) == (plan("Corrective").id, last.id)


def test_what_the_desk_has_typed_is_not_lost_when_the_phone_signs(desk, phones, visit):
    desk.get_by_label("At the desk").check()
    desk.get_by_label("Receipt or terminal reference").fill("T-1009")
    phone = phones()
    phone.goto(current_app.extensions["links"].agree(visit.id, 0))
    sign(phone, "Corrective")

    desk.clock.run_for(3000)

    expect(desk.get_by_label("Corrective")).to_be_checked()
    expect(desk.get_by_label("Receipt or terminal reference")).to_have_value("T-1009")
    expect(desk.get_by_label("Receipt or terminal reference")).to_be_focused()


def test_without_javascript_it_is_signed_and_seen_all_the_same(live, phones, visit, browser):
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 640}, base_url=live
    )
    phone = context.new_page()
    phone.goto(current_app.extensions["links"].agree(visit.id, 0))
    phone.get_by_role("button", name="Sign the agreement").click()
    expect(phone.get_by_role("alert")).to_contain_text("Choose one of the plans")
    sign(phone, "Corrective")
    context.close()

    assert [row.signed_name for row in all_of(AgreementSignature)] == ["Dana Whitfield"]
