"""A member books, sees, moves and cancels further visits on their own page."""

import re
from datetime import timedelta

import pytest
from flask import current_app
from icalendar import Calendar

from booking_service.models import (
    Booking,
    BookingKind,
    BookingStatus,
    Membership,
    MembershipStatus,
    Practice,
    Promise,
)
from booking_service.services import bookings
from tests import factories
from tests.factories import PRIYA, all_of, booking, change, follow_up, follow_up_slot, plan
from tests.web.phone import Phone


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def dana(seeded, noon, stripe):
    return factories.member(stripe)


def link(booking_id) -> str:
    return "/v/" + current_app.extensions["links"].token("visit", booking_id)


def follow_ups() -> list[Booking]:
    return [row for row in all_of(Booking) if row.kind is BookingKind.FOLLOW_UP]


def send(phone: Phone, path: str, slot: str) -> Phone:
    """Press a time of the page one is on."""
    token = re.search(r'name="csrf_token" value="([^"]+)"', phone.html)[1]
    return phone._follow(phone._ask("POST", path, {"slot": slot, "csrf_token": token}), path)


def test_a_member_books_on_the_page_of_the_first_visit(phone, dana):
    first = link(dana.booking_id)
    phone.open(first)
    assert "Corrective plan: 4 of 4 visits left this month, until Tue, Dec 22." in phone.words

    phone.open(f"{first}/book")
    assert "Included in your Corrective plan: nothing is paid." in phone.words
    assert "A visit takes about 20 minutes." in phone.words
    send(phone, f"{first}/book", phone.times()[3])

    [made] = follow_ups()
    assert phone.path == link(made.id)
    assert phone.heading.startswith("You're booked: Monday, November 23 at ")
    assert "Included in your Corrective plan. 3 of 4 visits left this month" in phone.words
    assert "$" not in phone.words
    phone.open(first)
    assert re.search(r"Your visits Monday, November 23, \d+:\d\d", phone.words)


def test_whoever_is_no_member_has_no_such_page(phone, seeded, stripe):
    visit = factories.paid(stripe)
    page = link(visit.booking_id)

    phone.open(page)
    assert "Book a visit" not in phone.words
    phone.open(f"{page}/book")
    assert phone.path == page
    assert "$39.00" in phone.words


def test_a_time_that_somebody_just_took_asks_for_another(phone, dana):
    page = f"{link(dana.booking_id)}/book"
    phone.open(page)
    slot = follow_up_slot(3)
    factories.hold(slot)

    send(phone, page, f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}")

    assert phone.answer.status_code == 409
    assert "That time was just booked. Choose another time." in phone.words
    assert follow_ups() == []


def test_when_the_month_is_used_up_the_times_are_those_of_the_next_one(phone, dana):
    change(Practice, all_of(Practice)[0].id, horizon_days=40)
    for day in range(1, plan().visits_a_month + 1):
        follow_up(dana, day)
    page = f"{link(dana.booking_id)}/book"

    phone.open(page)

    assert "0 of 4 visits left this month, until Tue, Dec 22." in phone.words
    assert "Visits of your next month start on Wednesday, December 23." in phone.words
    days = [value.partition("@")[2] for value in phone.times()]
    assert days
    assert min(days) >= "2026-12-23T05:00Z"
    send(phone, page, phone.times()[0])
    assert len(follow_ups()) == plan().visits_a_month + 1


def test_a_time_of_a_month_that_is_used_up_is_refused_with_what_to_do(phone, dana):
    for day in range(1, plan().visits_a_month + 1):
        follow_up(dana, day)
    page, slot = f"{link(dana.booking_id)}/book", follow_up_slot(12)
    phone.open(page)

    send(phone, page, f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}")

    assert phone.answer.status_code == 409
    assert "Choose a day of another month." in phone.words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (MembershipStatus.PAST_DUE, "Once it is paid, visits can be booked again."),
        (MembershipStatus.CANCELLED, "The membership has ended"),
    ],
)
def test_a_membership_that_does_not_book_says_why(phone, dana, status, words):
    change(Membership, dana.membership_id, status=status)
    page = link(dana.booking_id)

    phone.open(page)
    assert words in phone.words
    assert "Book a visit" not in phone.words
    phone.open(f"{page}/book")
    assert phone.path == page


def test_a_follow_up_is_cancelled_in_time_and_the_plan_has_it_again(phone, dana):
    page = link(follow_up(dana, 3))
    phone.open(page)
    assert "you can move or cancel your visit, and it won't count." in phone.words

    phone.open(f"{page}/cancel")
    assert "Your plan has this visit again, and you can book another one." in phone.words
    assert "$" not in phone.words
    phone.press("Cancel my visit")

    assert phone.heading == "Your visit on Thursday, November 26 is cancelled"
    assert "Your Corrective plan has this visit again. 4 of 4 visits left" in phone.words
    assert follow_ups()[0].given_back


