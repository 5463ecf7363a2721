"""PostgreSQL that restarts, dies at COMMIT, makes everybody wait, or picks a deadlock's victim."""

import pytest
from sqlalchemy import text

from booking_service.db import db
from booking_service.local.ports import wait_until
from booking_service.models import Topic
from booking_service.queries import state
from tests.conftest import WEBHOOK_SECRET
from tests.factories import at_stripe, converted
from tests.factories import refunds as all_refunds
from tests.faults.endings import PATIENCE, assert_kept, person, wait_for_the_end, work_left

RESTARTS = 4


@pytest.fixture
def web(service, stripe):
    service.start_web()
    stripe.settings(webhook_url=f"{service.url}/webhooks/stripe", webhook_secrets=[WEBHOOK_SECRET])
    yield service
    stripe.settings(webhook_url="", webhook_secrets=[])
    service.stop("web")


def test_with_a_database_that_keeps_restarting_each_promise_is_kept_once(
    service, stripe, letters, postgres
):
    visits = [converted(stripe, **person(number)) for number in range(3)]

    for _ in range(RESTARTS):
        wait_until(lambda: listeners() > 0, "the relay to listen", PATIENCE)
        postgres.stop()
        postgres.start()

    assert_kept(stripe, visits, letters)


def test_a_payment_whose_commit_is_killed_is_written_down_by_the_next_try(service, stripe, web):
    payment = at_stripe()
    keeper = db.engine.connect()
    keeper.execute(text("SELECT pg_advisory_xact_lock(hashtext('audit chain'))"))
    stripe.pay(payment.stripe_checkout_session_id)
    wait_until(lambda: committing() is not None, "a COMMIT to wait", PATIENCE)

    execute("SELECT pg_terminate_backend(:pid)", pid=committing())
    keeper.close()

    now = wait_for_the_end()
    assert [(p["status"], p["amount_cents"]) for p in now["payments"]] == [("paid", 3900)]
    assert [booking["promise_status"] for booking in now["bookings"]] == ["open"]
    assert now["ledger"]["accounts"]["refund_liability"] == -3900
    assert now["audit"]["verified"]


def test_work_that_waits_too_long_for_a_lock_is_tried_again(service, stripe, letters):
    keeper = db.engine.connect()
    keeper.execute(text("LOCK TABLE refunds IN ACCESS EXCLUSIVE MODE"))
    # What the test itself needs of refunds must not wait behind its own lock.
    visit = converted(stripe)
    wait_until(lambda: attempts(Topic.MEMBERSHIP_DUE) > 1, "a second try", PATIENCE)

    keeper.close()

    assert_kept(stripe, [visit], letters)


def test_the_victim_of_a_deadlock_starts_again(service, stripe, letters):
    held = stripe.fault("hold", "/v1/refunds")
    visit = converted(stripe)
    wait_until(lambda: stripe.blocked(held) == 1, "the refund at Stripe", PATIENCE)
    [refund] = all_refunds()
    db.session.rollback()
    keeper = db.engine.connect()
    # Our side never locks the refund first; whoever repairs rows by hand may.
    keeper.execute(text("SELECT 1 FROM refunds WHERE id = :id FOR UPDATE"), {"id": refund.id})
    stripe.release(held)
    wait_until(lambda: waiting_backends() > 0, "the worker to wait", PATIENCE)

    keeper.execute(
        text("SELECT 1 FROM payments WHERE id = :id FOR UPDATE"), {"id": refund.payment_id}
    )
    keeper.close()

    assert_kept(stripe, [visit], letters)
    assert deadlocks() >= 1


def test_stripe_and_patients_are_told_to_come_back_while_the_database_is_down(
    service, stripe, web, postgres
):
    page = at_stripe().stripe_checkout_session_id
    wait_until(lambda: work_left() == 0, "everything before", PATIENCE)
    postgres.stop()

    stripe.pay(page)
    wait_until(lambda: 503 in statuses(stripe), "Stripe to be refused", PATIENCE)
    postgres.start()
    stripe.advance(60)

    wait_until(lambda: state.state()["payments"][0]["status"] == "paid", "the payment", PATIENCE)
    db.session.rollback()
    assert wait_for_the_end()["bookings"][0]["status"] == "confirmed"


def statuses(stripe) -> list[int]:
    return [delivery["status"] for delivery in stripe.deliveries()]


def execute(statement: str, **facts) -> None:
    with db.engine.connect() as connection:
        connection.execute(text(statement), facts)


def scalar(statement: str):
    with db.engine.connect() as connection:
        return connection.scalar(text(statement))


def listeners() -> int:
    return scalar("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")


def committing() -> int | None:
    """The backend of a worker whose COMMIT waits for the audit chain."""
    return scalar(
        "SELECT a.pid FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid"
        " WHERE l.locktype = 'advisory' AND NOT l.granted AND a.query ILIKE 'commit%' LIMIT 1"
    )


def waiting_backends() -> int:
    return scalar("SELECT count(*) FROM pg_locks WHERE NOT granted")


def deadlocks() -> int:
    execute("SELECT pg_stat_clear_snapshot()")
    return scalar("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def attempts(topic: Topic) -> int:
    with db.engine.connect() as connection:
        query = text("SELECT coalesce(max(attempts), 0) FROM outbox_messages WHERE topic = :topic")
        return connection.scalar(query, {"topic": topic.value})
