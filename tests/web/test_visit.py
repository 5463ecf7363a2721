"""A patient's own page: true at every moment, and changed by nobody's looking."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from flask import current_app
from icalendar import Calendar
from sqlalchemy import update

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    Booking,
    BookingStatus,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from tests import factories
from tests.web.phone import Phone


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def visit(seeded, stripe):
    return factories.paid(stripe)


def link(visit) -> str:
    return "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)


def set_(model, **values) -> None:
    db.session.execute(update(model).values(**values))
    db.session.commit()


def refund(visit, status: RefundStatus, reason: RefundReason = RefundReason.MEMBERSHIP) -> None:
    now = utc_now()
    db.session.add(
        Refund(
            id=uuid4(),
            payment_id=visit.payment.id,
            reason=reason,
            status=status,
            amount_cents=3900,
            requested_at=now,
            requested_by="Priya Shah",
            answered_at=now,
        )
    )
    db.session.commit()


def test_a_booked_visit_says_when_where_and_what_was_paid(phone, visit):
    booking = factories.booking(visit.booking_id)

    phone.open(link(visit))

    assert re.fullmatch(r"You're booked: \w+, \w+ \d+ at \d+:\d\d [AP]M", phone.heading)
    assert "$39.00 paid with Visa 4242" in phone.words
    assert "214 Mill Street, Suite 2, Albany NY" in phone.words
    assert booking.code in phone.words
    sentence = (
        "Your $39.00 goes back to Visa 4242 if you become a member "
        "and begin treatment during this visit."
    )
    assert sentence in phone.words


def test_the_cut_off_is_said_as_it_is(phone, visit):
    assert "isn't refunded if you cancel" in phone.open(link(visit)).words
    booking = factories.booking(visit.booking_id)
    later = booking.starts_at + timedelta(days=3)
    set_(Booking, starts_at=later, ends_at=later + timedelta(minutes=45))

    assert "you can cancel for a full refund" in phone.open(link(visit)).words


def test_looking_changes_nothing(phone, visit):
    before = factories.booking(visit.booking_id).status
    phone.open(link(visit))
    phone.open(link(visit) + "/visit.ics")

    assert factories.booking(visit.booking_id).status is before
    assert phone.post(link(visit)).status_code == 405


@pytest.mark.parametrize(
    ("status", "heading"),
    [
        (BookingStatus.ARRIVED, "You're checked in for "),
        (BookingStatus.IN_TREATMENT, "Your visit is under way"),
        (BookingStatus.COMPLETED, "Your first visit was on "),
        (BookingStatus.NO_SHOW, "We missed you on "),
        (BookingStatus.CANCELLED, "Your visit on "),
    ],
)
def test_the_heading_follows_the_visit(phone, visit, status, heading):
    set_(Booking, status=status)

    assert phone.open(link(visit)).heading.startswith(heading)


@pytest.mark.parametrize(
    ("promise", "sentence"),
    [
        (PromiseStatus.LAPSED, "Your $39.00 paid for this visit. You owe nothing more."),
        (PromiseStatus.WAIVED, "Your $39.00 paid for this visit. You owe nothing more."),
        (PromiseStatus.VOID, "Your $39.00 has gone back to you."),
    ],
)
def test_a_promise_that_ended_says_how(phone, visit, promise, sentence):
    set_(Booking, status=BookingStatus.COMPLETED)
    set_(Promise, status=promise)

    assert sentence in phone.open(link(visit)).words


def test_a_missed_visit_says_that_the_money_was_kept(phone, visit):
    set_(Booking, status=BookingStatus.NO_SHOW)
    set_(Promise, status=PromiseStatus.LAPSED)

    words = phone.open(link(visit)).words
    assert "The $39.00 was kept, because the visit was missed." in words


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (RefundStatus.REQUESTED, "Your $39.00 is going back to Visa 4242. We're sending it now."),
        (RefundStatus.SENDING, "Your $39.00 is going back to Visa 4242. We're sending it now."),
        (RefundStatus.PENDING, "Your $39.00 is on its way back to Visa 4242 since "),
        (RefundStatus.SUCCEEDED, "Your $39.00 was returned to Visa 4242 on "),
        (RefundStatus.EXTERNAL, "Your $39.00 was returned to Visa 4242 on "),
        (RefundStatus.FAILED, "We couldn't return $39.00 to Visa 4242. We'll pay you another way."),
        (RefundStatus.BLOCKED, "Your $39.00 is not on its way yet: your bank has a question"),
        (RefundStatus.SETTLED_OTHERWISE, "Your $39.00 was paid back to you another way."),
    ],
)
def test_a_refund_says_where_the_money_is(phone, visit, status, sentence):
    refund(visit, status)

    words = phone.open(link(visit)).words
    assert sentence in words
    assert "goes back to" not in words


def test_the_whole_way_from_arrival_to_the_refund(phone, seeded, stripe, work, mail):
    visit = factories.converted(stripe)
    work()

    assert "Your $39.00 was returned to Visa 4242 on " in phone.open(link(visit)).words


def test_before_payment_the_link_leads_to_the_way_there(phone, seeded):
    payment = factories.at_stripe()
    token = current_app.extensions["links"].token("visit", payment.booking_id)

    assert phone.open(f"/v/{token}").heading == "Ready when you are"


def test_the_link_of_a_hold_opens_no_visit(phone, visit):
    token = current_app.extensions["links"].token("hold", visit.booking_id)

    assert phone.open(f"/v/{token}").answer.status_code == 404


def test_a_paid_hold_leads_to_the_visit(phone, visit):
    token = current_app.extensions["links"].token("hold", visit.booking_id)

    assert phone.open(f"/book/{token}/details").path == link(visit)


def test_the_calendar_file_says_when_and_where_and_nothing_about_health(phone, visit):
    answer = phone.open(link(visit) + "/visit.ics").answer
    booking = factories.booking(visit.booking_id)

    event = Calendar.from_ical(answer.data).walk("VEVENT")[0]
    assert answer.mimetype == "text/calendar"
    assert (event.decoded("dtstart"), event.decoded("dtend")) == (
        booking.starts_at,
        booking.ends_at,
    )
    assert str(event["uid"]) == f"{booking.id}@first-visit"
    assert (event["sequence"], str(event["summary"])) == (0, "First visit")
    assert str(event["location"]) == "214 Mill Street, Suite 2, Albany NY"
    assert not re.search(r"chiro|spin|treat|Dr\.|/v/", answer.text, re.IGNORECASE)


def test_calendar_links_carry_the_same_instant(phone, visit):
    phone.open(link(visit))
    booking = factories.booking(visit.booking_id)

    google = re.search(r'href="(https://calendar\.google[^"]+)"', phone.html)[1]
    query = parse_qs(urlsplit(google.replace("&amp;", "&")).query)
    assert query["dates"] == [
        f"{booking.starts_at:%Y%m%dT%H%M%SZ}/{booking.ends_at:%Y%m%dT%H%M%SZ}"
    ]
    assert query["ctz"] == ["America/New_York"]
    outlook = re.findall(r'href="https://(outlook[^/]+)/', phone.html)
    assert outlook == ["outlook.live.com", "outlook.office.com"]


def test_the_confirmation_mail_has_the_facts_and_the_link(seeded, stripe, work, mail):
    visit = factories.paid(stripe)
    work()

    letter = mail.letters[0]
    assert re.fullmatch(r"You're booked: \w+, \w+ \d+, \d+:\d\d [AP]M", letter.subject)
    for form in (letter.text, letter.html):
        assert link(visit) in form
        assert "214 Mill Street" in form
        assert factories.booking(visit.booking_id).code in form
        assert "$39.00" in form
        assert "Visa 4242" in form
    assert b"BEGIN:VEVENT" in letter.calendar


def test_welcome_and_refund_are_one_mail(seeded, stripe, work, mail):
    factories.converted(stripe)
    work()

    subjects = [letter.subject for letter in mail.letters]
    assert subjects[1:] == ["Welcome. Your $39.00 is on its way back"]
    for form in (mail.letters[1].text, mail.letters[1].html):
        assert "Corrective, 4 visits a month" in form
        assert "$149.00" in form


def test_no_subject_names_the_patient_or_a_treatment(seeded, stripe, work, mail):
    factories.converted(stripe)
    work()

    for letter in mail.letters:
        assert not re.search(r"dana|chiro|spin|treat|health", letter.subject, re.IGNORECASE)


@pytest.mark.parametrize("status", RefundStatus)
def test_a_bank_is_told_how_to_find_what_is_on_its_way_and_nothing_else(phone, visit, status):
    refund(visit, status)
    phone.open(link(visit))
    assert "trace number" not in phone.words

    set_(Refund, trace_number="74001234567890123456789")
    phone.open(link(visit))

    on_its_way = {RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL}
    sentence = "Your bank can find it by its trace number: 74001234567890123456789 ."
    assert (sentence in phone.words) == (status in on_its_way)
