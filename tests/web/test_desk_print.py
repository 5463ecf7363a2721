"""The day on paper: who comes when, no money, and no telephone number whole."""

import re

import pytest

from booking_service.models import AuditRow
from booking_service.services import bookings, visit_steps
from tests.factories import PRIYA, all_of, free_slot, visit_of
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon")

DAY = "/desk/2026-11-23"


@pytest.fixture
def people(seeded) -> dict:
    return {one["role"]: one for one in seeded.staff}


@pytest.fixture
def priya(app, people) -> StaffBrowser:
    browser = StaffBrowser(app)
    browser.sign_in(people["front_desk"])
    return browser


def test_it_lists_visits_by_practitioner_and_time_with_state_and_who_printed_it(priya, stripe):
    later = visit_of("Paul Bend", stripe, slot=free_slot(9))
    sooner = visit_of("Grace Okafor", stripe, slot=free_slot(0))
    gone = visit_of("Ines Moreau", stripe, slot=free_slot(5))
    visit_steps.arrive(sooner.booking_id, PRIYA)
    bookings.cancel(gone.booking_id, PRIYA)

    page = priya.get(f"{DAY}/print")

    said = words(page)
    assert "Monday, November 23" in said
    assert said.index("Grace Okafor Arrived") < said.index("Paul Bend Expected")
    assert "Ines" not in said
    assert "2 visits" in said
    assert "Printed by Priya Shah at 12:00 PM on Monday, November 23." in said
    main = re.search(r"<main.*</main>", page.text, re.DOTALL)[0]
    assert "$" not in main
    assert not re.search(r"\d{4,}", words(page).split("Printed by")[0].split("visits")[1])
    assert later.booking_id != sooner.booking_id


def test_whose_names_were_printed_is_written_down(priya, stripe):
    visits = {visit_of(name, stripe, nth * 2).booking_id for nth, name in enumerate(["A B", "C D"])}

    priya.get(f"{DAY}/print")

    rows = [row for row in all_of(AuditRow) if row.action == "booking.print"]
    assert {row.subject_id for row in rows} == visits
    assert {row.actor_kind for row in rows} == {PRIYA.kind}


def test_a_day_without_visits_says_so(priya):
    assert "No visits on this day." in words(priya.get("/desk/2026-11-26/print"))


def test_a_day_links_to_its_paper(priya):
    assert f'href="{DAY}/print"' in priya.get(DAY).text


def test_only_the_desk_prints_and_only_days(app, people, priya):
    ana = StaffBrowser(app)
    ana.sign_in(people["finance"])

    assert ana.get(f"{DAY}/print").status_code == 403
    assert priya.get("/desk/someday/print").status_code == 404
