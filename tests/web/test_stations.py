"""A station that several people share: nobody acts as another, and a lock shows no patient."""

import re
from datetime import timedelta
from html import unescape

import pytest

from booking_service.models import AuditRow, Role
from booking_service.services import staff
from tests.factories import all_of, booking, paid
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon")

SAM = {"email": "sam@example.com", "password": "a sentence of Sam Field"}
PIN = "482915"


@pytest.fixture
def people(seeded) -> dict[str, dict]:
    """Priya and Sam of the desk, and somebody of finance."""
    staff.set_up(staff.invite(SAM["email"], "Sam Field", Role.FRONT_DESK), SAM["password"])
    by_role = {one["role"]: one for one in seeded.staff}
    return {"Priya": by_role["front_desk"], "Sam": SAM, "Ana": by_role["finance"]}


@pytest.fixture
def station(app, people) -> StaffBrowser:
    """One browser, where Sam signed in this morning and Priya is at work."""
    browser = StaffBrowser(app)
    browser.sign_in(people["Sam"])
    browser.post("/my-pin", "/my-pin", pin=PIN, password=SAM["password"])
    browser.post("/my-pin", "/lock")
    browser.sign_in(people["Priya"])
    return browser


def page_of(visit) -> str:
    return f"/desk/visit/{visit.booking_id}"


def token_on(page) -> str:
    return unescape(re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1])


def id_of(page, name: str) -> str:
    [label] = [one for one in page.text.split("<label")[1:] if f"<b>{name}</b>" in one]
    return re.search(r'name="who" value="([^"]+)"', label)[1]


def switch_to_sam(station: StaffBrowser, next_: str, secret: str = PIN):
    if station.get(next_).status_code == 200:
        station.post(next_, "/lock", next=next_, switch="1")
    page = station.get(f"/locked?next={next_}&switch=1")
    sam = id_of(page, "Sam")
    return station.post_with(token_on(page), "/locked", who=sam, secret=secret, next=next_)


def test_the_frame_always_says_who_is_acting_and_how_to_hand_over(station, stripe):
    visit = paid(stripe)

    for path in (page_of(visit), "/desk/2026-11-23", "/desk/walk-in", "/desk/search", "/my-pin"):
        page = station.get(path)
        assert "Priya" in re.search(r'<details class="rme">.*?</summary>', page.text, re.DOTALL)[0]
        assert 'action="/lock"' in page.text
        assert "Switch person" in words(page)


def test_a_locked_station_shows_no_patient_and_only_first_names(station, stripe):
    visit = paid(stripe)
    page = page_of(visit)

    answer = station.post(page, "/lock", next=page)
    locked = station.get(answer.location)

    assert answer.location == f"/locked?next={page}"
    said = words(locked)
    assert "Who is there?" in said
    assert ("Priya Password" in said, "Sam PIN or password" in said) == (True, True)
    for name in ("Dana", "Whitfield", "Shah", "Field", "@"):
        assert name not in said
    assert station.get(page).location.startswith("/locked?next=")
    assert locked.headers["Cache-Control"] == "no-store"


def test_the_board_that_polls_a_locked_station_gets_the_lock(station):
    station.post("/desk/2026-11-23", "/lock")

    poll = station.get("/desk/2026-11-23/board", headers={"HX-Request": "true"})

    assert (poll.status_code, poll.location.startswith("/locked")) == (303, True)


def test_ten_idle_minutes_lock_it_without_a_script(station, travel, noon):
    travel(noon + timedelta(minutes=11))

    closed = station.get("/desk/2026-11-23")

    assert closed.location == "/locked?next=/desk/2026-11-23?"
    page = station.get(closed.location)
    assert id_of(page, "Priya") in re.search(r"<input[^>]*checked", page.text)[0]


def test_its_person_opens_it_again_where_it_was_and_goes_on_with_the_form(station, people, stripe):
    """What was typed before the lock is not lost: the same person's form is still good."""
    visit = paid(stripe)
    opened = token_on(station.get(page_of(visit)))
    station.post(page_of(visit), "/lock", next=page_of(visit))
    page = station.get("/locked")

    answer = station.post_with(
        token_on(page),
        "/locked",
        who=id_of(page, "Priya"),
        secret=people["Priya"]["password"],
        next=page_of(visit),
    )
    sent = station.post_with(opened, f"{page_of(visit)}/arrive")

    assert (answer.status_code, answer.location) == (303, page_of(visit))
    assert sent.status_code == 303
    assert booking(visit.booking_id).status == "arrived"


def test_another_takes_over_by_pin_and_is_who_acts(station, stripe):
    visit = paid(stripe)

    answer = switch_to_sam(station, page_of(visit))
    station.post(page_of(visit), f"{page_of(visit)}/arrive")

    assert (answer.status_code, answer.location) == (303, page_of(visit))
    assert "Sam Field" in words(station.get(page_of(visit)))
    [row] = [row for row in all_of(AuditRow) if row.action == "booking.arrived"]
    sam = next(row.subject_id for row in all_of(AuditRow) if row.action == "staff.set_pin")
    assert row.actor_id == sam


