"""How often one client or account may ask, whatever it says of itself and however Redis fares."""

import re
import socket
import time
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import redis as counting
from werkzeug.test import TestResponse

from booking_service.app import create_app
from booking_service.db import db
from booking_service.links import Purpose
from booking_service.local.ports import free_port
from booking_service.models import LinkRequest, Role
from tests.factories import all_of, free_slot, hold
from tests.web.phone import bookings
from tests.web.staff_browser import words

SOMEBODY, SOMEBODY_ELSE = "203.0.113.7", "203.0.113.8"
FEW = 3
OK, KEPT, BOOKED, NO_TIME, TOO_MANY = 200, 303, 201, 422, 429


class Visitor:
    """A browser at some address; the forms it sends carry the token of a page."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        page = client.get("/book", environ_base={"REMOTE_ADDR": "198.51.100.1"})
        self.token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]

    def send(self, path: str, address: str, says: str | None = None, **form: str) -> TestResponse:
        headers = {"X-Forwarded-For": says} if says else {}
        return self.client.post(
            path,
            data={"csrf_token": self.token, **form},
            headers=headers,
            environ_base={"REMOTE_ADDR": address},
        )

    def free(self) -> str:
        """The first free time, as its button sends it."""
        page = self.client.get("/book", environ_base={"REMOTE_ADDR": "198.51.100.1"})
        return re.search(r'name="slot" value="([^"]+)"', page.text)[1]

    def pick(self, address: str = SOMEBODY, says: str | None = None) -> int:
        """Pick the first free time; whoever holds one already leaves it."""
        return self.send("/book", address, says, slot=self.free()).status_code

    def book(self, address: str, says: str | None = None, **changes: object) -> TestResponse:
        """Book the first free time by API, for somebody new."""
        practitioner_id, _, starts_at = self.free().partition("@")
        name = uuid4().hex
        number = f"518{uuid4().int % 8_000_000 + 2_000_000}"
        body = {
            "practitioner_id": practitioner_id,
            "starts_at": starts_at,
            "patient": {"name": name, "email": f"{name}@example.com", "phone": number},
            "accept_terms_version": 1,
        }
        headers = {"X-Forwarded-For": says} if says else {}
        environ = {"REMOTE_ADDR": address}
        return self.client.post(
            "/api/v1/bookings", json=body | changes, headers=headers, environ_base=environ
        )


@pytest.fixture
def serve(app, seeded, settings):
    """Start the service with other settings, on the same database."""
    made: list[Flask] = []

    def start(**changes) -> Visitor:
        made.append(create_app(replace(settings, holds_per_client=FEW, **changes)))
        return Visitor(made[-1].test_client())

    yield start
    for one in made:
        one.extensions["ready_answers"].close()
        with one.app_context():
            db.engine.dispose()


@pytest.fixture
def visitor(serve) -> Visitor:
    return serve()


@pytest.fixture
def hours_later(monkeypatch):
    """Set the clock that the windows are measured by."""

    def go(seconds: float) -> None:
        now = time.time() + seconds
        monkeypatch.setattr(counting, "time", SimpleNamespace(time=lambda: now))

    return go


def picks(visitor: Visitor, *addresses: str) -> list[int]:
    return [visitor.pick(address) for address in addresses]


def test_a_client_picks_so_often_and_no_more(visitor):
    assert picks(visitor, *[SOMEBODY] * (FEW + 1)) == [KEPT] * FEW + [TOO_MANY]
    assert visitor.pick(SOMEBODY_ELSE) == KEPT


def test_who_is_given_no_time_is_not_counted(visitor):
    for _ in range(FEW + 1):
        assert visitor.send("/book", SOMEBODY, slot="none").status_code == NO_TIME
        assert visitor.book(SOMEBODY, starts_at="2020-01-01T09:00Z").status_code == NO_TIME

    assert visitor.pick() == KEPT


def test_the_page_says_where_the_money_is_and_when_to_try_again(visitor):
    picks(visitor, *[SOMEBODY] * FEW)

    page = visitor.send("/book", SOMEBODY, slot="none")
    spanish = visitor.send("/book?lang=es", SOMEBODY, slot="none")

    assert (page.status_code, page.headers["Retry-After"]) == (429, "601")
    said = words(page).partition("Too many tries ")[2].partition("Too many tries ")[2]
    assert said.startswith("If you paid, you’ll get an email. Please try again in 10 min.")
    assert "Call (518) 555-0142" in said
    assert "Si pagó" in words(spanish)
    assert "Inténtelo otra vez en 10 min." in words(spanish)


def test_all_ways_to_pick_are_one_count(visitor, app):
    held = hold(free_slot())
    again = f"/book/{app.extensions['links'].token(Purpose.HOLD, held)}/again"

    assert visitor.pick() == KEPT
    assert visitor.send(again, SOMEBODY).status_code == KEPT
    assert visitor.book(SOMEBODY).status_code == BOOKED
    made = len(bookings())
    assert visitor.pick() == TOO_MANY
    assert visitor.book(SOMEBODY).status_code == TOO_MANY
    assert visitor.send(again, SOMEBODY).status_code == TOO_MANY
    assert len(bookings()) == made


def test_a_window_moves_and_does_not_begin_anew(visitor, hours_later):
    hours_later(0)
    assert picks(visitor, *[SOMEBODY] * 2) == [KEPT] * 2
    hours_later(300)
    assert visitor.pick() == KEPT

    hours_later(601)

    assert picks(visitor, *[SOMEBODY] * 3) == [KEPT, KEPT, TOO_MANY]


def test_what_an_untrusted_client_says_of_itself_changes_nothing(visitor):
    for nth in range(FEW):
        assert visitor.pick(says=f"198.51.100.{nth}, 10.0.0.{nth}") == KEPT
    assert visitor.pick(says="127.0.0.1") == TOO_MANY
    assert visitor.book(SOMEBODY, says="127.0.0.1").status_code == TOO_MANY
    assert visitor.pick(SOMEBODY_ELSE, says=SOMEBODY) == KEPT


def test_behind_a_trusted_proxy_each_client_is_one_whatever_it_adds(serve):
    visitor, proxy = serve(trusted_proxy_count=1), "10.0.0.1"
    for nth in range(FEW):
        assert visitor.pick(proxy, says=f"198.51.100.{nth}, {SOMEBODY}") == KEPT

    assert visitor.pick(proxy, says=f"127.0.0.1, {SOMEBODY}") == TOO_MANY
    assert visitor.book(proxy, says=f"127.0.0.1, {SOMEBODY}").status_code == TOO_MANY
    assert visitor.pick(proxy, says=f"{SOMEBODY}, {SOMEBODY_ELSE}") == KEPT


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"),
        (SOMEBODY, f"::ffff:{SOMEBODY}", f"::ffff:{SOMEBODY_ELSE}"),
    ],
)
def test_a_client_is_one_in_all_its_addresses(visitor, first, same, other):
    assert picks(visitor, first, same, first, same) == [KEPT] * 3 + [TOO_MANY]
    assert visitor.pick(other) == KEPT


def test_the_api_answers_with_a_problem_document(visitor):
    for _ in range(FEW):
        visitor.book(SOMEBODY)

    answer = visitor.book(SOMEBODY)

    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "601"
    assert answer.get_json() == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "code": "rate_limited",
        "detail": "Please try again in 10 min.",
    }


@pytest.mark.parametrize("here", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_programs_on_this_machine_are_not_counted_and_its_browsers_are(visitor, here):
    assert {visitor.book(here).status_code for _ in range(FEW + 2)} == {BOOKED}
    assert picks(visitor, *[here] * (FEW + 1)) == [KEPT] * FEW + [TOO_MANY]


def test_links_are_asked_for_ten_times_an_hour(visitor, hours_later):
    def ask(nth: int, address: str = SOMEBODY) -> int:
        email = f"dana{nth}@example.com"
        return visitor.send("/find-my-visit", address, email=email).status_code

    assert [ask(nth) for nth in range(11)] == [OK] * 10 + [TOO_MANY]
    assert len(all_of(LinkRequest)) == 10
    assert ask(11, SOMEBODY_ELSE) == OK
    hours_later(3_601)
    assert ask(12) == OK


def sign_in(visitor: Visitor, email: str, password: str, address: str) -> TestResponse:
    return visitor.send("/sign-in", address, email=email, password=password)


def test_a_client_tries_twenty_passwords_in_ten_minutes(visitor, seeded):
    priya = next(one for one in seeded.staff if one["role"] == Role.FRONT_DESK)
    tries = [sign_in(visitor, f"{uuid4()}@alder.example", "x", SOMEBODY) for _ in range(20)]

    refused = sign_in(visitor, priya["email"], priya["password"], SOMEBODY)

    assert {one.status_code for one in tries} == {401}
    assert refused.status_code == TOO_MANY
    assert "If you paid" not in words(refused)
    elsewhere = sign_in(visitor, priya["email"], priya["password"], SOMEBODY_ELSE)
    assert elsewhere.status_code == 303


def test_whoever_knows_the_password_signs_in_all_day(visitor, seeded):
    priya = next(one for one in seeded.staff if one["role"] == Role.FRONT_DESK)

    known = (priya["email"], priya["password"], SOMEBODY)

    # Signing in starts another session, with another token in its forms.
    answers = [sign_in(Visitor(visitor.client), *known).status_code for _ in range(21)]

    assert answers == [303] * 21


def test_an_account_is_tried_ten_times_and_nobody_learns_whether_there_is_one(visitor, seeded):
    priya = next(one for one in seeded.staff if one["role"] == Role.FRONT_DESK)
    answers = {}
    for email in (priya["email"], "nobody@alder.example"):
        written = [email, email.upper(), f" {email} "]
        tries = [
            sign_in(visitor, written[nth % 3], "wrong", f"203.0.113.{nth}") for nth in range(11)
        ]
        answers[email] = [(one.status_code, one.headers.get("Retry-After")) for one in tries]
        answers[email].append(words(tries[-1]))

    assert answers[priya["email"]] == answers["nobody@alder.example"]
    assert answers[priya["email"]][:11] == [(401, None)] * 10 + [(TOO_MANY, "601")]
    right = sign_in(visitor, priya["email"], priya["password"], "192.0.2.1")
    assert right.status_code == TOO_MANY


def test_redis_learns_no_address_of_mail(visitor, valkey):
    sign_in(visitor, "priya@alder.example", "wrong", SOMEBODY)
    visitor.send("/find-my-visit", SOMEBODY, email="dana@example.com")

    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        kept = list(client.scan_iter("first_visit:limits*"))
        said = " ".join([*kept, *(str(client.lrange(key, 0, -1)) for key in kept)])

    assert len(kept) == 3
    assert not re.search(r"@|priya|dana|alder|example", said)


def test_the_log_does_not_say_who_asked_too_often(visitor, caplog):
    picks(visitor, *[SOMEBODY] * (FEW + 1))

    assert SOMEBODY not in caplog.text


def took(do) -> tuple[int, float]:
    began = time.monotonic()
    status = do()
    return status, time.monotonic() - began


@pytest.mark.parametrize("trouble", ["down", "hangs"])
def test_without_redis_everybody_is_served_at_once_and_still_counted(serve, trouble):
    """One that hangs takes connections and says nothing: the kernel does so for it."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
        port = silent.getsockname()[1] if trouble == "hangs" else free_port()
        visitor = serve(redis_url=f"redis://127.0.0.1:{port}/0")

        answers = [took(visitor.pick) for _ in range(FEW + 2)]
        page = took(lambda: visitor.client.get("/book").status_code)

    assert [status for status, _ in answers] == [KEPT] * FEW + [TOO_MANY] * 2
    assert page[0] == OK
    # Redis is waited for a moment once, and then only now and then.
    assert max(seconds for _, seconds in [*answers, page]) < 1.5
    assert sorted(seconds for _, seconds in answers)[FEW] < 0.5
