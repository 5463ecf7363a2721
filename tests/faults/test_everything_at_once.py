"""Many processes, many patients, and several accidents together."""

from datetime import timedelta

from sqlalchemy import select

from booking_service.db import db
from booking_service.local.ports import wait_until
from booking_service.models import Booking, BookingStatus, OutboxMessage, Topic
from booking_service.services import outbox
from tests.factories import converted, hold
from tests.faults.endings import PATIENCE, assert_kept, person, work_left
from tests.processes import Service

SPOILED = ("drop_after", "error_500_after", "drop_before", "conflict")


def test_with_two_of_each_process_and_every_accident_each_promise_is_kept_once(
    service, stripe, letters, broker
):
    service.start("worker", "relay", "beat", "beat")
    for path in ("/v1/subscriptions", "/v1/refunds"):
        for kind in SPOILED:
            stripe.fault(kind, path)

    visits = [converted(stripe, **person(number)) for number in range(3)]
    wait_until(lambda: len(stripe.subscriptions()) > 0, "the first member", PATIENCE)
    broker.flushall()
    service.kill("worker")
    service.start("worker")

    assert_kept(stripe, visits, letters)
    for name in ("beat", "relay"):
        service.kill(name)


def test_a_hold_whose_time_has_passed_is_let_go_by_the_beat(service, app):
    service.start("beat")

    booking_id = hold(lifetime=timedelta(seconds=1))

    def status() -> BookingStatus:
        db.session.rollback()
        return db.session.scalar(select(Booking.status).where(Booking.id == booking_id))

    wait_until(lambda: status() is BookingStatus.EXPIRED, "the hold to end", PATIENCE)
    db.session.rollback()
    service.kill("beat")


def test_without_a_short_lease_what_redis_lost_would_wait(
    service, processes, stripe, broker, letters, environment, var
):
    """The control: only being handed over again brings a flushed message back."""
    service.kill("worker")
    service.kill("relay")
    slow = Service({**processes.environment, "LEASE_SECONDS": "3600"}, var)
    slow.start("relay")
    first = converted(stripe, **person(0))
    wait_until(lambda: broker.llen("first_visit:money") == 1, "a message in Redis", PATIENCE)
    broker.flushall()
    service.start("worker")

    second = converted(stripe, **person(1))
    wait_until(lambda: refunds_done() == 1, "the second patient's refund", PATIENCE)
    left = [message.subject_id for message in lost()]
    members_then = len(stripe.subscriptions())

    slow.kill_all()
    assert first.membership_id in left
    assert members_then == 1
    outbox.give_back([message.id for message in lost()])
    service.start("relay")
    assert_kept(stripe, [first, second], letters)
    assert work_left() == 0


def lost() -> list[OutboxMessage]:
    db.session.rollback()
    query = select(OutboxMessage).where(OutboxMessage.done_at.is_(None))
    found = list(db.session.scalars(query))
    db.session.rollback()
    return found


def refunds_done() -> int:
    db.session.rollback()
    done = OutboxMessage.done_at.is_not(None)
    query = select(OutboxMessage.id).where(OutboxMessage.topic == Topic.REFUND_REQUESTED, done)
    found = len(db.session.scalars(query).all())
    db.session.rollback()
    return found
