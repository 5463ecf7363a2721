from datetime import timedelta
from uuid import uuid4

from sqlalchemy import text

from booking_service.db import db, transaction
from booking_service.local.ports import free_port
from booking_service.models import CaseType, OutboxMessage, Refund, RefundStatus, Topic
from booking_service.queries.health import Readiness, gauges, oldest_due_seconds, readiness
from booking_service.services import cases, outbox
from tests.factories import all_of, change, converted, refunds


def owe(not_before=None) -> None:
    with transaction() as session:
        outbox.post(session, Topic.REFUND_REQUESTED, uuid4(), not_before)


def test_a_service_that_has_everything_is_ready(app, environment):
    assert readiness(environment["REDIS_URL"]) == Readiness(
        "ok", {"database": "ok", "migrated": True, "redis": "ok", "oldest_due_seconds": 0}
    )


def test_without_redis_work_is_delayed_and_nothing_is_refused(app):
    state = readiness(f"redis://127.0.0.1:{free_port()}/0")

    assert (state.status, state.facts["redis"], state.facts["database"]) == (
        "degraded",
        "down",
        "ok",
    )


def test_on_another_schema_nothing_can_be_served(app, environment):
    with db.engine.begin() as connection:
        head = connection.scalar(text("SELECT version_num FROM alembic_version"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        state = readiness(environment["REDIS_URL"])
    finally:
        db.session.rollback()
        with db.engine.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": head}
            )

    assert (state.status, state.facts["migrated"]) == ("down", False)


def test_without_the_database_nothing_can_be_served(app, environment):
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE outbox_messages RENAME TO mislaid"))
    try:
        state = readiness(environment["REDIS_URL"])
    finally:
        db.session.rollback()
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE mislaid RENAME TO outbox_messages"))

    assert state == Readiness("down", {"database": "down"})


def test_the_oldest_due_work_is_the_one_that_waits_longest(app, noon, travel):
    assert oldest_due_seconds() == 0
    owe(noon + timedelta(seconds=90))
    assert oldest_due_seconds() == 0
    owe()
    travel(noon + timedelta(seconds=100))
    assert oldest_due_seconds() == 100

    oldest = min(all_of(OutboxMessage), key=lambda message: message.not_before)
    change(OutboxMessage, oldest.id, done_at=noon)
    assert oldest_due_seconds() == 10

    change(OutboxMessage, oldest.id, done_at=None, needs_review_at=noon)
    assert oldest_due_seconds() == 10


def test_a_refund_is_owed_until_stripe_took_it(seeded, noon, stripe, work, mail):
    converted(stripe)
    work()
    [refund] = refunds()

    owed = set()
    for status in RefundStatus:
        change(Refund, refund.id, status=status)
        owed |= {status.value} if gauges()["refunds_owed"][1] else set()

    assert owed == {"requested", "sending", "blocked"}


def test_what_needs_a_person_is_counted(app, noon, travel):
    owe()
    owe()
    [first, _] = all_of(OutboxMessage)
    change(OutboxMessage, first.id, needs_review_at=noon)
    with transaction() as session:
        for subject in (first.id, uuid4()):
            cases.open_(session, CaseType.WORK_STUCK, subject, "refunds.execute")
    with transaction() as session:
        cases.resolve(session, CaseType.WORK_STUCK, first.id)
    travel(noon + timedelta(seconds=7))

    assert {name: value for name, (_, value) in gauges().items()} == {
        "outbox_oldest_due_seconds": 7,
        "outbox_needs_review": 1,
        "refunds_owed": 0,
        "cases_open": 1,
    }
