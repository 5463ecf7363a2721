"""The link of a patient's page: sent again by the desk, replaced by it, and dead from then on."""

import re

import pytest
from flask import current_app
from sqlalchemy import select

from booking_service.db import db
from booking_service.languages import Language
from booking_service.links import Purpose
from booking_service.models import AuditRow, Booking, BookingStatus, OutboxMessage, StaffMember
from booking_service.services import patients, visit_links
from tests import factories
from tests.factories import PRIYA, all_of, booking, change
from tests.web.phone import Phone
from tests.web.staff_browser import StaffBrowser, words

PATIENTS = re.compile(r"Dana|Whitfield|Okafor|FV-|\$39|Visa|Nov \d|\d [AP]M")

BOOKED = "You're booked: Monday, November 23 at 12:00 PM"


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def desk(app, seeded) -> StaffBrowser:
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def visit(seeded, noon, stripe):
    return factories.paid(stripe)


def link(visit, version: int = 0) -> str:
    links = current_app.extensions["links"]
    return f"/v/{links.token(Purpose.VISIT, visit.booking_id, version)}"


def press(desk, visit, path: str):
    page = f"/desk/visit/{visit.booking_id}"
    answer = desk.post(page, f"{page}/{path}")
    return desk.get(page) if answer.status_code == 303 else answer


def sent() -> list[tuple]:
    rows = db.session.execute(
        select(AuditRow.action, StaffMember.name, AuditRow.after)
        .outerjoin(StaffMember, StaffMember.id == AuditRow.actor_id)
        .where(AuditRow.action.startswith("booking.link"))
        .order_by(AuditRow.at)
    )
    return [tuple(row) for row in rows]


def test_a_replaced_link_opens_nothing_and_the_new_one_does(phone, visit):
    assert phone.open(link(visit)).heading == BOOKED

    visit_links.replace(visit.booking_id, PRIYA)

    assert (phone.open(link(visit)).answer.status_code, phone.heading) == (
        410,
        "This link was replaced",
    )
    assert "replaced by a newer one, which we sent by email" in phone.words
    assert not PATIENTS.search(phone.words)
    assert phone.open(link(visit, 1)).heading == BOOKED


def test_a_version_that_is_still_to_come_opens_nothing(phone, visit):
    """Only we can sign one; it would be a link of a database that was restored since."""
    assert phone.get(link(visit, 1)).status_code == 410


@pytest.mark.parametrize(
    ("method", "door"),
    [
        *(("GET", door) for door in ("", "/visit.ics", "/cancel", "/move")),
        *(("POST", door) for door in ("/cancel", "/move", "/choose", "/send-back")),
        *(("POST", f"/earlier{door}") for door in ("", "/stop", "/take", "/keep")),
    ],
)
def test_every_door_of_the_page_is_closed_to_a_replaced_link(phone, visit, method, door):
    token = re.search(r'name="csrf_token" value="([^"]+)"', phone.open("/book").html)[1]
    visit_links.replace(visit.booking_id, PRIYA)
    before = booking(visit.booking_id).status

    path = link(visit) + door
    form = {"csrf_token": token, "money": "back", "slot": ""}
    answer = phone.get(path) if method == "GET" else phone.post(path, **form)

    assert (answer.status_code, PATIENTS.search(answer.text.partition("<main")[2])) == (410, None)
    assert booking(visit.booking_id).status is before is BookingStatus.CONFIRMED


def test_the_api_refuses_a_replaced_token(client, visit):
    visit_links.replace(visit.booking_id, PRIYA)
    old, new = (link(visit, version).removeprefix("/v/") for version in (0, 1))
    path = f"/api/v1/bookings/{visit.booking_id}"

    refused = client.get(f"{path}?token={old}")

    assert (refused.status_code, refused.get_json()["code"]) == (410, "link_replaced")
    assert client.post(f"{path}/cancel?token={old}").status_code == 410
    assert client.get(f"{path}?token={new}").status_code == 200


def test_the_link_of_the_hold_does_not_lead_past_a_replacement(phone, visit):
    hold = current_app.extensions["links"].token(Purpose.HOLD, visit.booking_id)
    assert phone.open(f"/book/{hold}/done").heading == BOOKED

    visit_links.replace(visit.booking_id, PRIYA)

    for page in ("done", "details", "review"):
        phone.open(f"/book/{hold}/{page}")
        assert (phone.answer.status_code, phone.heading) == (410, "This link was replaced")


