import json
import logging
import threading
import time
from base64 import b64decode
from uuid import uuid4

import psycopg
import pytest
import redis
from kombu.exceptions import OperationalError

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.local.ports import wait_until
from booking_service.models import OutboxMessage, Topic
from booking_service.services import outbox
from tests.processes import Service
from workers import relay
from workers.policy import queue_of


@pytest.fixture
def queues(celery, valkey):
    """The queues in Redis, emptied."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def relaying(app, celery, queues):
    """A relay at work in a thread."""
    stopping = threading.Event()
    thread = threading.Thread(target=relay.run, args=(app, celery, stopping))
    thread.start()
    wait_until(lambda: listeners() == 1, "the relay to listen")
    yield thread
    stopping.set()
    with transaction() as session:
        outbox.post(session, Topic.WEBHOOK_RECEIVED, uuid4())  # wakes it, to see that it is over
    thread.join(20)
    assert not thread.is_alive()


def listeners() -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN outbox'"
    with db.engine.connect() as connection:
        return connection.exec_driver_sql(sql).scalar_one()


def post(topic=Topic.REFUND_REQUESTED, **more) -> str:
    subject_id = uuid4()
    with transaction() as session:
        outbox.post(session, topic, subject_id, **more)
    db.session.rollback()
    message = db.session.query(OutboxMessage).where(OutboxMessage.subject_id == subject_id).one()
    return str(message.id)


def waiting(queues, queue: str) -> int:
    return queues.llen(f"first_visit:{queue}")


@pytest.mark.parametrize(
    ("topic", "queue"),
    [
        (Topic.REFUND_REQUESTED, "money"),
        (Topic.MEMBERSHIP_DUE, "money"),
        (Topic.WEBHOOK_RECEIVED, "webhooks"),
        (Topic.BOOKING_CONFIRMED, "mail"),
        (Topic.REFUND_SENT, "mail"),
    ],
)
def test_each_topic_has_its_queue(app, celery, queues, topic, queue):
    post(topic)

    taken = relay.hand_over(celery, outbox.claim(patience_of(app)))

    assert taken
    assert queue_of(topic) == queue
    assert waiting(queues, queue) == 1


def patience_of(app):
    return app.extensions["settings"].lease


def test_every_topic_has_a_task(celery):
    assert {topic.value for topic in Topic} - celery.tasks.keys() == set()


def test_only_an_id_goes_through_redis(app, celery, queues):
    message_id = post()

    relay.hand_over(celery, outbox.claim(patience_of(app)))

    [message] = queues.lrange("first_visit:money", 0, -1)
    arguments, named, _ = json.loads(b64decode(json.loads(message)["body"]))
    assert (arguments, named) == ([message_id], {})


def test_what_redis_does_not_take_is_due_again_at_once(app):
    """Not one message is lost or kept back, wherever in the row Redis went away."""
    for _ in range(3):
        post()
    handed = []

    class Gone:
        def send_task(self, _topic, args, queue):
            if handed:
                raise OperationalError("connection refused")
            handed.extend(args)

    taken = relay.hand_over(Gone(), outbox.claim(patience_of(app)))

    assert not taken
    again = [str(id_) for id_, _ in outbox.claim(patience_of(app))]
    assert len(again) == 2
    assert handed[0] not in again


def test_posting_wakes_the_relay_long_before_its_next_look(app, relaying, queues):
    began = time.monotonic()
    for number in range(1, 4):
        post()
        wait_until(lambda number=number: waiting(queues, "money") == number, "the message")

    assert time.monotonic() - began < 3 * app.extensions["settings"].relay_interval.total_seconds()


def test_work_for_later_is_handed_over_when_its_time_comes(app, relaying, queues):
    post(not_before=utc_now())

    wait_until(lambda: waiting(queues, "money") == 1, "the message")


def test_a_relay_whose_database_hangs_up_connects_again(app, relaying, queues, settings, caplog):
    caplog.set_level(logging.WARNING, "workers.relay")
    address = settings.database_url.replace("postgresql+psycopg", "postgresql", 1)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN outbox'"
        )

    wait_until(lambda: listeners() == 1, "the relay to listen again")
    post()

    wait_until(lambda: waiting(queues, "money") == 1, "the message")
    assert "the database does not answer" in caplog.text


def test_the_relay_process_ends_when_asked(environment, app, var):
    service = Service(environment, var)
    service.start("relay")
    [process] = service.running["relay"]
    wait_until(lambda: listeners() == 1, "the relay to listen", 60)

    service.stop("relay")

    assert process.process.returncode == 0
