"""An earlier time on the patient's own page: asked for, offered first, taken or left to others."""

import pytest
from flask import current_app

from booking_service.models import FreedTime, Practice, WaitlistEntry, WaitlistOffer
from booking_service.queries import waitlist as waiting
from booking_service.services import bookings, waitlist
from tests.factories import PRIYA, all_of, booking, change, paid, slot_in
from tests.web.phone import Phone

ASK = "Tell me if an earlier time opens"
TAKE = "Move my visit there"


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def visit(noon, seeded, stripe):
    return paid(stripe, slot=slot_in(72))


def page_of(visit) -> str:
    return "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)


@pytest.fixture
def offered(phone, visit, stripe):
    """An hour in 26 hours is kept for the visit's patient."""
    other = paid(stripe, slot=slot_in(26), name="Robin Hale", email="robin@example.com")
    phone.open(page_of(visit)).press(ASK)
    at = booking(other.booking_id).starts_at
    bookings.cancel(other.booking_id, PRIYA)
    [freed] = all_of(FreedTime)
    waitlist.offer(freed.id)
    return at


def state() -> list:
    entries = [(e.booking_id, e.created_at, e.ended_at) for e in all_of(WaitlistEntry)]
    return entries + [(o.id, o.ended_at, o.is_taken) for o in all_of(WaitlistOffer)]


def test_a_patient_asks_for_an_earlier_time_and_takes_it_back(phone, visit):
    phone.open(page_of(visit)).press(ASK)

    assert waiting.waits(visit.booking_id)
    assert "We'll email you when an earlier time opens" in phone.words
    assert "keep it for you for 30 minutes" in phone.words
    assert not phone.offers(ASK)
    phone.press("Stop telling me")
    assert not waiting.waits(visit.booking_id)
    assert phone.offers(ASK)


def test_what_is_offered_is_what_the_page_says_first(phone, visit, offered):
    phone.open(page_of(visit))

    assert phone.heading == "2:00 PM on Tuesday, November 24 is yours until 12:30 PM"
    assert "Nothing is paid again: your $39.00 and its promise move with the visit." in phone.words
    assert "You're booked: Thursday, November 26 at 12:00 PM" in phone.words
    assert "isn't refunded if you cancel" not in phone.words


def test_looking_at_an_offer_changes_nothing(phone, visit, offered):
    before = state()

    phone.open(page_of(visit))
    for path in ("", "/stop", "/take", "/keep"):
        assert phone.get(f"{page_of(visit)}/earlier{path}").status_code == 405

    assert state() == before


def test_the_patient_moves_to_the_offered_time(phone, visit, offered):
    phone.open(page_of(visit)).press(TAKE)

    assert phone.heading == "You're booked: Tuesday, November 24 at 2:00 PM"
    assert booking(visit.booking_id).starts_at == offered
    assert phone.offers(ASK)


def test_the_patient_keeps_the_time(phone, visit, offered):
    phone.open(page_of(visit)).press("Keep my time")

    assert phone.heading == "You're booked: Thursday, November 26 at 12:00 PM"
    assert "We'll email you when an earlier time opens" in phone.words


def test_an_offer_that_is_over_says_so_and_moves_nothing(phone, visit, offered):
    phone.open(page_of(visit))
    waitlist.decline(visit.booking_id)

    phone.press(TAKE)

    assert phone.answer.status_code == 409
    assert "That time is not held for you any more. Your visit has not been moved." in phone.words
    assert phone.heading.startswith("You're booked: Thursday")


def test_a_time_that_is_none_is_refused(phone, visit, offered):
    phone.open(page_of(visit)).press(TAKE, slot="x@y")

    assert phone.answer.status_code == 422
    assert booking(visit.booking_id).starts_at != offered


def test_a_time_that_can_not_be_cancelled_any_more_says_so(phone, visit, offered):
    [practice] = all_of(Practice)
    change(Practice, practice.id, cutoff_hours=30)

    phone.open(page_of(visit))

    assert "once your visit is there, the $39.00 isn't refunded if you cancel" in phone.words


def test_a_visit_that_is_over_asks_for_nothing(phone, visit):
    bookings.cancel(visit.booking_id, PRIYA)

    phone.open(page_of(visit))

    assert not phone.offers(ASK)
