"""What a migration does with what was there before."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import text

from booking_service import cli
from booking_service.app import create_app
from booking_service.db import db
from booking_service.services import demo_data

BEFORE = """
    INSERT INTO practices (id, only_row, name, phone, email, street, city, directions, timezone,
        visit_minutes, grid_minutes, lead_minutes, horizon_days, cutoff_hours)
    VALUES (gen_random_uuid(), true, 'A', '+1', 'a@b.c', 's', 'c', :directions, 'UTC',
        45, 20, 1, 1, 1);
    INSERT INTO offers (id, version, price_cents, currency, includes, promise, terms, terms_hash,
        published_at)
    VALUES (gen_random_uuid(), 1, 3900, 'usd', '{Exam}', 'p', :terms, :hash, now()),
        (gen_random_uuid(), 2, 3900, 'usd', '{Exam}', 'p', 'ours', 'another', now());
    INSERT INTO patients (id, name, name_key, email, phone, locale)
    VALUES (gen_random_uuid(), 'a', 'a', 'a', 'a', 'en-US'),
        (gen_random_uuid(), 'b', 'b', 'b', 'b', 'es-MX'),
        (gen_random_uuid(), 'c', 'c', 'c', 'c', 'pt')
"""


@pytest.fixture
def older(postgres, settings, request):
    """A service whose database is empty, and of no version yet."""
    app = create_app(
        replace(settings, database_url=postgres.create_database(request.node.name[:40]))
    )
    cli.register(app)
    with app.app_context():
        yield str(Path(app.root_path) / "migrations")
        db.session.remove()
        db.engine.dispose()


def rows(sql: str, **facts: object) -> list[tuple]:
    with db.engine.begin() as connection:
        answer = connection.execute(text(sql), facts)
        return [tuple(row) for row in answer] if answer.returns_rows else []


def test_spanish_comes_to_what_was_there_and_goes_again(older):
    upgrade(directory=older, revision="0006")
    facts = {
        "directions": demo_data.PRACTICE["directions"],
        "terms": demo_data.TERMS,
        "hash": hashlib.sha256(demo_data.TERMS.encode()).hexdigest(),
    }
    for statement in BEFORE.split(";"):
        wanted = {name: fact for name, fact in facts.items() if f":{name}" in statement}
        rows(statement, **wanted)

    upgrade(directory=older, revision="0007")

    spanish = hashlib.sha256(demo_data.TERMS_ES.encode()).hexdigest()
    assert rows(
        "SELECT includes_es, promise_es, terms_es, terms_hash_es FROM offers ORDER BY version"
    ) == [
        (list(demo_data.INCLUDES_ES), demo_data.PROMISE_ES, demo_data.TERMS_ES, spanish),
        (None, None, None, None),
    ]
    assert rows("SELECT locale FROM patients ORDER BY name") == [("en",), ("es",), ("en",)]
    assert rows("SELECT directions_es FROM practices") == [(demo_data.PRACTICE["directions_es"],)]
    downgrade(directory=older, revision="0006")
    assert rows("SELECT count(*) FROM offers") == [(2,)]


VISIT = """
    INSERT INTO practitioners (id, name, room, position, is_bookable)
    VALUES (gen_random_uuid(), 'p', 'r', 0, true);
    INSERT INTO bookings (id, code, practitioner_id, status, starts_at, ends_at, created_at,
        hold_expires_at, save_card, moves)
    SELECT gen_random_uuid(), 'FV-' || number, id, 'expired', now(), now() + interval '1 hour',
        now(), now(), false, 0 FROM practitioners, generate_series(1, 2) AS number;
    INSERT INTO waitlist_entries (id, booking_id, created_at)
    SELECT gen_random_uuid(), id, now() FROM bookings WHERE code = 'FV-1'
"""
NEWCOMER = """
    INSERT INTO waitlist_entries (id, email, locale, created_at)
    VALUES (gen_random_uuid(), 'nia@example.com', 'es', now());
    INSERT INTO waitlist_offers (id, entry_id, hold_id, offered_at, is_taken)
    SELECT gen_random_uuid(), e.id, b.id, now(), false
    FROM waitlist_entries e, bookings b WHERE e.email IS NOT NULL AND b.code = 'FV-2'
"""


def test_newcomers_come_beside_those_who_wait_and_are_forgotten_on_the_way_back(older):
    upgrade(directory=older, revision="0008")
    for statement in VISIT.split(";"):
        rows(statement)

    upgrade(directory=older, revision="0009")
    for statement in NEWCOMER.split(";"):
        rows(statement)

    assert rows("SELECT count(*), count(booking_id), count(email) FROM waitlist_entries") == [
        (2, 1, 1)
    ]
    downgrade(directory=older, revision="0008")
    assert rows("SELECT count(*), count(booking_id) FROM waitlist_entries") == [(1, 1)]
    assert rows("SELECT count(*) FROM waitlist_offers") == [(0,)]


def test_what_was_booked_before_members_came_again_is_a_first_visit(older):
    upgrade(directory=older, revision="0015")
    practice, *_ = BEFORE.split(";")
    rows(practice, directions="d")
    for statement in VISIT.split(";"):
        rows(statement)

    upgrade(directory=older, revision="0016")

    assert (
        rows("SELECT kind, membership_id, given_back FROM bookings") == [("first", None, False)] * 2
    )
    assert rows("SELECT follow_up_minutes FROM practices") == [(20,)]
    once = "SELECT indexdef LIKE '%kind%' FROM pg_indexes WHERE indexname = :name"
    assert rows(once, name="uq_bookings_one_first_visit") == [(True,)]
    downgrade(directory=older, revision="0015")
    assert rows("SELECT count(*) FROM bookings") == [(2,)]
    assert rows(once, name="uq_bookings_one_first_visit") == [(False,)]