def test_cancelled_late_it_counts_and_the_page_says_so_before_and_after(phone, dana):
    page = link(follow_up(dana, 0.5))
    phone.open(page)
    assert "so it counts if you cancel." in phone.words

    phone.open(f"{page}/cancel")
    assert "It still counts as a visit of your plan." in phone.words
    phone.press("Cancel my visit")

    assert "It counts as a visit of your Corrective plan, because it was cancelled late" in (
        phone.words
    )
    assert "3 of 4 visits left" in phone.words


def test_a_follow_up_moves_to_a_time_of_its_own_length(phone, dana):
    visit = follow_up(dana, 3)
    page = link(visit)
    phone.open(f"{page}/move")
    assert "It counts in the month you move it to." in phone.words
    assert "promise" not in phone.words

    send(phone, f"{page}/move", phone.times()[-1])

    moved = booking(visit)
    assert moved.moves == 1
    assert moved.ends_at - moved.starts_at == timedelta(minutes=20)
    assert phone.path == page


def test_a_follow_up_of_who_owes_a_payment_is_not_moved_and_says_why(phone, dana):
    page = link(follow_up(dana, 3))
    change(Membership, dana.membership_id, status=MembershipStatus.PAST_DUE)

    phone.open(f"{page}/move")

    assert "Once it is paid, visits can be booked again." in phone.words
    assert phone.times() == []


def test_a_follow_up_after_the_end_says_that_it_is_not_included(phone, dana, noon):
    page = link(follow_up(dana, 3))
    change(
        Membership,
        dana.membership_id,
        status=MembershipStatus.CANCELLED,
        ended_at=noon + timedelta(days=1),
    )

    phone.open(page)

    assert "Your membership ends before this visit" in phone.words
    assert "Included in" not in phone.words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (BookingStatus.ARRIVED, "We know you're here."),
        (BookingStatus.IN_TREATMENT, "Your visit is under way"),
        (BookingStatus.COMPLETED, "Your visit was on Thursday, November 26"),
        (BookingStatus.NO_SHOW, "because it was missed"),
    ],
)
def test_every_state_of_a_follow_up_has_words_and_no_money(phone, dana, status, words):
    visit = follow_up(dana, 3)
    change(Booking, visit, status=status)

    phone.open(link(visit))

    assert words in phone.words
    assert "$" not in phone.words


def test_a_follow_up_offers_no_waiting_and_no_terms_of_a_first_visit(phone, dana):
    phone.open(link(follow_up(dana, 3)))

    assert "Rather come earlier?" not in phone.words
    assert "refund" not in phone.words


def test_the_calendar_calls_it_a_visit(client, dana):
    visit = follow_up(dana, 3)

    answer = client.get(f"{link(visit)}/visit.ics")

    [event] = Calendar.from_ical(answer.data).walk("VEVENT")
    assert event["SUMMARY"] == "Visit"


def test_opening_the_pages_changes_nothing(client, dana):
    visit = follow_up(dana, 3)
    for page in ("", "/book", "/move", "/cancel"):
        assert client.get(link(visit) + page).status_code == 200

    assert len(follow_ups()) == 1
    assert booking(visit).status is BookingStatus.CONFIRMED


def test_the_pages_speak_spanish(phone, dana):
    visit = follow_up(dana, 3)

    phone.open(f"{link(visit)}?lang=es")
    assert "Incluida en su plan Corrective." in phone.words
    assert "Visitas que le quedan este mes: 3 de 4" in phone.words
    phone.open(f"{link(visit)}/book?lang=es")
    assert phone.heading == "Reservar una visita"


def test_the_api_says_of_a_follow_up_that_it_has_no_money(client, dana):
    visit = follow_up(dana, 3)
    token = current_app.extensions["links"].token("visit", visit)

    answer = client.get(f"/api/v1/bookings/{visit}?token={token}").get_json()
    assert (answer["status"], answer["payment"], answer["promise"]) == ("confirmed", None, None)

    cancelled = client.post(
        f"/api/v1/bookings/{visit}/cancel?token={token}", headers={"Idempotency-Key": "a" * 16}
    ).get_json()
    assert (cancelled["status"], cancelled["refunds"]) == ("cancelled", [])
    assert len(all_of(Promise)) == 1


def test_a_cancelled_first_page_of_a_member_books_on(phone, dana):
    """Whatever became of a visit, its page is a way to the next one."""
    visit = follow_up(dana, 3)
    bookings.cancel(visit, PRIYA)

    phone.open(f"{link(visit)}/book")

    assert phone.heading == "Book a visit"
