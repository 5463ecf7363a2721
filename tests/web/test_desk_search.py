"""Finding a patient at the desk: what may be typed, in which order they come, and who may ask."""

from datetime import timedelta

import pytest

from booking_service.models import Booking
from tests.factories import booking, change, paid, visit_of
from tests.web.staff_browser import StaffBrowser, words

PAGE = "/desk/search"


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def dana(seeded, noon, stripe):
    return paid(stripe, name="Dana Whitfield", email="dana@example.com", phone="518 555 0178")


def found(browser, q: str) -> str:
    return words(browser.post(PAGE, PAGE, q=q)).partition("Find a patient")[2]


@pytest.mark.parametrize(
    "q",
    [
        *("Dana", "whit", "  dana   WHITFIELD ", "field da"),
        *("0178", "5550178", "(518) 555-0178", "4242"),
        *("dana@example.com", "DANA@ex"),
    ],
)
def test_a_patient_is_found_by_what_the_desk_knows(priya, dana, stripe, q):
    visit_of("Robin Hale", stripe, 3, card="5555555555554444")

    said = found(priya, q)

    assert "1 visit. Enter opens the first. Today Dana Whitfield Mon, Nov 23, 12:00 PM" in said
    assert "Robin" not in said


def test_a_patient_is_found_by_the_booking_code(priya, dana):
    code = booking(dana.booking_id).code

    assert "Dana Whitfield" in found(priya, code)
    assert "Dana Whitfield" in found(priya, code.lower().removeprefix("fv-"))


@pytest.mark.parametrize("q", ["Dora", "9999", "%", "__", "dana@elsewhere", "\\\\"])
def test_nobody_who_fits_is_said_and_letters_stand_for_themselves(priya, dana, q):
    said = found(priya, q)

    assert "Dana" not in said
    assert "Nobody fits that." in said or "Type at least" in said


@pytest.mark.parametrize("q", ["d", "017", " "])
def test_too_little_to_look_for_asks_for_more(priya, dana, q):
    assert "Type at least two letters, or four digits." in found(priya, q) or not q.strip()
    assert "Dana" not in found(priya, q)


def test_today_comes_first_then_what_is_ahead_then_the_past(priya, dana, noon, stripe):
    for nth, (name, days) in enumerate((("Past", -3), ("Ahead", 3), ("Longpast", -30)), start=1):
        other = visit_of(f"Whit {name}", stripe, nth * 3)
        at = noon + timedelta(days=days, minutes=nth)
        change(Booking, other.booking_id, starts_at=at, ends_at=at + timedelta(minutes=45))

    said = found(priya, "whit")

    order = ["Today", "Dana Whitfield", "Upcoming", "Whit Ahead", "Past", "Whit Past", "Longpast"]
    assert [part for part in order if part in said] == order
    assert sorted(order[:-1], key=said.index) == order[:-1]
    assert said.index("Whit Past") < said.index("Whit Longpast")


def test_a_list_that_follows_what_is_typed_is_sent_alone(priya, dana):
    page = priya.post(PAGE, PAGE, q="dana")
    piece = priya.post_piece(PAGE, q="dana")

    assert "<html" in page.text
    assert piece.text.lstrip().startswith("<p class=")
    assert f"/desk/visit/{dana.booking_id}" in piece.text


def test_a_name_never_stands_in_an_address(priya, dana):
    assert "Dana" not in words(priya.get(f"{PAGE}?q=Dana"))
    assert priya.post_without_token(PAGE).status_code == 400


def test_finance_does_not_search_the_desks_patients(app, seeded):
    ana = StaffBrowser(app)
    ana.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))

    assert ana.get(PAGE).status_code == 403
