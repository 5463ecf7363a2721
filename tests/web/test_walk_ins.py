"""Somebody comes in, pays at the desk, and is checked in, on one page."""

import re

import pytest

from booking_service.models import (
    Booking,
    BookingStatus,
    Patient,
    Payment,
    PaymentTender,
    Practitioner,
)
from tests.factories import all_of, hold, paid
from tests.web.staff_browser import StaffBrowser, words

PAGE = "/desk/walk-in"
DANA = {"name": "Dana Whitfield", "phone": "518 555 0178", "email": "dana@example.com"}


@pytest.fixture
def priya(app, seeded, noon):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


def send(browser, **changes):
    doctor = min(all_of(Practitioner), key=lambda one: one.position)
    form = {
        "practitioner_id": str(doctor.id),
        "starts_at": "12:05",
        "tender": "cash",
        "reference": "R-17",
        "terms_version": "1",
        "agree": "on",
        **DANA,
        **changes,
    }
    return browser.post(PAGE, PAGE, **{name: text for name, text in form.items() if text != ""})


def test_who_comes_in_is_booked_paid_and_here(priya):
    answer = send(priya)

    [booking], [payment], [patient] = all_of(Booking), all_of(Payment), all_of(Patient)
    assert answer.location == f"/desk/visit/{booking.id}"
    assert (booking.status, booking.source) == (BookingStatus.ARRIVED, "desk")
    assert (payment.tender, payment.reference) == (PaymentTender.CASH, "R-17")
    assert patient.name == "Dana Whitfield"
    assert "Booked, paid and checked in." in words(priya.get(answer.location))


@pytest.mark.parametrize(
    ("field", "sent", "sentence"),
    [
        ("practitioner_id", "", "Choose a doctor."),
        ("practitioner_id", "x", "Choose a doctor."),
        ("starts_at", "noon", "Enter a time of today, like 9:20 AM."),
        ("name", "", "Enter your full name"),
        ("phone", "12", "Enter a mobile number with 10 digits, like 518 555 0142"),
        ("email", "dana", "Enter an email address like name@example.com"),
        ("tender", "card", "Choose how it was paid."),
        ("reference", " ", "Give the number of the receipt."),
        ("agree", "", "Let the patient read the terms first."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(priya, field, sent, sentence):
    answer = send(priya, **{field: sent})

    assert answer.status_code == 422
    assert "Nothing was booked" in words(answer)
    assert words(answer).count(sentence) == 2  # at the top, and beside the field
    kept = {"reference": 'value="R-17"', "name": 'value="Dana Whitfield"'}
    assert all(text in answer.text for name, text in kept.items() if name != field)
    assert all_of(Booking) == []


def test_everything_that_is_wrong_is_said_at_once(priya):
    answer = priya.post(PAGE, PAGE, starts_at="12:05")

    said = words(answer)
    for sentence in ("Choose a doctor.", "Enter your full name", "Choose how it was paid."):
        assert sentence in said


def test_a_time_somebody_has_is_refused(priya, stripe):
    paid(stripe, name="Robin Hale", email="robin@example.com", phone="518 555 0199")

    answer = send(priya)

    assert answer.status_code == 409
    assert "That time was just booked." in words(answer)
    assert len(all_of(Booking)) == 1


def test_pressing_twice_books_once(priya):
    assert send(priya).status_code == 303

    again = send(priya)

    assert again.status_code == 409
    assert len(all_of(Booking)) == len(all_of(Payment)) == 1


def test_terms_that_changed_meanwhile_are_shown_again(priya):
    answer = send(priya, terms_version="7")

    assert answer.status_code == 409
    assert "The offer has changed; show the patient the new terms." in words(answer)
    assert all_of(Booking) == []


def test_who_pays_on_their_phone_is_shown_the_way_and_nothing_is_charged(priya, client):
    answer = send(priya, tender="phone", reference="", agree="")

    [booking] = all_of(Booking)
    assert (booking.status, booking.held_by) == (BookingStatus.HELD, "Priya Shah")
    page = priya.get(answer.location)
    assert "Dana pays $39.00 on their phone Nothing is charged yet." in words(page)
    assert "Unpaid" in words(priya.get("/desk/2026-11-23"))
    address = re.search(r'id="pay-address"[^>]* value="[^"]*(/book/[^"]+)"', page.text)[1]
    assert "Check your booking, then pay $39" in words(client.get(address))


def test_the_desk_looks_for_itself_until_it_is_paid_or_let_go(priya):
    drawer = send(priya, tender="phone").location
    [booking] = all_of(Booking)
    asked = f"{PAGE}/{booking.id}/paying"
    assert priya.get(asked).status_code == 204

    priya.post(drawer, f"{PAGE}/{booking.id}/let-go")

    answer = priya.get(asked)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (286, "true")
    said = words(priya.get(drawer))
    assert "Not booked Nothing was charged." in said
    assert "Unpaid" not in words(priya.get("/desk/2026-11-23"))


def test_somebody_elses_hold_is_not_on_the_desks_day(priya):
    hold()

    assert "Unpaid" not in words(priya.get("/desk/2026-11-23"))