def test_mails_carry_the_link_of_the_moment_they_are_written(visit, work, mail):
    """The confirmation was owed before the link was replaced, and is written after it."""
    visit_links.replace(visit.booking_id, PRIYA)

    work()

    assert len(mail.letters) == 2
    for letter in mail.letters:
        for body in (letter.text, letter.html):
            assert re.findall(r"/v/[\w.-]+", body) == [link(visit, 1)]


def test_the_desk_mails_the_link_again(desk, visit, work, mail):
    work()
    mail.letters.clear()

    page = press(desk, visit, "send-link")

    assert "The link is on its way by e-mail." in words(page)
    assert "E-mailed Mon, Nov 23, 12:00 PM, by Priya Shah" in words(page)
    assert sent() == [("booking.link_sent", "Priya Shah", {"version": 0})]
    work()
    [letter] = mail.letters
    assert letter.subject == "The link to your visit on Mon, Nov 23"
    assert link(visit) in letter.text
    assert booking(visit.booking_id).code in letter.html


def test_the_desk_replaces_the_link(desk, visit, work, mail, phone):
    work()
    mail.letters.clear()

    page = press(desk, visit, "replace-link")

    assert "The old link opens nothing any more." in words(page)
    assert "Replaced Mon, Nov 23, 12:00 PM, by Priya Shah" in words(page)
    assert sent() == [("booking.link_replaced", "Priya Shah", {"version": 1})]
    work()
    [letter] = mail.letters
    assert link(visit, 1) in letter.text
    assert phone.get(link(visit)).status_code == 410


def test_each_press_sends_one_mail(visit, work, mail):
    work()
    mail.letters.clear()

    for _ in range(2):
        visit_links.send_again(visit.booking_id, PRIYA)
    work()

    assert [letter.subject for letter in mail.letters] == [
        "The link to your visit on Mon, Nov 23"
    ] * 2


@pytest.mark.parametrize("state", ["in_treatment", "no_show", "cancelled", "completed"])
def test_the_desk_can_do_so_whatever_the_visit_has_come_to(desk, visit, state):
    facts = {"in_treatment": {}, "no_show": {"no_show_at": visit.payment.paid_at}}
    facts |= {word: {f"{word}_at": visit.payment.paid_at} for word in ("cancelled", "completed")}
    change(Booking, visit.booking_id, status=BookingStatus(state), **facts[state])

    page = desk.get(f"/desk/visit/{visit.booking_id}")

    assert page.text.count("E-mail the link again") == 1
    assert page.text.count("Replace the link") == 1


def test_who_is_becoming_a_member_has_the_buttons_too(desk, seeded, noon, stripe):
    visits = factories.in_treatment(stripe), factories.converted(stripe, name="Robin Hale")
    for visit in visits:
        page = desk.get(f"/desk/visit/{visit.booking_id}")
        assert page.text.count("Replace the link") == 1


def test_a_time_nobody_paid_for_has_no_link_to_send(desk, seeded):
    payment = factories.at_stripe()
    shown = desk.get(f"/desk/visit/{payment.booking_id}")

    refused = press(desk, payment, "replace-link")

    assert "Replace the link" not in shown.text
    assert refused.status_code == 409
    assert "Nobody has paid for this time" in words(refused)
    assert booking(payment.booking_id).link_version == 0


def test_whoever_was_forgotten_has_no_address(desk, visit):
    change(Booking, visit.booking_id, status=BookingStatus.NO_SHOW)
    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    refused = press(desk, visit, "send-link")

    assert refused.status_code == 409
    assert "was forgotten" in words(refused)


@pytest.mark.parametrize("path", ["send-link", "replace-link"])
def test_neither_is_done_by_looking_or_from_another_site(desk, visit, path):
    address = f"/desk/visit/{visit.booking_id}/{path}"
    owed = len(all_of(OutboxMessage))

    assert desk.get(address).status_code == 405
    assert desk.post_without_token(address).status_code == 400
    assert (sent(), len(all_of(OutboxMessage))) == ([], owed)


def test_the_page_of_a_replaced_link_speaks_the_browsers_language(phone, seeded, noon, stripe):
    spanish = factories.paid(stripe, language=Language.ES)
    visit_links.replace(spanish.booking_id, PRIYA)

    assert phone.open(f"{link(spanish)}?lang=es").heading == "Este enlace fue sustituido"
