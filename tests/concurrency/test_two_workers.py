"""The same message delivered to two workers, who reach Stripe at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import select

from booking_service.db import db
from booking_service.gateways.payments import RefundOrder, SubscriptionOrder
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import wait_until
from booking_service.models import (
    EntryKind,
    JournalEntry,
    Membership,
    MembershipStatus,
    OutboxMessage,
    Refund,
    RefundStatus,
    Topic,
)
from booking_service.services import first_payments, refund_rows, refunds
from tests.concurrency.crowd import plain_read
from tests.factories import converted
from tests.factories import refunds as all_refunds


@pytest.fixture
def run_twice(app, celery, stripe, settings, monkeypatch):
    """Give the newest message of a topic to two workers; both get Stripe's answer at one instant.

    The second asks when the first has its answer on the way: at the very same moment Stripe would
    refuse the second with 409.
    """

    # The workers wait as long as the test does.
    monkeypatch.setitem(app.extensions, "gateway", StripeGateway(settings, timedelta(minutes=1)))

    def run(topic: Topic, path: str, meanwhile: Callable[[], None] = lambda: None) -> None:
        message_id = str(message_of(topic).id)
        db.session.rollback()
        fault = stripe.fault("hold", path, times=2)

        def work() -> None:
            with app.app_context():
                celery.tasks[topic].run(message_id)

        with ThreadPoolExecutor(2) as pool:
            workers = []
            for number in (1, 2):
                workers.append(pool.submit(work))
                wait_until(partial(is_blocked, stripe, fault, number), f"{number} at {path}")
            meanwhile()
            stripe.release(fault)
        assert [worker.result() for worker in workers] == [None, None]

    return run


def is_blocked(stripe, fault: str, requests: int) -> bool:
    return stripe.blocked(fault) == requests


def message_of(topic: Topic) -> OutboxMessage:
    db.session.rollback()
    return db.session.scalars(select(OutboxMessage).where(OutboxMessage.topic == topic)).one()


def entries(kind: EntryKind) -> int:
    db.session.rollback()
    return len(db.session.scalars(select(JournalEntry).where(JournalEntry.kind == kind)).all())


def until_refund_is_due(work_one) -> None:
    work_one(Topic.BOOKING_CONFIRMED)
    work_one(Topic.MEMBERSHIP_DUE)


@pytest.fixture
def work_one(app, celery):
    def do(topic: Topic) -> None:
        celery.tasks[topic].run(str(message_of(topic).id))

    return do


def test_two_workers_with_one_refund_return_the_money_once(
    app, seeded, stripe, mail, work, work_one, run_twice
):
    converted(stripe)
    until_refund_is_due(work_one)

    run_twice(Topic.REFUND_REQUESTED, "/v1/refunds")
    work()

    [refund] = all_refunds()
    assert refund.status is RefundStatus.SUCCEEDED
    assert [made["id"] for made in stripe.refunds()] == [refund.stripe_refund_id]
    assert stripe.statuses("POST", "/v1/refunds") == [200, 200]
    assert entries(EntryKind.REFUND) == 1
    assert [letter.subject[:7] for letter in mail.letters] == ["You're ", "Welcome"]


def test_with_a_key_of_its_own_each_the_second_worker_is_refused_and_finds_the_first_refund(
    app, seeded, stripe, mail, work, work_one, run_twice, monkeypatch
):
    """The stable key is the first protection; the list is the second, and holds without it."""
    converted(stripe)
    until_refund_is_due(work_one)
    monkeypatch.setattr(
        refunds, "RefundOrder", lambda *facts: RefundOrder(*facts[:3], str(uuid4()))
    )

    run_twice(Topic.REFUND_REQUESTED, "/v1/refunds")
    work()

    assert sorted(stripe.statuses("POST", "/v1/refunds")) == [200, 400]
    assert [refund.status for refund in all_refunds()] == [RefundStatus.SUCCEEDED]


def test_without_the_row_lock_the_patient_would_be_told_twice(
    app, seeded, stripe, mail, work_one, run_twice, monkeypatch
):
    """Only the ledger's unique index is left then: it still books the answer once."""
    converted(stripe)
    until_refund_is_due(work_one)
    both_read = Barrier(2)

    def read_together(session, model, id_):
        row = plain_read(session, model, id_)
        if isinstance(row, Refund):
            both_read.wait(20)
        return row

    def take_the_lock_out() -> None:
        monkeypatch.setattr(refund_rows, "locked", read_together)

    run_twice(Topic.REFUND_REQUESTED, "/v1/refunds", meanwhile=take_the_lock_out)

    db.session.rollback()
    told = select(OutboxMessage).where(OutboxMessage.topic == Topic.REFUND_SENT)
    assert len(db.session.scalars(told).all()) == 2
    assert entries(EntryKind.REFUND) == 1


def test_two_workers_with_one_membership_charge_the_card_once(
    app, seeded, stripe, mail, work, work_one, run_twice
):
    converted(stripe)
    work_one(Topic.BOOKING_CONFIRMED)

    run_twice(Topic.MEMBERSHIP_DUE, "/v1/subscriptions")
    work()

    [subscription] = stripe.subscriptions()
    [membership] = db.session.scalars(select(Membership)).all()
    assert membership.status is MembershipStatus.ACTIVE
    assert membership.stripe_subscription_id == subscription["id"]
    assert stripe.statuses("POST", "/v1/subscriptions") == [200, 200]
    assert entries(EntryKind.MEMBERSHIP_PAYMENT) == 1
    assert len(all_refunds()) == 1
    assert len(stripe.refunds()) == 1


def test_with_a_random_key_two_workers_would_charge_the_card_twice(
    app, seeded, stripe, mail, work_one, run_twice, monkeypatch
):
    converted(stripe)
    work_one(Topic.BOOKING_CONFIRMED)
    monkeypatch.setattr(
        first_payments,
        "SubscriptionOrder",
        lambda **facts: SubscriptionOrder(**facts | {"idempotency_key": str(uuid4())}),
    )

    run_twice(Topic.MEMBERSHIP_DUE, "/v1/subscriptions")

    assert len(stripe.subscriptions()) == 2
