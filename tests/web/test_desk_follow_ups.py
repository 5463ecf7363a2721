"""The desk books a member's next visit, and takes it through its steps."""

import re
from datetime import datetime, timedelta
from html import unescape

import pytest

from booking_service.models import (
    Booking,
    BookingKind,
    BookingStatus,
    Membership,
    MembershipStatus,
    Practice,
    Refund,
)
from booking_service.queries import desk_search, front_desk
from booking_service.queries import follow_ups as follow_up_queries
from booking_service.services import bookings
from tests import factories
from tests.factories import PRIYA, all_of, booking, change, follow_up, follow_up_slot, plan
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def dana(seeded, noon, stripe):
    return factories.member(stripe)


def drawer(booking_id) -> str:
    return f"/desk/visit/{booking_id}"


def follow_ups() -> list[Booking]:
    return [row for row in all_of(Booking) if row.kind is BookingKind.FOLLOW_UP]


def slots(page) -> list[str]:
    return [unescape(v) for v in re.findall(r'name="slot" value="([^"]*)"', page.text)]


def test_the_drawer_of_a_member_leads_to_the_next_visit_and_back(priya, dana):
    page = priya.get(drawer(dana.booking_id))
    assert "Corrective: 4 of 4 visits left until Tue, Dec 22. Book the next visit" in words(page)
    assert page.text.count('class="btn wide tall pri"') == 1

    path = f"{drawer(dana.booking_id)}/next"
    answer = priya.post(path, path, slot=slots(priya.get(path))[0])

    [made] = follow_ups()
    assert answer.status_code == 303
    said = words(priya.get(answer.location))
    assert re.search(r"Booked: Monday, November 30, \d+:\d\d [AP]M\. 3 of 4 visits left", said)
    assert "Next visit: Mon, Nov 30" in said
    assert "Book another visit" in said
    first = booking(dana.booking_id)
    assert made.practitioner_id == first.practitioner_id


def test_the_first_time_offered_is_the_same_hour_a_week_later(priya, dana):
    first = booking(dana.booking_id)

    page = priya.get(f"{drawer(dana.booking_id)}/next")

    at = first.starts_at + timedelta(days=7)
    assert slots(page)[0] == f"{first.practitioner_id}@{at:%Y-%m-%dT%H:%MZ}"
    assert "A week later Monday, November 30, " in words(page)


def test_when_that_hour_is_taken_the_nearest_of_that_day_is_offered(priya, dana):
    first = booking(dana.booking_id)
    at = first.starts_at + timedelta(days=7)
    factories.hold(follow_up_slot(7)._replace(practitioner_id=first.practitioner_id, starts_at=at))

    page = priya.get(f"{drawer(dana.booking_id)}/next")

    doctor, _, instant = slots(page)[0].partition("@")
    assert doctor == str(first.practitioner_id)
    assert instant.startswith("2026-11-30")
    assert instant != f"{at:%Y-%m-%dT%H:%MZ}"


def test_a_week_later_is_the_same_hour_when_the_clocks_change(dana, travel):
    """Nine o'clock is an hour earlier in UTC after the second Sunday of March."""
    nine = datetime.fromisoformat("2027-03-11T14:00:00+00:00")
    travel(nine)
    doctor = booking(dana.booking_id).practitioner_id

    slot = follow_up_queries.a_week_later(
        follow_up_queries.member(dana.booking_id).allowance, doctor, nine
    )

    assert slot.starts_at - nine == timedelta(days=7, hours=-1)


def test_a_doctor_can_be_chosen(priya, dana):
    doctor = follow_up_slot(2).practitioner_id

    page = priya.get(f"{drawer(dana.booking_id)}/next?doctor={doctor}")

    listed = slots(page)[1:]
    assert listed
    assert {value.partition("@")[0] for value in listed} == {str(doctor)}


def test_a_refusal_says_that_nothing_was_booked(priya, dana):
    path, slot = f"{drawer(dana.booking_id)}/next", follow_up_slot(3)
    factories.hold(slot)

    answer = priya.post(path, path, slot=f"{slot.practitioner_id}@{slot.starts_at:%Y-%m-%dT%H:%MZ}")

    assert answer.status_code == 409
    assert "Nothing was booked That time was just booked. Choose another time." in words(answer)
    assert follow_ups() == []


def test_a_visit_without_a_membership_has_no_such_page(priya, seeded, noon, stripe):
    visit = factories.paid(stripe)

    page = f"{drawer(visit.booking_id)}/next"
    assert priya.get(page).status_code == 303
    assert "Book the next visit" not in words(priya.get(drawer(visit.booking_id)))


def test_the_drawer_says_why_a_membership_books_nothing(priya, dana):
    change(Membership, dana.membership_id, status=MembershipStatus.PAST_DUE)

    said = words(priya.get(drawer(dana.booking_id)))

    assert "Once it is paid, visits can be booked again." in said
    assert "Book the next visit" not in said
    assert priya.get(f"{drawer(dana.booking_id)}/next").status_code == 303


def test_a_follow_up_is_taken_through_its_steps(priya, dana, travel):
    visit = booking(follow_up(dana, 3))
    travel(visit.starts_at)
    page = drawer(visit.id)
    said = words(priya.get(page))
    assert "Follow-up · " in said
    assert "Included in the Corrective plan. Nothing is paid." in said
    assert "$" not in said.partition("Follow-up · ")[2]

    for step, after in (
        ("arrive", "Dana is here"),
        ("begin-treatment", "Dana is with "),
        ("complete", "The visit has ended"),
    ):
        assert priya.post(page, f"{page}/{step}").status_code == 303
        assert after in words(priya.get(page))

    assert "Book the next visit" in words(priya.get(page))
    assert booking(visit.id).status is BookingStatus.COMPLETED