def test_a_page_of_somebody_else_does_nothing_and_says_whose_it_was(station, stripe):
    visit = paid(stripe)
    opened_by_priya = token_on(station.get(page_of(visit)))
    switch_to_sam(station, page_of(visit))

    answer = station.post_with(opened_by_priya, f"{page_of(visit)}/arrive")

    assert answer.status_code == 409
    said = "You are Sam now; this page was opened by Priya. Nothing was done."
    assert said in words(answer)
    assert booking(visit.booking_id).status == "confirmed"
    assert "/v/" not in answer.text


def test_so_it_is_after_signing_in_over_somebody(station, people, stripe):
    visit = paid(stripe)
    opened_by_priya = token_on(station.get(page_of(visit)))
    station.post(page_of(visit), "/sign-out")
    station.sign_in(people["Sam"])

    answer = station.post_with(opened_by_priya, f"{page_of(visit)}/arrive")

    assert "You are Sam now; this page was opened by Priya." in words(answer)
    assert booking(visit.booking_id).status == "confirmed"


@pytest.mark.parametrize("token", ["", "nonsense", "ImZvcmdlZCI.aR.x"])
def test_a_token_that_is_none_of_ours_says_nothing_of_anybody(station, stripe, token):
    visit = paid(stripe)

    answer = station.post_with(token, f"{page_of(visit)}/arrive")

    assert answer.status_code == 400
    assert "You are" not in words(answer)


def test_what_is_pressed_on_a_locked_station_is_not_done_and_says_so(station, stripe):
    visit = paid(stripe)
    opened = token_on(station.get(page_of(visit)))
    station.post(page_of(visit), "/lock")

    answer = station.post_with(opened, f"{page_of(visit)}/arrive")

    assert answer.location.startswith("/locked")
    assert "Nothing was done." in words(station.get("/locked"))
    assert booking(visit.booking_id).status == "confirmed"


def test_a_wrong_pin_opens_nothing_and_the_choice_stays(station, stripe):
    visit = paid(stripe)

    answers = [switch_to_sam(station, page_of(visit), "482916") for _ in range(6)]
    right = switch_to_sam(station, page_of(visit))
    by_password = switch_to_sam(station, page_of(visit), SAM["password"])

    assert [answer.status_code for answer in answers] == [401] * 6
    assert "That is not right." in words(answers[0])
    assert right.status_code == 401
    assert by_password.status_code == 303


def test_who_works_elsewhere_goes_there(station, people, stripe):
    station.post("/my-pin", "/lock")
    station.sign_in(people["Ana"])
    station.post("/finance/refunds", "/lock", next="/finance/refunds")
    page = station.get("/locked")

    answer = station.post_with(
        token_on(page), "/locked", who=id_of(page, "Sam"), secret=PIN, next="/finance/refunds"
    )

    assert answer.location == "/desk"


def test_nobody_who_did_not_sign_in_here_is_let_in(app, station, people):
    page = station.get("/desk/2026-11-23")
    station.post("/desk/2026-11-23", "/lock")
    sam = id_of(station.get("/locked"), "Sam")
    other = StaffBrowser(app)
    other.sign_in(people["Ana"])
    other.post("/finance/refunds", "/lock")
    there = other.get("/locked")

    answer = other.post_with(token_on(there), "/locked", who=sam, secret=PIN)

    assert page.status_code == 200
    assert "Sam" not in words(there)
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=")
    assert other.get("/desk/2026-11-23").status_code == 303


def test_signing_out_forgets_one_and_keeps_the_others(station):
    station.post("/desk/2026-11-23", "/sign-out")

    page = station.get("/locked")

    assert ("Sam" in words(page), "Priya" in words(page)) == (True, False)


def test_a_browser_that_knows_nobody_goes_to_the_sign_in(app, seeded):
    assert StaffBrowser(app).get("/locked?next=/desk").location == "/sign-in?next=/desk"


def test_an_open_station_has_no_lock_to_see(station):
    assert station.get("/locked?next=/desk/walk-in").location == "/desk/walk-in"


def test_locking_needs_the_token_of_a_page(station):
    assert station.post_without_token("/lock").status_code == 400
    assert station.get("/desk/2026-11-23").status_code == 200


def test_a_pin_needs_the_password_of_who_is_signed_in(station):
    answer = station.post("/my-pin", "/my-pin", pin="739164", password=SAM["password"])
    short = station.post("/my-pin", "/my-pin", pin="1234", password=SAM["password"])

    assert (answer.status_code, short.status_code) == (401, 422)
    assert "The password is not right." in words(answer)
    assert "Choose six to eight digits." in words(short)
