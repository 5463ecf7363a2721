"""A membership at the desk, by keyboard alone."""

import pytest
from sqlalchemy import select

from booking_service.models import Membership
from tests.factories import afresh, converted

pytestmark = pytest.mark.browser


def test_a_member_is_cancelled_and_kept_by_keyboard(
    app, live, noon, seeded, stripe, work, mail, browser
):
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    visit = converted(stripe)
    work()
    priya = next(one for one in seeded.staff if one["role"] == "front_desk")
    page.clock.set_fixed_time(noon)
    page.goto(f"{live}/sign-in?next=/desk/members")
    page.get_by_label("Work e-mail").fill(priya["email"])
    page.get_by_label("Password").fill(priya["password"])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Members", exact=True).wait_for()

    tab_to(page, "Dana Whitfield")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Dana Whitfield").wait_for()
    tab_to(page, "Cancel for Wed, Dec 23")
    page.keyboard.press("Enter")
    page.get_by_text("is on its way to Stripe").wait_for()
    work()
    assert found(visit).cancels_at == found(visit).period_ends_at

    page.reload()
    page.get_by_text("Until then the cancellation can be taken back").wait_for()
    tab_to(page, "Take the cancellation back")
    page.keyboard.press("Enter")
    page.get_by_text("Taking the cancellation back is on its way").wait_for()
    work()

    assert found(visit).cancels_at is None
    page.context.close()


def tab_to(page, words: str) -> None:
    """Go from stop to stop until one has these words; fail where there is none."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()").startswith(words):
            return
    raise AssertionError(f"no stop has the words {words}")


def found(visit) -> Membership:
    return afresh(select(Membership).where(Membership.id == visit.membership_id)).one()
