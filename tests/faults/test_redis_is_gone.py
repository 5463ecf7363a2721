"""Redis is only the doorbell: what it loses is rung again, and nobody waits for it."""

import time

import pytest
import requests

from booking_service.local.ports import wait_until
from booking_service.queries import state
from tests.conftest import WEBHOOK_SECRET
from tests.factories import converted
from tests.faults.endings import PATIENCE, assert_kept, done_under_supervision, work_left


@pytest.fixture
def told_by_stripe(service, stripe):
    """The web runs, and Stripe sends it webhooks."""
    service.start_web()
    stripe.settings(webhook_url=f"{service.url}/webhooks/stripe", webhook_secrets=[WEBHOOK_SECRET])
    yield
    stripe.settings(webhook_url="", webhook_secrets=[])
    service.stop("web")


def test_messages_flushed_before_they_ran_are_handed_over_again(service, stripe, letters, broker):
    service.kill("worker")
    visit = converted(stripe)
    wait_until(lambda: broker.llen("first_visit:money") > 0, "a message in Redis", PATIENCE)

    broker.flushall()
    service.start("worker")

    assert_kept(stripe, [visit], letters)


def test_while_redis_is_down_patients_book_and_stripe_is_answered(
    service, stripe, letters, own_valkey, told_by_stripe
):
    own_valkey.stop()

    visit = converted(stripe)

    wait_until(lambda: state.state()["webhook_events"]["received"] == 1, "the webhook", PATIENCE)
    began = time.monotonic()
    ready = requests.get(f"{service.url}/readyz", timeout=30)
    assert time.monotonic() - began < 5
    assert (ready.status_code, ready.json()["redis"]) == (200, "down")
    # The confirmation, the way to sign, the first payment, and the webhook.
    assert work_left() == 4
    assert stripe.subscriptions() == []
    own_valkey.start()
    wait_until(lambda: done_under_supervision(service), "all work to be done", PATIENCE)
    now = assert_kept(stripe, [visit], letters)
    assert now["webhook_events"]["failed"] == 0
    wait_until(lambda: state.state()["webhook_events"]["unprocessed"] == 0, "webhooks", PATIENCE)
