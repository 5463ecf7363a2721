"""The desk moves and cancels a visit: what is said of the money is what happens to it."""

import re
from datetime import timedelta

import pytest

from booking_service.models import BookingStatus, Promise, PromiseStatus, RefundReason
from tests.factories import all_of, booking, hold, paid, refunds, slot_in, visit_of
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def soon(seeded, noon, stripe):
    return visit_of("Robin Hale", stripe, slot=slot_in(3))


@pytest.fixture
def later(seeded, noon, stripe):
    return paid(stripe, slot=slot_in(72))


def page(visit, name: str) -> str:
    return f"/desk/visit/{visit.booking_id}/{name}"


def cancel(browser, visit, who: str, money: str):
    path = page(visit, "cancel")
    return browser.post(path, path, who=who, money=money)


def outcome(visit) -> tuple:
    [promise] = all_of(Promise)
    return booking(visit.booking_id).status, promise.status, [one.reason for one in refunds()]


KEPT = (BookingStatus.CANCELLED, PromiseStatus.LAPSED, [])
BACK = (BookingStatus.CANCELLED, PromiseStatus.VOID, [RefundReason.CANCELLATION])
UNTOUCHED = (BookingStatus.CONFIRMED, PromiseStatus.OPEN, [])


def test_the_page_says_what_each_way_means_for_the_money(priya, soon, later):
    assert "All $39.00 goes back to Visa 4242. Cancel and refund $39.00 The practice" in words(
        priya.get(page(later, "cancel"))
    )
    late = words(priya.get(page(soon, "cancel")))
    assert "The $39.00 is kept. Cancel and keep $39.00 The practice cancels" in late
    assert "All $39.00 goes back to Visa 4242. Cancel and refund $39.00 Keep the visit" in late


@pytest.mark.parametrize(
    ("who", "money", "ends"), [("patient", "kept", KEPT), ("practice", "back", BACK)]
)
def test_late_it_matters_who_cancels(priya, soon, who, money, ends):
    answer = cancel(priya, soon, who, money)

    assert answer.status_code == 303
    assert outcome(soon) == ends
    assert "Cancelled. The patient gets an e-mail." in words(priya.get(answer.location))


def test_in_time_the_money_goes_back_to_a_patient_who_asked(priya, later):
    cancel(priya, later, "patient", "back")

    assert outcome(later) == BACK


def test_a_page_that_promised_otherwise_asks_again(priya, later, travel):
    travel(booking(later.booking_id).starts_at - timedelta(hours=1))

    answer = cancel(priya, later, "patient", "back")

    assert answer.location.endswith("/cancel")
    assert outcome(later) == UNTOUCHED


def test_pressing_twice_cancels_once(priya, later):
    path = page(later, "cancel")
    token = re.search(r'name="csrf_token" value="([^"]+)"', priya.get(path).text)[1]

    answers = [
        priya.post_with(token, path, who="practice", money="back").status_code for _ in range(2)
    ]

    assert answers == [303, 303]
    assert outcome(later) == BACK


def test_the_desk_moves_a_visit_with_one_press_at_any_hour(priya, soon):
    shown = priya.get(page(soon, "move"))
    slot = re.findall(r'name="slot" value="([^"]+)"', shown.text)[40]

    answer = priya.post(page(soon, "move"), page(soon, "move"), slot=slot)

    assert answer.status_code == 303
    moved = booking(soon.booking_id)
    assert f"{moved.practitioner_id}@{moved.starts_at:%Y-%m-%dT%H:%MZ}" == slot
    assert outcome(soon) == UNTOUCHED
    assert "Moved. The patient gets an e-mail." in words(priya.get(answer.location))


def test_a_time_that_went_meanwhile_is_said_and_the_visit_stays(priya, soon):
    was = booking(soon.booking_id).starts_at
    to = slot_in(50)
    hold(to)

    value = f"{to.practitioner_id}@{to.starts_at:%Y-%m-%dT%H:%MZ}"
    answer = priya.post(page(soon, "move"), page(soon, "move"), slot=value)

    assert answer.status_code == 409
    assert "The visit has not been moved That time was just booked." in words(answer)
    assert booking(soon.booking_id).starts_at == was


def test_one_doctors_times_alone(priya, soon):
    other = slot_in(80).practitioner_id

    shown = priya.get(f"{page(soon, 'move')}?doctor={other}")

    assert {
        value.partition("@")[0] for value in re.findall(r'value="([0-9a-f-]+@[^"]+)"', shown.text)
    } == {str(other)}


@pytest.mark.parametrize("name", ["move", "cancel"])
def test_what_is_no_visit_to_come_leads_to_its_own_page(priya, later, name):
    cancel(priya, later, "practice", "back")

    answer = priya.get(page(later, name))

    assert (answer.status_code, answer.location) == (303, f"/desk/visit/{later.booking_id}")


@pytest.mark.parametrize("name", ["move", "cancel"])
def test_finance_neither_moves_nor_cancels(app, seeded, later, name):
    ana = StaffBrowser(app)
    ana.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))

    assert ana.get(page(later, name)).status_code == 403
