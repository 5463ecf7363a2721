import logging
from uuid import uuid4

import pytest

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.errors import GatewayLockedOut, GatewayUnavailable
from booking_service.models import OutboxMessage, Topic
from booking_service.queries import state
from booking_service.services import outbox
from workers.work import do, patience


@pytest.fixture
def message(app) -> OutboxMessage:
    with transaction() as session:
        outbox.post(session, Topic.REFUND_REQUESTED, uuid4())
    return only_message()


def only_message() -> OutboxMessage:
    db.session.rollback()
    return db.session.query(OutboxMessage).populate_existing().one()


def failing(error: Exception):
    def job(_subject_id):
        raise error

    return job


def test_work_that_is_done_is_done_once(message):
    done = []

    do(str(message.id), done.append)
    do(str(message.id), done.append)

    assert done == [message.subject_id]
    assert only_message().done_at is not None
    assert only_message().attempts == 1


def test_work_that_fails_is_owed_again(message, travel):
    do(str(message.id), failing(GatewayUnavailable("no answer")))

    waiting = only_message()
    assert (waiting.last_error, waiting.attempts) == ("GatewayUnavailable", 1)
    travel(waiting.not_before)
    done = []
    do(str(message.id), done.append)
    assert done == [message.subject_id]


def test_a_bug_is_written_to_the_log_with_its_trace_and_the_work_is_owed_again(message, caplog):
    do(str(message.id), failing(KeyError("unforeseen")))

    [record] = [record for record in caplog.records if record.name == "workers.work"]
    assert (record.levelno, record.exc_info[0]) == (logging.ERROR, KeyError)
    assert only_message().last_error == "KeyError"
    assert only_message().done_at is None


def test_a_key_stripe_does_not_accept_calls_a_person_once_and_keeps_the_work(
    message, caplog, travel
):
    for _ in range(2):
        do(str(message.id), failing(GatewayLockedOut("key")))
        travel(only_message().not_before)

    critical = [r for r in caplog.records if r.levelno == logging.CRITICAL]
    assert [r.message for r in critical] == ["Stripe does not accept our key"]
    db.session.rollback()
    assert [(case["type"], case["subject_id"]) for case in state.state()["exceptions"]] == [
        ("stripe_locked_out", str(outbox.NOBODY))
    ]
    assert only_message().done_at is None
    assert only_message().needs_review_at is None


def test_a_worker_that_dies_leaves_the_work_owed(message):
    with pytest.raises(SystemExit):
        do(str(message.id), failing(SystemExit()))

    assert only_message().attempts == 1
    assert only_message().done_at is None
    assert outbox.claim(patience().lease) == []  # its lease must end first


def test_without_counting_first_work_that_kills_would_be_begun_for_ever(message, monkeypatch):
    """The control: an attempt counted afterwards is never counted."""
    monkeypatch.setattr(
        outbox, "begin", lambda id_, _: outbox.Work(id_, message.topic, id_, 0, utc_now())
    )

    for _ in range(3):
        with pytest.raises(SystemExit):
            do(str(message.id), failing(SystemExit()))

    assert only_message().attempts == 0
