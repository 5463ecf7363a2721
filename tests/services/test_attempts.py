from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import db, transaction
from booking_service.models import Attempt
from booking_service.services import attempts
from tests.concurrency.crowd import at_once

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
LEASE = timedelta(seconds=60)
SUBJECT = uuid4()


@pytest.fixture
def clock(app, travel):
    """Noon, and a way to let seconds pass."""
    travel(NOON)
    return lambda seconds: travel(NOON + timedelta(seconds=seconds))


def begin() -> Attempt:
    with transaction() as session:
        return attempts.current(session, "refund", SUBJECT)


def look(attempt) -> str | None:
    """Note an empty list, and return how the attempt has ended, if it has."""
    with transaction() as session:
        attempts.not_found(session, attempt.id, LEASE)
    db.session.rollback()
    return db.session.get_one(Attempt, attempt.id, populate_existing=True).outcome


def test_while_an_attempt_is_open_asking_means_its_key(clock):
    first = begin()
    clock(3600)

    assert begin().id == first.id
    assert first.idempotency_key == f"refund:{SUBJECT}:1"


def test_the_next_attempt_has_the_next_number(clock):
    begin()
    with transaction() as session:
        attempts.end(session, SUBJECT, "declined")

    assert begin().idempotency_key == f"refund:{SUBJECT}:2"


def test_ending_what_has_ended_keeps_how_it_ended(clock):
    first = begin()
    for outcome in ("declined", "succeeded"):
        with transaction() as session:
            attempts.end(session, SUBJECT, outcome)

    db.session.rollback()
    assert db.session.get_one(Attempt, first.id).outcome == "declined"


@pytest.mark.parametrize(("seconds", "ended"), [(0, None), (59, None), (60, "not_found")])
def test_only_the_second_empty_list_a_lease_later_gives_an_attempt_up(clock, seconds, ended):
    attempt = begin()
    assert look(attempt) is None

    clock(seconds)

    assert look(attempt) == ended


def test_an_empty_list_does_not_change_how_an_attempt_ended(clock):
    attempt = begin()
    look(attempt)
    with transaction() as session:
        attempts.end(session, SUBJECT, "succeeded")

    clock(60)

    assert look(attempt) == "succeeded"


def test_two_attempts_of_one_thing_are_never_open_at_once(app):
    """Callers hold the subject's row; without that the index still refuses the second."""
    outcomes = at_once(app, 2, lambda _: begin())

    keys = {o.idempotency_key for o in outcomes if isinstance(o, Attempt)}
    assert keys == {f"refund:{SUBJECT}:1"}
    assert all(isinstance(o, Attempt | IntegrityError) for o in outcomes)
    db.session.rollback()
    assert db.session.query(Attempt).count() == 1
