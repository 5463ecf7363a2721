"""Whoever lost the link has it mailed again, and nobody learns who is a patient."""

import re
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import event

from booking_service.db import db
from booking_service.languages import Language
from booking_service.links import Purpose
from booking_service.models import (
    Booking,
    BookingStatus,
    LinkRequest,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Topic,
)
from booking_service.services import patients, people, visit_links
from tests import factories
from tests.factories import PRIYA, all_of, booking, change, later
from tests.web.phone import Phone

KNOWN, UNKNOWN = "dana@example.com", "nobody@example.com"


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def visit(seeded, noon, stripe, work, mail):
    made = factories.paid(stripe)
    work()
    mail.letters.clear()
    return made


def link(booking_id, version: int = 0) -> str:
    return f"/v/{current_app.extensions['links'].token(Purpose.VISIT, booking_id, version)}"


def links_in(letter) -> list[str]:
    found = [re.findall(r"/v/[\w.-]+", body) for body in (letter.text, letter.html)]
    assert found[0] == found[1]
    return found[0]


def ask(phone, email: str) -> Phone:
    return phone.open("/find-my-visit").press("Email me the link", email=email)


def statements(do) -> list[str]:
    """What the database was told meanwhile."""
    told = []

    def note(_connection, _cursor, statement, *_) -> None:
        told.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    do()
    event.remove(db.engine, "before_cursor_execute", note)
    return told


def test_the_link_comes_by_mail(phone, visit, work, mail):
    ask(phone, " Dana@Example.COM ")

    assert phone.heading == "Look in your email"
    assert "If there is a visit under that address, we've emailed the link to it." in phone.words
    assert "(518) 555-0142" in phone.words
    assert mail.letters == []  # it is the worker's, so that nobody can measure it here
    assert work() == [Topic.VISITS_ASKED]
    [letter] = mail.letters
    assert (letter.to, letter.subject) == (KNOWN, "Your visit")
    assert links_in(letter) == [link(visit.booking_id)]
    said = " ".join(letter.text.split())
    assert "Monday, November 23, 12:00 PM (clinic time, ET)" in said
    assert phone.open(links_in(letter)[0]).heading.startswith("You're booked")


def test_known_or_not_the_answer_and_the_work_are_the_same(phone, visit, work, mail):
    page = phone.open("/find-my-visit")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.html)[1]
    answers, told = [], []

    for email in (KNOWN, UNKNOWN):
        form = {"email": email, "csrf_token": token}
        told.append(statements(lambda f=form: answers.append(phone.post("/find-my-visit", **f))))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text == answers[1].text
    assert told[0] == told[1]
    assert sum("INSERT INTO link_requests" in one for one in told[0]) == 1
    assert sum("INSERT INTO outbox_messages" in one for one in told[0]) == 1
    assert not re.search(r"SELECT.*(patients|bookings|payments)", " ".join(told[0]), re.DOTALL)
    work()
    assert [letter.to for letter in mail.letters] == [KNOWN]
    statuses = {n.status for n in all_of(Notification) if n.topic is Topic.VISITS_ASKED}
    assert statuses == {NotificationStatus.SENT, NotificationStatus.SKIPPED}


def test_an_address_gets_one_mail_in_ten_minutes(visit, noon, travel, work, mail):
    def mails_after(**span: int) -> int:
        travel(later(noon, **span))
        visit_links.forget()
        visit_links.ask(KNOWN)
        work()
        return len(mail.letters)

    assert mails_after(minutes=0) == 1
    assert mails_after(minutes=5) == 1
    assert mails_after(minutes=10, seconds=-1) == 1
    assert mails_after(minutes=10) == 2
    assert mails_after(minutes=12) == 2


def test_the_ten_minutes_begin_when_the_mail_has_left(visit, noon, travel, work, mail):
    """The mail server was down for a while: what was asked for is still owed, and sent once."""
    visit_links.ask(KNOWN)
    travel(later(noon, minutes=30))
    visit_links.forget()
    visit_links.ask(KNOWN)

    work()
    travel(later(noon, minutes=35))
    visit_links.forget()
    visit_links.ask(KNOWN)
    work()

    assert len(mail.letters) == 1


def test_an_address_is_forgotten_when_it_was_dealt_with(visit, noon, travel, work):
    for email in (KNOWN, UNKNOWN):
        visit_links.ask(email)
    assert visit_links.forget() == 0
    work()
    assert (visit_links.forget(), len(all_of(LinkRequest))) == (0, 2)

    travel(later(noon, minutes=10))

    assert visit_links.forget() == 2
    assert all_of(LinkRequest) == []


