"""The desk sees who waits for a time, and notes that somebody does."""

from datetime import timedelta

import pytest

from booking_service.languages import Language
from booking_service.models import AuditRow
from booking_service.services import bookings, newcomers, waitlist
from tests.factories import PRIYA, all_of, slot_in, visit_of
from tests.web.staff_browser import StaffBrowser, words

PAGE = "/desk/waitlist"


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def dana(seeded, noon, stripe, mail):
    return visit_of("Dana Whitfield", stripe, slot=slot_in(72))


def drawer(visit) -> str:
    return f"/desk/visit/{visit.booking_id}"


def test_nobody_waits(priya):
    assert "Nobody waits. Patients ask for an earlier time" in words(priya.get(PAGE))


def test_who_waits_is_listed_with_what_they_have_and_what_is_kept_for_them(
    priya, dana, stripe, work
):
    waitlist.join(dana.booking_id)
    newcomers.ask("ana@example.com", Language.EN, None)
    said = words(priya.get(PAGE))
    assert "2 wait" in said
    assert "Dana Whitfield Thu, Nov 26, 12:00 PM Dr. Maya Okafor Nothing Mon, Nov 23" in said
    assert "ana@example.com No visit yet Nothing Mon, Nov 23" in said

    earlier = visit_of("Robin Hale", stripe, slot=slot_in(48))
    bookings.cancel(earlier.booking_id, PRIYA)
    work()

    assert "Wed, Nov 25, 12:00 PM until 12:30 PM Mon, Nov 23" in words(priya.get(PAGE))


def test_the_desk_notes_the_wish_and_ends_it(priya, dana):
    page = drawer(dana)
    answer = priya.post(page, f"{page}/wait")
    said = words(priya.get(answer.location))
    assert "The patient gets an e-mail when an earlier time opens." in said
    assert "Stop telling Dana" in said
    assert "Dana Whitfield" in words(priya.get(PAGE))

    priya.post(page, f"{page}/stop-waiting")

    assert "Nobody waits." in words(priya.get(PAGE))
    wishes = [row for row in all_of(AuditRow) if row.action.startswith("waitlist.")]
    assert {row.action for row in wishes} == {"waitlist.joined", "waitlist.left"}
    assert all(row.actor_id for row in wishes)


def test_a_visit_that_has_begun_waits_for_nothing(app, seeded, dana, travel, noon):
    waitlist.join(dana.booking_id)
    travel(noon + timedelta(hours=72, minutes=1))
    priya = StaffBrowser(app)
    priya.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))

    assert "Nobody waits." in words(priya.get(PAGE))
    assert priya.post(drawer(dana), f"{drawer(dana)}/wait").status_code == 409


def test_the_list_is_a_file_and_who_took_it_is_kept(priya, dana):
    waitlist.join(dana.booking_id)

    assert "Dana Whitfield" in priya.get(f"{PAGE}.csv").text
    assert [row.action for row in all_of(AuditRow)].count("export.download") == 1