def test_a_follow_up_nobody_came_to_counts(priya, dana, travel):
    visit = booking(follow_up(dana, 3))
    travel(visit.starts_at + timedelta(minutes=10))

    priya.post(drawer(visit.id), f"{drawer(visit.id)}/no-show")

    said = words(priya.get(drawer(visit.id)))
    assert "Nobody came" in said
    assert "It counts as a visit of the plan." in said


@pytest.mark.parametrize(
    ("who", "money", "words_after"),
    [
        ("patient", "kept", "It counts as a visit of the plan."),
        ("practice", "back", "The plan has this visit again."),
    ],
)
def test_late_it_matters_who_cancels(priya, dana, who, money, words_after):
    visit = follow_up(dana, 0.5)
    page = f"{drawer(visit)}/cancel"
    said = words(priya.get(page))
    assert "Cancel, count the visit" in said
    assert "Cancel, give the visit back" in said
    assert "$" not in said

    answer = priya.post(page, page, who=who, money=money)

    assert answer.status_code == 303
    assert words_after in words(priya.get(answer.location))
    assert [row for row in all_of(Refund) if row.reason == "cancellation"] == []


def test_a_follow_up_moves_at_the_desk(priya, dana):
    visit = follow_up(dana, 3)
    page = f"{drawer(visit)}/move"
    assert "One press moves it." in words(priya.get(page))

    answer = priya.post(page, page, slot=slots(priya.get(page))[-1])

    assert answer.status_code == 303
    moved = booking(visit)
    assert moved.moves == 1
    assert moved.ends_at - moved.starts_at == timedelta(minutes=20)


def test_the_board_shows_follow_ups_and_counts_first_visits_alone(priya, dana, travel):
    visit = booking(follow_up(dana, 3))

    day = priya.get("/desk/2026-11-26")

    assert "First visits 0" in words(day)
    assert "Dana Whitfield Follow-up" in words(day)
    board = front_desk.day(visit.starts_at.date())
    assert (board.first_visits, board.became_members, board.refunded_cents) == (0, 0, 0)
    assert [(one.kind, one.state, one.membership_status) for one in board.visits] == [
        (BookingKind.FOLLOW_UP, "expected", None)
    ]


def test_a_visit_after_the_end_of_its_membership_is_marked(priya, dana, noon):
    visit = follow_up(dana, 3)
    change(
        Membership,
        dana.membership_id,
        status=MembershipStatus.CANCELLED,
        ended_at=noon + timedelta(days=1),
    )

    assert "Dana Whitfield Membership ended" in words(priya.get("/desk/2026-11-26"))
    said = words(priya.get(drawer(visit)))
    assert "Not covered The Corrective plan ended Tue, Nov 24, before this visit." in said
    assert "Nothing is paid" not in said
    # It is the desk that decides: everything can still be done with it.
    assert "Cancel" in said


def test_a_visit_before_that_end_is_covered(dana, noon):
    follow_up(dana, 3)
    change(
        Membership,
        dana.membership_id,
        status=MembershipStatus.CANCELLED,
        ended_at=noon + timedelta(days=10),
    )

    [visit] = front_desk.day((noon + timedelta(days=3)).date()).visits

    assert visit.is_covered


def test_search_says_what_is_a_follow_up(priya, dana):
    follow_up(dana, 3)

    found = desk_search.find("whitf")

    assert [one.kind for one in found.ahead] == [BookingKind.FOLLOW_UP]
    said = words(priya.post("/desk/search", "/desk/search", q="whitf"))
    assert "Follow-up · Expected" in said


def test_the_link_of_a_follow_up_can_be_sent(priya, dana):
    visit = follow_up(dana, 3)

    priya.post(drawer(visit), f"{drawer(visit)}/send-link")

    assert "The link is on its way by e-mail." in words(priya.get(drawer(visit)))


def test_the_day_by_api_has_follow_ups_without_money(client, seeded, dana):
    follow_up(dana, 3)
    token = seeded.api_tokens["front_desk"]

    answer = client.get(
        "/api/v1/desk/day?date=2026-11-26", headers={"Authorization": f"Bearer {token}"}
    ).get_json()

    [visit] = [one for doctor in answer["practitioners"] for one in doctor["visits"]]
    assert (visit["payment"], visit["membership"], visit["refund"]) == (None, None, None)


def test_a_member_with_no_visit_left_is_offered_those_of_the_next_month(priya, dana):
    change(Practice, all_of(Practice)[0].id, horizon_days=40)
    for day in range(1, plan().visits_a_month + 1):
        follow_up(dana, day)

    page = priya.get(f"{drawer(dana.booking_id)}/next")

    assert "0 of 4 visits left until Tue, Dec 22." in words(page)
    assert min(value.partition("@")[2] for value in slots(page)) >= "2026-12-23"


def test_a_cancelled_follow_up_is_gone_from_what_is_ahead(priya, dana):
    visit = follow_up(dana, 3)
    bookings.cancel(visit, PRIYA)

    assert "Next visit" not in words(priya.get(drawer(dana.booking_id)))
