from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import Select, text

from booking_service.db import db, transaction
from booking_service.local.ports import wait_until
from booking_service.models import Topic
from booking_service.services import outbox
from tests.concurrency.crowd import at_once

LEASE = timedelta(minutes=1)


def post(count: int) -> None:
    with transaction() as session:
        for _ in range(count):
            outbox.post(session, Topic.WEBHOOK_RECEIVED, uuid4())


def claimed_by_both(app) -> Counter[UUID]:
    """Let two relays claim, while somebody at work keeps one message locked for a moment."""

    def claim(_: int) -> list[UUID]:
        with app.app_context():
            return [message_id for message_id, _ in outbox.claim(LEASE)]

    with ThreadPoolExecutor(2) as pool, db.engine.connect() as worker:
        worker.execute(text("SELECT 1 FROM outbox_messages ORDER BY id LIMIT 1 FOR UPDATE"))
        claims = [pool.submit(claim, number) for number in range(2)]
        wait_until(lambda: all(c.done() for c in claims) or waiting() == 2, "both relays")
        worker.rollback()
        return Counter(id_ for each in claims for id_ in each.result())


def waiting() -> int:
    with db.engine.connect() as connection:
        stuck = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return connection.scalar(stuck)


def test_each_message_is_handed_over_once_in_a_lease(app):
    post(50)

    claims = at_once(app, 4, lambda _: outbox.claim(LEASE, limit=20))

    assert Counter(id_ for claim in claims for id_, _ in claim).most_common(1)[0][1] == 1


def test_a_relay_does_not_wait_for_what_another_holds(app):
    post(5)

    assert sorted(claimed_by_both(app).values()) == [1, 1, 1, 1]


def test_without_the_row_lock_both_relays_would_hand_over_everything(app, monkeypatch):
    post(5)
    monkeypatch.setattr(Select, "with_for_update", lambda self, **_: self)

    assert sorted(claimed_by_both(app).values()) == [2, 2, 2, 2, 2]
