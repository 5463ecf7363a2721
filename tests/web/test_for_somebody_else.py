"""A parent books for a child: two people, one page."""

import re

import pytest

from booking_service.models import Patient
from booking_service.services import bookings
from tests.factories import PRIYA, all_of, change, paid
from tests.web.phone import Phone, at_details, hold_path
from tests.web.phone import bookings as kept
from tests.web.staff_browser import StaffBrowser, words

BEN = {"name": "Ben Lovelace", "phone": "518 555 0178", "email": "ada@example.com"}
FOR_BEN = {**BEN, "for_another": "on", "booked_by": " Ada  Lovelace "}
BY_ADA = {"name": "Ben Lovelace", "email": "ada@example.com", "booked_by": "Ada Lovelace"}


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


def is_ticked(phone: Phone) -> bool:
    return bool(re.search(r'id="for_another" name="for_another" checked', phone.html))


def test_whoever_books_for_somebody_else_says_so_and_sees_both_names(phone):
    at_details(phone)
    assert not is_ticked(phone)

    phone.press("Continue", **FOR_BEN)

    assert "Who is coming Ben Lovelace" in phone.words
    assert "You Ada Lovelace ada@example.com (518) 555-0178" in phone.words
    [made] = kept()
    assert made.booked_by == "Ada Lovelace"
    assert [patient.name for patient in all_of(Patient)] == ["Ben Lovelace"]
    assert is_ticked(phone.open(hold_path("details")))
    assert 'value="Ada Lovelace"' in phone.html


def test_a_box_without_a_name_asks_for_it(phone):
    at_details(phone).press("Continue", **{**FOR_BEN, "booked_by": " "})

    assert phone.answer.status_code == 422
    assert '<a href="#booked_by">Enter your own name</a>' in phone.html
    assert is_ticked(phone)
    assert kept()[0].patient_id is None


def test_a_name_beside_an_empty_box_is_not_kept(phone):
    at_details(phone).press("Continue", **BEN, booked_by="Ada Lovelace")

    assert "You Ben Lovelace" in phone.words
    assert kept()[0].booked_by is None


def test_whoever_unticks_the_box_later_books_for_themselves(phone):
    at_details(phone).press("Continue", **FOR_BEN)

    phone.open(hold_path("details")).press("Continue", **BEN)

    assert kept()[0].booked_by is None


def test_picking_another_time_keeps_who_books(phone):
    at_details(phone).press("Continue", **FOR_BEN)

    phone.open("/book").tap(8)

    assert [made.booked_by for made in kept()] == ["Ada Lovelace"] * 2


def test_taking_a_time_again_keeps_who_books(phone):
    at_details(phone).press("Continue", **FOR_BEN)
    [held] = kept()
    change(type(held), held.id, hold_expires_at=held.created_at)

    phone.open(hold_path("review")).press("Take it again")

    assert [made.booked_by for made in kept()] == ["Ada Lovelace"] * 2


def test_the_desk_sees_who_booked(app, seeded, stripe):
    visit = paid(stripe, **BY_ADA)
    priya = StaffBrowser(app)
    priya.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))

    said = words(priya.get(f"/desk/visit/{visit.booking_id}"))

    assert "Booked by Ada Lovelace" in said


def test_mails_greet_who_booked_and_say_who_is_coming(seeded, stripe, work, mail):
    visit = paid(stripe, **BY_ADA)
    bookings.cancel(visit.booking_id, PRIYA)
    work()

    cancelled = next(letter for letter in mail.letters if letter.subject.startswith("Cancelled"))
    assert cancelled.to == "ada@example.com"
    for form in (cancelled.text, cancelled.html):
        assert "Hello Ada Lovelace," in form
        assert re.search(r"For\W.*Ben Lovelace", re.sub(r"<[^>]*>", " ", form))
        assert "Lovelace" not in cancelled.subject


def test_a_mail_to_somebody_who_booked_for_themselves_names_them_once(seeded, stripe, work, mail):
    paid(stripe)
    work()

    [letter] = mail.letters
    assert (letter.text.count("Dana"), letter.html.count("Dana")) == (1, 1)
    assert "\n\n\n" not in letter.text


def test_stripe_hears_of_neither(seeded, stripe):
    paid(stripe, **BY_ADA)

    kept_there = [stripe.listed(path) for path in ("checkout/sessions", "payment_intents")]
    assert [len(things) for things in kept_there] == [1, 1]
    assert "Lovelace" not in str(kept_there)
