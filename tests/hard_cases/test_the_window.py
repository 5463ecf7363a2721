"""A membership that begins another day, after the visit was moved, or while the clocks change.

Hard cases "converts the next day", "the visit is moved, then converts" and "clinic clock changes".
"""

from datetime import UTC, datetime, timedelta

import pytest
from flask import current_app

from booking_service.models import Booking, Practice
from booking_service.services import memberships, promises
from tests.case_makers import case_of
from tests.factories import all_of, booking, change, free_slot, in_treatment, paid, plan, refunds
from tests.faults.facts import promise
from tests.web.staff_browser import words

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

SECOND = timedelta(seconds=1)


def convert(desk, visit, travel, work, at):
    """Press the button at `at`, and let the time to undo pass; return what the desk is told."""
    travel(at)
    choice = {"plan_id": str(plan().id), "payment": {"method": "saved_card"}}
    answer = desk.post(f"/bookings/{visit.booking_id}/convert", choice).get_json()
    travel(at + timedelta(seconds=11))
    work()
    return answer.get("code", "a member")


# Converts the next day.


def test_converts_the_next_day_is_told_of_goodwill_and_finance_grants_it(
    stripe, desk, finance, sign_in, travel, work, noon, beat
):
    visit = in_treatment(stripe)
    travel(noon + timedelta(days=1))
    beat()

    assert convert(desk, visit, travel, work, noon + timedelta(days=1)) == "window_closed"
    assert (promise(), stripe.refunds(), stripe.subscriptions()) == ("lapsed", [], [])

    asked = {"payment_id": str(visit.payment.id), "reason": "goodwill", "note": "Came again"}
    made = finance.post("/refunds", asked).get_json()
    case = f"/finance/cases/{case_of(made['id']).id}"
    ana = sign_in("finance")
    assert "Came again" in words(ana.get(case))
    ana.post(case, f"{case}/approve_goodwill")
    work()

    [refund] = refunds()
    assert (refund.reason, refund.status, promise()) == ("goodwill", "succeeded", "waived")
    assert [made["amount"] for made in stripe.refunds()] == [3900]


def test_without_the_window_the_next_day_is_a_silent_yes(
    stripe, desk, travel, work, noon, monkeypatch
):
    monkeypatch.setattr(memberships, "_refuse_unless_in_window", lambda *_: None)
    visit = in_treatment(stripe)

    assert convert(desk, visit, travel, work, noon + timedelta(days=1)) == "a member"

    assert [(refund.reason, refund.status) for refund in refunds()] == [("membership", "succeeded")]


# The visit is moved, then converts.


def move_then_convert(phone, stripe, desk, travel, work):
    visit = paid(stripe, slot=free_slot(500))
    page = "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)
    phone.open(f"{page}/move")
    phone.post(f"{page}/move", slot=phone.times()[-1], csrf_token=phone._token())
    starts_at = booking(visit.booking_id).starts_at
    travel(starts_at)
    for step in ("arrive", "begin-treatment"):
        desk.post(f"/bookings/{visit.booking_id}/{step}")
    said = convert(desk, visit, travel, work, starts_at + timedelta(minutes=10))
    visits = len([one for one in stripe.listed("payment_intents") if one["amount"] == 3900])
    return said, promise(), visits


def test_the_visit_is_moved_then_converts_and_the_promise_moved_with_it(
    phone, stripe, desk, travel, work
):
    ended = move_then_convert(phone, stripe, desk, travel, work)

    assert ended == ("a member", "settled", 1)
    assert booking(all_of(Booking)[0].id).moves == 1


def test_a_window_that_stayed_behind_would_cost_the_patient_who_moved_the_refund(
    phone, stripe, desk, travel, work, monkeypatch
):
    """The control: the window is that of the time that was booked first."""
    first = free_slot(500).starts_at
    here = memberships.local_day
    monkeypatch.setattr(
        memberships,
        "local_day",
        lambda at, zone: here(first if at == booking_starts() else at, zone),
    )

    assert move_then_convert(phone, stripe, desk, travel, work)[0] == "window_closed"


