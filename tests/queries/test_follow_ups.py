"""Free times of both lengths: from the same hours and bookings, each at its own length."""

from datetime import date, timedelta

import pytest

from booking_service.clock import day_bounds
from booking_service.db import transaction
from booking_service.models import (
    Booking,
    BookingKind,
    Membership,
    MembershipStatus,
    Practice,
    TimeOff,
)
from booking_service.queries import availability, follow_ups, state
from booking_service.services import bookings
from tests import factories
from tests.factories import PRIYA, all_of, change, follow_up, follow_up_slot, plan

FOLLOW_UP = BookingKind.FOLLOW_UP
SLOTS = "/api/v1/slots?from=2026-11-26&days=1"
THURSDAY = date(2026, 11, 26)


@pytest.fixture
def dana(seeded, noon, stripe):
    return factories.member(stripe)


@pytest.fixture
def an_hour(seeded, noon):
    """The practice is open for one hour on Thursday, from nine."""
    begins, ends = day_bounds(THURSDAY, availability.the_practice().zone)
    nine = begins + timedelta(hours=9)
    with transaction() as session:
        for span in ((begins - timedelta(days=40), nine), (nine + timedelta(hours=1), ends)):
            session.add(TimeOff(starts_at=span[0], ends_at=span[1], reason="Closed"))
    return nine


def minutes(kind: BookingKind, nine) -> set[int]:
    [day] = availability.free_days(THURSDAY, 1, kind=kind)
    return {(slot.starts_at - nine) // timedelta(minutes=1) for slot in day.slots}


def test_a_follow_up_finds_room_where_a_first_visit_does_not(an_hour):
    assert minutes(BookingKind.FIRST, an_hour) == {0}
    assert minutes(FOLLOW_UP, an_hour) == {0, 20, 40}
    [day] = availability.free_days(THURSDAY, 1, kind=FOLLOW_UP)
    assert {slot.ends_at - slot.starts_at for slot in day.slots} == {timedelta(minutes=20)}


def test_the_length_is_the_practices_to_say(an_hour):
    change(Practice, all_of(Practice)[0].id, follow_up_minutes=35)

    assert minutes(FOLLOW_UP, an_hour) == {0, 20}


def listed(client) -> set[str]:
    [day] = client.get(SLOTS).get_json()["days"]
    return {slot["starts_at"] + slot["practitioner"]["id"] for slot in day["slots"]}


def test_a_kept_list_of_first_visits_ends_with_a_follow_up(client, dana):
    """Answers are kept by a version that every booking changes, whatever its length."""
    before = listed(client)

    visit = follow_up(dana, 3)
    booked = listed(client)
    bookings.cancel(visit, PRIYA)

    # A first visit takes 45 minutes: two earlier starts and the hour itself are gone.
    assert len(before - booked) == 3
    assert listed(client) == before


def test_a_kept_list_of_first_visits_is_not_that_of_follow_ups(client, dana):
    assert len(listed(client)) >= 200
    [day] = availability.free_days(THURSDAY, 1, kind=FOLLOW_UP)

    [first] = availability.free_days(THURSDAY, 1)

    assert {slot.ends_at - slot.starts_at for slot in first.slots} == {timedelta(minutes=45)}
    assert {slot.ends_at - slot.starts_at for slot in day.slots} == {timedelta(minutes=20)}


def test_what_a_plan_does_not_include_is_not_listed(dana, noon):
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    for day in range(1, plan().visits_a_month + 1):
        follow_up(dana, day)
    allowance = follow_ups.member(dana.booking_id).allowance

    days = follow_ups.free_days(allowance, date(2026, 12, 22), 2)

    assert [(day.date.day, bool(day.slots)) for day in days] == [(22, False), (23, True)]


def test_what_is_ahead_is_what_is_confirmed_the_soonest_first(dana, travel):
    visits = [follow_up(dana, day) for day in (5, 3, 4)]
    bookings.cancel(visits[2], PRIYA)

    ahead = follow_ups.member(dana.booking_id).ahead

    assert [one.booking_id for one in ahead] == [visits[1], visits[0]]
    assert [one.booking_id for one in follow_ups.member(visits[0]).ahead] == [visits[1], visits[0]]


def test_who_was_never_a_member_has_no_plan(seeded, noon, stripe):
    visit = factories.paid(stripe)

    assert follow_ups.member(visit.booking_id) is None
    assert follow_ups.of_visit(visit.booking_id) is None


def test_a_membership_that_was_not_paid_yet_is_no_plan(seeded, noon, stripe):
    visit = factories.converted(stripe)

    assert follow_ups.member(visit.booking_id) is None


def test_a_plan_that_ended_stays_to_be_seen_and_closed(dana):
    change(Membership, dana.membership_id, status=MembershipStatus.ENDED)

    assert "has ended" in str(follow_ups.member(dana.booking_id).closed)


def test_nothing_is_suggested_on_a_day_that_is_over_or_closed(dana, noon):
    allowance = follow_ups.member(dana.booking_id).allowance
    doctor = follow_up_slot().practitioner_id

    assert follow_ups.a_week_later(allowance, doctor, noon - timedelta(days=20)) is None


def test_the_dump_has_follow_ups_without_payment_and_promise(dana):
    visit = follow_up(dana, 3)

    [row] = [one for one in state.state()["bookings"] if one["id"] == str(visit)]

    assert (row["payment_id"], row["promise_status"]) == (None, None)
    assert row["status"] == "confirmed"
    assert len(all_of(Booking)) == 2
