"""The desk notes something about a visit, and reads what happened and who did it."""

import logging
import re
from pathlib import Path

import pytest

from booking_service.models import AuditRow, VisitNote
from booking_service.services import patients, people, visit_steps
from booking_service.web.history_words import WORDS
from tests.factories import PRIYA, all_of, booking, converted, paid, visit_of
from tests.web.staff_browser import StaffBrowser, words

ROOT = Path(__file__).resolve().parents[2]
NOT_TOLD = {"booking.view", "booking.note", "booking.print"}
STRIPES = {"refund.created", "refund.updated"}  # the names of events of its own
LATE = "Comes by bus, often a little late"


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def visit(seeded, noon, stripe, mail):
    return paid(stripe)


def drawer(visit) -> str:
    return f"/desk/visit/{visit.booking_id}"


def note(browser, visit, text: str):
    page = f"{drawer(visit)}/history"
    return browser.post(page, page, words=text)


def test_a_note_is_seen_in_the_drawer_with_who_wrote_it(priya, visit):
    answer = note(priya, visit, f"  {LATE} ")

    said = f"{LATE} Priya Shah, Mon, Nov 23, 12:00 PM"
    assert said in words(priya.get(answer.location))
    assert said in words(priya.get(drawer(visit)))


def test_a_note_never_leaves_the_building(priya, visit, client, work, mail, seeded, caplog):
    caplog.set_level(logging.DEBUG)
    note(priya, visit, LATE)
    work()

    token = {"Authorization": f"Bearer {seeded.api_tokens['admin']}"}
    for path in ("/api/v1/desk/day?date=2026-11-23", f"/api/v1/bookings/{visit.booking_id}"):
        assert LATE not in client.get(path, headers=token).text
    assert mail.letters
    assert all(LATE not in letter.text + letter.html for letter in mail.letters)
    assert LATE not in caplog.text
    assert all(LATE not in str(row.after) for row in all_of(AuditRow))


@pytest.mark.parametrize("text", [" ", "x" * 1001])
def test_a_note_that_says_nothing_or_too_much_is_not_kept(priya, visit, text):
    answer = note(priya, visit, text)

    assert answer.status_code == 422
    assert "Nothing was noted Write a note of 1,000 letters or fewer." in words(answer)
    assert all_of(VisitNote) == []


def test_whoever_is_forgotten_has_no_notes_any_more(priya, visit):
    note(priya, visit, LATE)
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)

    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    assert all_of(VisitNote) == []


def test_history_tells_everything_newest_first_with_who_did_it(
    priya, noon, seeded, stripe, work, mail
):
    member = converted(stripe)
    work()
    other = visit_of("Robin Hale", stripe, 6)
    people.merge(*(booking(one.booking_id).patient_id for one in (member, other)), PRIYA)

    said = words(priya.get(f"{drawer(member)}/history"))

    happened = ["Two records merged", "Became a member", "Membership decided"]
    happened += ["Treatment began", "Checked in", "Paid and booked", "Time held"]
    assert re.findall("|".join(happened), said) == happened
    assert "Refund accepted by Stripe: $39.00" in said
    assert "Robin" not in said


def test_every_action_about_a_visit_has_words():
    recorded = re.compile(
        r'"((?:booking|membership|refund|goodwill|settlement|texts|waitlist)\.[a-z_]+)"'
    )
    sources = (ROOT / "booking_service" / "services").glob("*.py")
    actions = {action for source in sources for action in recorded.findall(source.read_text())}

    assert actions - NOT_TOLD - STRIPES <= set(WORDS)