def test_all_visits_of_an_address_are_listed_unless_long_past(
    seeded, noon, stripe, travel, work, mail
):
    spans = {"past": -31, "month": -29, "today": 0, "next": 8}
    visits = {}
    for nth, name in enumerate(spans):
        visits[name] = factories.paid(
            stripe, name=f"{name} Whitfield", slot=factories.free_slot(nth)
        )
        starts_at = noon + timedelta(days=spans[name])
        times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
        change(Booking, visits[name].booking_id, **times)
    change(Booking, visits["month"].booking_id, status=BookingStatus.CANCELLED)
    factories.visit_of("Robin Hale", stripe, nth=9)
    work()
    mail.letters.clear()

    visit_links.ask(KNOWN)
    work()

    [letter] = mail.letters
    listed = [link(visits[name].booking_id) for name in ("month", "today", "next")]
    assert (letter.subject, links_in(letter)) == ("Your visits", listed)
    assert letter.text.count("(does not take place)") == 1
    assert letter.html.count("(does not take place)") == 1


def test_a_time_nobody_paid_for_is_no_visit(seeded, noon, work, mail):
    factories.at_stripe()

    visit_links.ask(KNOWN)
    work()

    assert mail.letters == []


def test_the_mail_has_the_link_of_the_moment_it_is_written(visit, work, mail):
    visit_links.ask(KNOWN)
    visit_links.replace(visit.booking_id, PRIYA)

    work()

    assert {address for one in mail.letters for address in links_in(one)} == {
        link(visit.booking_id, 1)
    }


def test_nobody_who_was_forgotten_is_written_to(visit, work, mail):
    change(Booking, visit.booking_id, status=BookingStatus.NO_SHOW)
    visit_links.ask(KNOWN)
    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    work()

    assert mail.letters == []


def test_the_address_stands_in_no_log_and_no_task(visit, work, caplog):
    caplog.set_level(0)
    visit_links.ask(KNOWN)
    work()

    assert KNOWN not in caplog.text
    owed = [repr(vars(row)) for row in all_of(OutboxMessage)]
    assert [text for text in owed if "@" in text] == []


@pytest.mark.parametrize("email", ["", "dana", "dana@", "a@b", "dana@example.com x", "é@x.com"])
def test_what_is_no_address_is_said_above_and_beside_the_field(phone, visit, email):
    ask(phone, email)

    sentence = "Enter an email address like name@example.com"
    assert phone.answer.status_code == 422
    assert phone.heading == "Find my visit"
    assert f'<a href="#email">{sentence}</a>' in phone.html
    assert re.search(rf'id="email-error">.*{sentence}', phone.html)
    assert 'aria-invalid="true"' in phone.html
    assert phone.words.startswith("There is a problem")
    assert "<title>Error: Find my visit" in phone.html
    assert all_of(LinkRequest) == []


def test_looking_at_the_page_owes_nothing(phone, noon):
    phone.open("/find-my-visit?email=dana@example.com")

    assert (phone.heading, all_of(LinkRequest)) == ("Find my visit", [])
    assert "dana@" not in phone.words
    assert phone.post("/find-my-visit", email=KNOWN).status_code == 400  # no token of a page


def test_patients_find_the_page_where_they_need_it(phone, visit):
    visit_links.replace(visit.booking_id, PRIYA)

    for path in ("/first-visit", "/v/nonsense"):
        assert 'href="/find-my-visit"' in phone.open(path).html
    assert phone.open(link(visit.booking_id)).offers("Email me the link")
    assert phone.press("Email me the link", email=KNOWN).heading == "Look in your email"


def test_it_all_speaks_spanish(phone, seeded, noon, stripe, work, mail):
    visit = factories.paid(stripe, language=Language.ES)
    work()
    phone.open("/find-my-visit?lang=es").press("Enviarme el enlace", email="x")
    assert "Escriba un correo electrónico" in phone.words
    phone.press("Enviarme el enlace", email=KNOWN)

    assert phone.heading == "Revise su correo electrónico"
    work()
    letter = mail.letters[-1]
    assert (letter.subject, links_in(letter)) == ("Su visita", [link(visit.booking_id)])
    assert "No lo comparta" in letter.text


def test_the_address_of_a_merged_record_still_finds_the_visit(phone, visit, stripe, work, mail):
    other = factories.paid(
        stripe, slot=factories.free_slot(6), name="D. W.", email="dw@example.com"
    )
    work()
    mail.letters.clear()
    ids = [booking(one.booking_id).patient_id for one in (other, visit)]
    people.merge(*ids, PRIYA)

    ask(phone, KNOWN)
    work()

    [letter] = mail.letters
    assert links_in(letter) == [link(visit.booking_id), link(other.booking_id)]