def booking_starts() -> datetime:
    return all_of(Booking)[0].starts_at


# Clinic clock changes: New York's day of 25 hours, and its day of 23.

AUTUMN = datetime(2026, 11, 1, 4, 0, tzinfo=UTC), datetime(2026, 11, 2, 5, 0, tzinfo=UTC)
SPRING = datetime(2027, 3, 14, 5, 0, tzinfo=UTC), datetime(2027, 3, 15, 4, 0, tzinfo=UTC)
BOTH = pytest.mark.parametrize("day", [AUTUMN, SPRING], ids=["25 hours", "23 hours"])


def at_both_ends_of(day, stripe, desk, travel, work):
    """Two patients of one day who join in its last second, and just after it."""
    midnight, next_midnight = day
    visits = [in_treatment(stripe), in_treatment(stripe, name="Robin Hale", email="r@example.com")]
    for visit in visits:
        times = {"starts_at": midnight, "ends_at": midnight + timedelta(minutes=45)}
        change(Booking, visit.booking_id, **times)
    return [
        convert(desk, visit, travel, work, at)
        for visit, at in zip(visits, (next_midnight - SECOND, next_midnight), strict=True)
    ]


@BOTH
def test_clinic_clock_changes_and_the_window_is_the_practices_day(stripe, desk, travel, work, day):
    assert at_both_ends_of(day, stripe, desk, travel, work) == ["a member", "window_closed"]


@BOTH
def test_a_window_of_24_hours_is_an_hour_wrong_when_the_clocks_change(
    stripe, desk, travel, work, day, monkeypatch
):
    """The control: a day is 24 hours from its midnight."""
    monkeypatch.setattr(memberships, "local_day", lambda at, _: (at - day[0]) // timedelta(days=1))

    wrong = {AUTUMN: ["window_closed", "window_closed"], SPRING: ["a member", "a member"]}
    assert at_both_ends_of(day, stripe, desk, travel, work) == wrong[day]


def left_open_until_swept(day, stripe, travel):
    """A visit of that day that nobody closed: its promise a second before midnight, and at it."""
    midnight, next_midnight = day
    visit = paid(stripe)
    ends_at = midnight + timedelta(minutes=45)
    change(Booking, visit.booking_id, starts_at=midnight, ends_at=ends_at)
    seen = []
    for at in (next_midnight - SECOND, next_midnight):
        travel(at)
        promises.sweep()
        seen.append(promise().value)
    return seen


@BOTH
def test_clinic_clock_changes_and_an_unclosed_visit_ends_at_the_practices_midnight(
    stripe, travel, day
):
    assert left_open_until_swept(day, stripe, travel) == ["open", "lapsed"]


@BOTH
def test_a_sweep_after_24_hours_is_an_hour_wrong_when_the_clocks_change(
    stripe, travel, day, monkeypatch
):
    monkeypatch.setattr(promises, "ended_before", lambda now, _: now - timedelta(hours=24) + SECOND)

    wrong = {AUTUMN: ["lapsed", "lapsed"], SPRING: ["open", "open"]}
    assert left_open_until_swept(day, stripe, travel) == wrong[day]


def page_of_the_last_minute(day, phone, stripe, travel):
    """What the patient's page says of a visit in the last minute of that day."""
    visit = paid(stripe)
    change(Booking, visit.booking_id, starts_at=day[1] - SECOND, ends_at=day[1])
    travel(day[0])

    phone.open("/v/" + current_app.extensions["links"].token("visit", visit.booking_id))
    return phone.words


@BOTH
def test_clinic_clock_changes_and_pages_show_clinic_time_with_its_zone(phone, stripe, travel, day):
    said = page_of_the_last_minute(day, phone, stripe, travel)

    assert "11:59 PM" in said
    assert "(clinic time, ET)" in said


def test_in_any_other_zone_the_page_would_show_another_time(phone, stripe, travel):
    """The control."""
    [practice] = all_of(Practice)
    change(Practice, practice.id, timezone="Etc/GMT+5")  # what New York's was before spring

    assert "10:59 PM" in page_of_the_last_minute(SPRING, phone, stripe, travel)
