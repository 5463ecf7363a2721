"""A finished answer is given again exactly as long as it is true."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text, update

from booking_service import clock
from booking_service.clock import local_day, utc_now
from booking_service.db import db, transaction
from booking_service.local.ports import wait_until
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    Practice,
    Practitioner,
    TimeOff,
    WorkingHours,
)
from booking_service.queries import availability, ready
from booking_service.queries.ready import Ready
from booking_service.services import audit, holds, visit_steps
from booking_service.web.forms import Pick
from tests.factories import HALF_AN_HOUR, change, free_slot, hold, paid

SLOTS = "/api/v1/slots?days=3"


@pytest.fixture(autouse=True)
def _practice(seeded):
    pass


def fresh():
    """What an answer made now says."""
    practice = availability.the_practice()
    days = availability.free_days(local_day(utc_now(), practice.zone), 3)
    return [
        (slot.starts_at.isoformat(), str(slot.practitioner_id))
        for day in days
        for slot in day.slots
    ]


def told(client):
    days = client.get(SLOTS).get_json()["days"]
    return [
        (slot["starts_at"], slot["practitioner"]["id"]) for day in days for slot in day["slots"]
    ]


def only(model, **facts):
    with transaction() as session:
        session.execute(update(model).values(**facts))


def everybody_is_away():
    now = utc_now()
    with transaction() as session:
        session.add(TimeOff(starts_at=now, ends_at=now + timedelta(days=1), reason="Holiday"))


def released(gateway):
    booking_id = hold(free_slot(3))
    yield
    holds.release(booking_id, gateway)


def moved(gateway):
    booking_id, slot = hold(free_slot(3)), free_slot(9)
    yield
    change(Booking, booking_id, starts_at=slot.starts_at, ends_at=slot.ends_at)


def to_another_practitioner(gateway):
    slot = free_slot(3)
    booking_id = hold(slot)
    others = [p.id for p in availability.practitioners() if p.id != slot.practitioner_id]
    yield
    change(Booking, booking_id, practitioner_id=others[0])


def after(act):
    def story(gateway):
        yield
        act()

    return story


CHANGES = {
    "a time is held": after(lambda: hold(free_slot(3))),
    "a hold is let go": released,
    "a visit is moved": moved,
    "a visit goes to another practitioner": to_another_practitioner,
    "everybody is away": after(everybody_is_away),
    "hours change": after(lambda: only(WorkingHours, closes_minute=13 * 60)),
    "somebody sees nobody any more": after(lambda: only(Practitioner, is_bookable=False)),
    "the practice asks for more notice": after(lambda: only(Practice, lead_minutes=600)),
}


@pytest.mark.parametrize("story", CHANGES.values(), ids=CHANGES.keys())
def test_what_changes_free_times_ends_a_kept_answer(client, gateway, story):
    told_of = story(gateway)
    next(told_of)
    before = told(client)

    next(told_of, None)

    assert told(client) != before
    assert told(client) == fresh()


@contextmanager
def without_triggers() -> Iterator[None]:
    """The database as it would be if nothing wrote the version."""
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE bookings DISABLE TRIGGER USER"))
    try:
        yield
    finally:
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE bookings ENABLE TRIGGER USER"))


def test_without_the_version_a_kept_answer_would_be_stale(client):
    before = told(client)

    with without_triggers():
        hold(free_slot(3))

    assert told(client) == before != fresh()


def test_what_changes_no_free_time_leaves_an_answer_ready(app, client, stripe, monkeypatch):
    visit = paid(stripe)
    before = told(client)
    monkeypatch.setattr(availability, "free_days", None)

    visit_steps.arrive(visit.booking_id, Actor.system())

    assert told(client) == before


def test_a_time_that_can_be_booked_no_more_ends_an_answer(client, monkeypatch):
    before = told(client)
    first = clock.datetime.fromisoformat(before[0][0])

    monkeypatch.setattr(clock, "source", lambda: first + timedelta(seconds=1))

    assert told(client) == fresh()
    assert before[0] not in told(client)


def test_the_practices_midnight_ends_an_answer(app):
    practice = availability.the_practice()
    _, midnight = clock.day_bounds(local_day(utc_now(), practice.zone), practice.zone)

    assert utc_now() < ready.good_until(practice, []) < midnight


def test_an_answer_from_the_future_is_not_given(app):
    answers, later = app.extensions["ready_answers"], utc_now() + timedelta(days=1)
    answers.answer("q", lambda: Ready("later", later, 5, made_at=later))

    assert answers.answer("q", lambda: Ready("now", later, 5)) == "now"


def test_a_booking_made_while_an_answer_is_made_ends_it(app):
    answers, soon = app.extensions["ready_answers"], utc_now() + timedelta(hours=1)

    def made_beside_a_booking():
        hold(free_slot(3))
        return Ready("old", soon, 5)

    answers.answer("q", made_beside_a_booking)

    assert answers.answer("q", lambda: Ready("new", soon, 5)) == "new"


def test_a_cut_connection_is_made_again(app, client):
    before = told(client)
    db.session.remove()
    cut = "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE query LIKE '%md5(%'"
    with db.engine.begin() as connection:
        cuts = connection.execute(text(f"{cut} AND pid <> pg_backend_pid()")).all()
    assert cuts == [(True,)]

    assert told(client) == before


def test_only_so_much_is_kept(app, monkeypatch):
    monkeypatch.setattr(ready, "_MOST_BYTES", 10)
    answers, soon = app.extensions["ready_answers"], utc_now() + timedelta(hours=1)
    for name in ("one", "two", "three"):
        answers.answer(name, lambda: Ready("12345", soon, 5))

    assert answers.answer("three", lambda: Ready("anew", soon, 5)) == "12345"
    assert answers.answer("two", lambda: Ready("anew", soon, 5)) == "12345"
    assert answers.answer("one", lambda: Ready("anew", soon, 5)) == "anew"


def test_a_caller_is_told_that_nothing_has_changed(client):
    first = client.get(SLOTS)
    asked = {"If-None-Match": first.headers["ETag"]}

    again = client.get(SLOTS, headers=asked)
    hold(free_slot(3))

    assert (again.status_code, again.data) == (304, b"")
    assert client.get(SLOTS, headers=asked).status_code == 200


def test_a_booking_that_holds_no_time_changes_no_version(app):
    booking_id = hold(free_slot(3))
    change(Booking, booking_id, status=BookingStatus.EXPIRED)
    version = app.extensions["ready_answers"]._version()

    change(Booking, booking_id, source="article")

    assert app.extensions["ready_answers"]._version() == version


def test_two_bookings_that_end_at_once_do_not_wait_for_each_other(app):
    """One writes its audit row before, one after its booking: the order of their locks is one."""
    one = free_slot(3)
    others = availability.soonest(60, one.practitioner_id)
    first = hold(next(slot for slot in others if slot.starts_at >= one.ends_at))
    second = hold(one)

    def note(session, booking_id):
        audit.record(session, Actor.system(), "booking.hold", booking_id)
        session.flush()

    def shorten(session, booking_id):
        until = Booking.ends_at - timedelta.resolution
        session.execute(update(Booking).where(Booking.id == booking_id).values(ends_at=until))

    def end(booking_id, *acts):
        with app.app_context(), transaction() as session:
            for act in acts:
                act(session, booking_id)

    with ThreadPoolExecutor(2) as pool:
        with db.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('audit chain'))"))
            ended = [pool.submit(end, first, note, shorten)]
            wait_until(lambda: waiting(connection) == 1, "the first waits")
            ended.append(pool.submit(end, second, shorten, note))
            wait_until(lambda: waiting(connection) == 2, "both wait")

        assert [each.exception() for each in ended] == [None, None]


def waiting(connection) -> int:
    return connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))


@pytest.mark.parametrize("page", ["/", "/book"])
def test_a_page_offers_a_time_no_more_once_it_is_held(client, page):
    slot = re.search(r'name="slot" value="([^"]+)"', client.get(page).text)[1]
    pick = Pick.read(slot)

    holds.place(pick.practitioner_id, pick.starts_at, HALF_AN_HOUR, None)

    assert slot not in client.get(page).text


@pytest.mark.parametrize("page", ["/", "/book"])
def test_each_language_has_a_page_of_its_own(app, page):
    def shown(language):
        with app.app_context():
            return app.test_client().get(f"{page}?lang={language}").text

    said = [re.search(r"<small>(\w+)", shown(language))[1] for language in ("en", "es", "en")]

    assert said[0] == said[2] != said[1]
