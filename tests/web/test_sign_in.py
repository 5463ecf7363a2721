"""Signing in and out, the way back to the page that was asked for, and the set-up link."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import Role, StaffSession
from booking_service.services import staff
from booking_service.web.sign_in import own_path
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def browser(app):
    return StaffBrowser(app)


@pytest.fixture
def people(seeded):
    return {member["role"]: member for member in seeded.staff}


@pytest.mark.parametrize(
    ("role", "home"),
    [("front_desk", "/desk"), ("finance", "/finance"), ("admin", "/desk")],
)
def test_everybody_starts_where_they_work(browser, people, role, home):
    answer = browser.sign_in(people[role])

    assert (answer.status_code, answer.location) == (303, home)


def test_a_wrong_password_lets_nobody_in_and_keeps_the_address(browser, people):
    wrong = {**people["front_desk"], "password": "not the password at all"}

    answer = browser.sign_in(wrong)

    assert answer.status_code == 401
    assert "E-mail and password do not match." in words(answer)
    assert f'value="{wrong["email"]}"' in answer.text
    assert browser.get("/desk").location == "/sign-in?next=/desk?"


def test_the_page_that_was_asked_for_comes_after_signing_in(browser, people):
    closed = browser.get("/desk/2026-11-23?status=arrived")
    answer = browser.sign_in(people["front_desk"], "/desk/2026-11-23?status=arrived")

    assert closed.status_code == 303
    assert answer.location == "/desk/2026-11-23?status=arrived"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/desk",
        "//evil.example/desk",
        "/\\evil.example/desk",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "desk",
        "/no/such/page",
        "/sign-out",
        "",
    ],
)
def test_no_other_site_and_no_form_is_ever_gone_to(app, elsewhere):
    with app.test_request_context():
        assert own_path(elsewhere) is None


def test_signing_out_ends_the_session_on_the_server(browser, people):
    browser.sign_in(people["front_desk"])
    page = browser.get("/desk").location

    answer = browser.post(page, "/sign-out")

    assert (answer.status_code, answer.location) == (303, "/sign-in")
    assert browser.get(page).status_code == 303
    assert [one.ended_at is None for one in db.session.scalars(select(StaffSession))] == [False]


def test_signing_out_needs_the_token_of_a_page(browser, people):
    browser.sign_in(people["front_desk"])
    page = browser.get("/desk").location

    assert browser.post_without_token("/sign-out").status_code == 400
    assert browser.get(page).status_code == 200


def test_a_set_up_link_works_once_and_only_with_a_long_password(browser, seeded):
    link = f"/set-up/{staff.invite('jon@example.com', 'Jon King', Role.FINANCE)}"
    jon = {"email": "jon@example.com", "password": "three short words make one"}

    short = browser.post(link, link, password="short")
    first = browser.post(link, link, password=jon["password"])
    second = browser.post(link, link, password="another long password")

    assert (short.status_code, first.status_code, second.status_code) == (422, 303, 404)
    assert "15 characters or more" in words(short)
    assert browser.sign_in(jon).location == "/finance"


@pytest.mark.parametrize(
    ("role", "page", "status"),
    [
        ("front_desk", "/finance/refunds", 403),
        ("front_desk", "/finance/refunds.csv", 403),
        ("finance", "/desk/2026-11-23", 403),
        ("admin", "/finance/refunds", 200),
        ("admin", "/desk/2026-11-23", 200),
    ],
)
def test_a_role_opens_its_own_pages_only(browser, people, role, page, status):
    browser.sign_in(people[role])

    assert browser.get(page).status_code == status


@pytest.mark.parametrize(("headers", "lets_in"), [({"HX-Request": "true"}, 303), ({}, 200)])
def test_a_screen_that_only_polls_locks_itself(browser, people, travel, headers, lets_in):
    """Ten idle minutes end a session; the pages a person opens count, the polls do not."""
    browser.sign_in(people["front_desk"])
    page, signed_in_at = browser.get("/desk").location, utc_now()

    travel(signed_in_at + timedelta(minutes=9))
    assert browser.get(page, headers=headers).status_code == 200
    travel(signed_in_at + timedelta(minutes=11))

    assert browser.get(page).status_code == lets_in
