"""The desk's steps: each offers to be undone, until money depends on it."""

import pytest

from booking_service.models import Booking, BookingStatus
from booking_service.services import visit_steps
from tests.factories import PRIYA, booking, change, converted, in_treatment, no_show, paid
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon")


@pytest.fixture
def desk(seeded) -> dict:
    return next(one for one in seeded.staff if one["role"] == "front_desk")


@pytest.fixture
def priya(app, desk):
    browser = StaffBrowser(app)
    browser.sign_in(desk)
    return browser


def page_of(visit) -> str:
    return f"/desk/visit/{visit.booking_id}"


def status(visit) -> BookingStatus:
    return booking(visit.booking_id).status


STEPS = [
    ("confirmed", "arrive", "arrived", "Checked in.", "Undo check-in"),
    ("arrived", "begin-treatment", "in_treatment", "Treatment began.", "Undo “Treatment began”"),
    ("in_treatment", "complete", "completed", "The visit has ended.", "Reopen the visit"),
    ("confirmed", "no-show", "no_show", "Noted: nobody came.", "Undo no-show"),
]


@pytest.mark.parametrize(("before", "step", "after", "said", "word"), STEPS)
def test_each_step_offers_to_be_undone_once_and_for_the_day(
    priya, noon, stripe, before, step, after, said, word
):
    visit = paid(stripe)
    times = {"arrived_at": noon} if before != "confirmed" else {}
    times |= {"treatment_began_at": noon} if before == "in_treatment" else {}
    past = {"starts_at": visit.payment.paid_at.replace(hour=16)} if step == "no-show" else {}
    change(Booking, visit.booking_id, status=BookingStatus(before), **times, **past)

    priya.post(page_of(visit), f"{page_of(visit)}/{step}")
    first, later = priya.get(page_of(visit)), priya.get(page_of(visit))

    assert status(visit) == after
    assert f"{said} Undo" in words(first)
    assert said not in words(later)
    assert word in words(later)

    back = priya.post(page_of(visit), f"{page_of(visit)}/take-back", step=after)
    again = priya.post(page_of(visit), f"{page_of(visit)}/take-back", step=after)

    assert (back.status_code, again.status_code) == (303, 303)
    assert status(visit) == before
    assert "Taken back." in words(priya.get(page_of(visit)))


def test_taking_back_what_money_depends_on_is_refused_with_the_reason(priya, stripe):
    visit = converted(stripe)

    answer = priya.post(page_of(visit), f"{page_of(visit)}/take-back", step="in_treatment")

    assert answer.status_code == 409
    said = "This was not done Money depends on it: the membership was started at 12:00 PM."
    assert said in words(answer)
    assert "/take-back" not in answer.text
    assert status(visit) is BookingStatus.IN_TREATMENT


def test_another_day_offers_nothing_to_undo(priya, desk, noon, travel, stripe):
    visit = in_treatment(stripe)
    visit_steps.complete(visit.booking_id, PRIYA)
    assert "Reopen the visit" in words(priya.get(page_of(visit)))

    travel(noon.replace(day=24))
    priya.sign_in(desk)

    assert "/take-back" not in priya.get(page_of(visit)).text


@pytest.mark.parametrize("step", ["", "confirmed", "cancelled", "nothing"])
def test_only_a_step_can_be_taken_back(priya, stripe, step):
    visit = paid(stripe)

    answer = priya.post(page_of(visit), f"{page_of(visit)}/take-back", step=step)

    assert answer.status_code == 400


def test_a_no_show_whose_time_is_gone_says_so(priya, stripe):
    visit = paid(stripe)
    no_show(visit)
    seen = booking(visit.booking_id)
    other = paid(stripe, name="Robin Hale", email="robin@example.com")
    at = {"practitioner_id": seen.practitioner_id, "starts_at": seen.starts_at}
    change(Booking, other.booking_id, **at, ends_at=seen.ends_at)

    answer = priya.post(page_of(visit), f"{page_of(visit)}/take-back", step="no_show")

    assert answer.status_code == 409
    assert "The time was given to somebody else meanwhile." in words(answer)


def test_no_step_is_taken_back_without_the_token_of_a_page(priya, stripe):
    visit = in_treatment(stripe)

    assert priya.post_without_token(f"{page_of(visit)}/take-back").status_code == 400
    assert status(visit) is BookingStatus.IN_TREATMENT


def test_checking_in_asks_for_what_only_the_patient_knows(priya, stripe):
    visit = paid(stripe)

    said = words(priya.get(page_of(visit)))

    assert "Ask for the name and the last two digits of the phone: 78" in said
