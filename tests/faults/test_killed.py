"""Workers that die at the worst moments, by the power cut and by the kernel's axe."""

import os
import signal

import pytest
from sqlalchemy import text

from booking_service.db import db
from booking_service.local.ports import wait_until
from tests.factories import converted
from tests.faults.endings import PATIENCE, assert_kept
from tests.processes import children_of

MONEY_MOVES = ("/v1/subscriptions", "/v1/refunds")


def whole_worker(service) -> None:
    service.kill("worker")
    service.start("worker")


def one_child(service) -> None:
    [worker] = service.running["worker"]
    wait_until(lambda: len(children_of(worker.pid)) == 2, "the worker's children", PATIENCE)
    assert len(service.kill_children("worker")) == 2


@pytest.mark.parametrize("kill", [whole_worker, one_child])
@pytest.mark.parametrize("kind", ["hold_before", "hold"])
def test_a_worker_killed_while_it_asks_stripe_moves_the_money_once(
    service, stripe, letters, kind, kill
):
    """Before Stripe acted, and after it did and before we wrote it down; at both requests.

    The held requests reach Stripe after all, when everything has long been done again.
    """
    held = [stripe.fault(kind, path) for path in MONEY_MOVES]

    visit = converted(stripe)
    for fault in held:
        wait_until(lambda fault=fault: stripe.blocked(fault) == 1, "the request", PATIENCE)
        kill(service)

    assert_kept(stripe, [visit], letters)
    for fault in held:
        stripe.release(fault)
    wait_until(lambda: 0 not in answered(stripe), "the late requests to be performed")
    assert_kept(stripe, [visit], letters)
    for path in MONEY_MOVES:
        assert len(set(stripe.keys(path))) == 1
        assert len(stripe.keys(path)) > 1


def answered(stripe) -> list[int]:
    return [status for path in MONEY_MOVES for status in stripe.statuses("POST", path)]


def test_a_worker_killed_after_a_mail_left_sends_one_more_copy_of_it(
    service, stripe, letters, mail_server
):
    """No accident makes more than two; the copies carry the same Message-ID."""
    visit = converted(stripe)
    with mail_server.asleep():
        wait_until(lambda: is_sending("notifications.refund_sent"), "the mail", PATIENCE)
        keeper = db.engine.connect()
        keeper.execute(text("LOCK TABLE notifications IN EXCLUSIVE MODE"))
    wait_until(lambda: waits_for_a_lock("notifications"), "the mail to be written down", PATIENCE)
    service.kill("worker")
    keeper.close()
    service.start("worker")

    assert_kept(stripe, [visit], letters, copies=(2,))


def is_sending(topic: str) -> bool:
    sending = "SELECT count(*) FROM notifications WHERE topic = :topic AND status = 'sending'"
    with db.engine.connect() as connection:
        return connection.scalar(text(sending), {"topic": topic}) == 1


def waits_for_a_lock(table: str) -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = CAST(:t AS regclass)"
    with db.engine.connect() as connection:
        return connection.scalar(text(waiting), {"t": table}) > 0


def test_a_worker_asked_to_stop_finishes_what_it_does(service, stripe, letters):
    held = stripe.fault("hold", "/v1/refunds")
    visit = converted(stripe)
    wait_until(lambda: stripe.blocked(held) == 1, "the request", PATIENCE)
    [worker] = service.running["worker"]

    worker.ask_to_stop()
    stripe.release(held)
    worker.process.wait(35)

    assert worker.process.returncode == 0
    assert [refund["status"] for refund in stripe.refunds()] == ["succeeded"]
    service.running["worker"].clear()
    service.start("worker")
    assert_kept(stripe, [visit], letters)
    assert stripe.statuses("POST", "/v1/refunds") == [200]


def test_a_relay_that_is_frozen_is_replaced_by_another(service, stripe, letters):
    [frozen] = service.running["relay"]
    os.kill(frozen.pid, signal.SIGSTOP)
    service.start("relay")

    visit = converted(stripe)

    assert_kept(stripe, [visit], letters)
    service.kill("relay")


def test_killed_children_are_replaced(service):
    [worker] = service.running["worker"]
    wait_until(lambda: len(children_of(worker.pid)) == 2, "the worker's children", PATIENCE)

    dead = service.kill_children("worker")

    wait_until(lambda: len(set(children_of(worker.pid)) - set(dead)) == 2, "new children", PATIENCE)
