"""The same message delivered to two workers, who reach Stripe at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import GatewayUnavailable
from booking_service.gateways.payments import RefundOrder, SubscriptionOrder
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import wait_until
from booking_service.models import (
    Case,
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
from booking_service.services.outbox import Patience
from tests.concurrency.crowd import plain_read
from tests.factories import converted, payment_of
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


def put_to_sleep(app, stripe, membership_id, patience):
    """One worker sleeps before it asks, while others give its try up and take the payment.

    It waits for the plan's price; its attempt was committed before that. Returns a function that
    wakes it.
    """
    fault = stripe.fault("hold_before", "/v1/prices")
    pool = ThreadPoolExecutor(1)

    def sleep() -> None:
        with app.app_context(), suppress(GatewayUnavailable):
            first_payments.start(membership_id, app.extensions["gateway"], patience)

    sleeper = pool.submit(sleep)
    wait_until(partial(is_blocked, stripe, fault, 1), "a worker asleep")

    def wake() -> None:
        stripe.release(fault)
        sleeper.result()

    return wake


@pytest.fixture
def asleep_meanwhile(app, seeded, stripe, settings, travel, monkeypatch):
    """A worker that slept through its lease: the second try was given the first month."""
    monkeypatch.setitem(app.extensions, "gateway", StripeGateway(settings, timedelta(minutes=1)))
    membership_id = converted(stripe).membership_id
    started = utc_now()
    travel(started)
    lease = timedelta(seconds=60)
    patience = Patience(lease, (lease,), timedelta(hours=23))
    db.session.rollback()
    wake = put_to_sleep(app, stripe, membership_id, patience)
    stripe.fault("drop_before", "/v1/subscriptions", times=2)
    for seconds in (61, 122, 183):
        travel(started + timedelta(seconds=seconds))
        with suppress(GatewayUnavailable):
            first_payments.start(membership_id, app.extensions["gateway"], patience)
    [made] = stripe.subscriptions()
    assert membership_now(membership_id).stripe_subscription_id == made["id"]
    db.session.rollback()
    return membership_id, wake


def membership_now(membership_id) -> Membership:
    db.session.rollback()
    return db.session.get_one(Membership, membership_id)


def test_a_worker_that_slept_through_its_lease_does_not_ask(asleep_meanwhile, stripe):
    membership_id, wake = asleep_meanwhile

    wake()

    assert stripe.keys("/v1/subscriptions")[-1] == f"membership:{membership_id}:2"
    assert len(stripe.subscriptions()) == 1
    assert entries(EntryKind.MEMBERSHIP_PAYMENT) == 1


def test_without_looking_right_before_it_asks_it_would_charge_twice_and_a_person_is_told(
    asleep_meanwhile, stripe, monkeypatch
):
    membership_id, wake = asleep_meanwhile
    monkeypatch.setattr(first_payments, "_refuse_unless_open", lambda *_: None)

    wake()

    assert len(stripe.subscriptions()) == 2
    assert entries(EntryKind.MEMBERSHIP_PAYMENT) == 1
    [case] = db.session.scalars(select(Case)).all()
    kept = membership_now(membership_id).stripe_subscription_id
    assert (case.type, case.subject_id) == ("membership_twice", membership_id)
    assert {kept, case.detail} == {made["id"] for made in stripe.subscriptions()}


def test_a_try_that_was_given_up_and_done_after_all_is_found_before_the_next(
    app, seeded, stripe, gateway, travel
):
    """Stripe forgot its key, and did it late: the list is asked before another key is used."""
    membership_id = converted(stripe).membership_id
    lose_the_first_try(stripe, gateway, travel, membership_id)
    do_it_late(stripe, gateway, membership_id)

    with suppress(GatewayUnavailable):
        first_payments.start(membership_id, gateway, PATIENCE)

    [made] = stripe.subscriptions()
    assert membership_now(membership_id).stripe_subscription_id == made["id"]
    assert stripe.keys("/v1/subscriptions")[-1] == "late"


def test_without_asking_the_list_it_would_be_charged_twice(
    app, seeded, stripe, gateway, travel, monkeypatch
):
    membership_id = converted(stripe).membership_id
    lose_the_first_try(stripe, gateway, travel, membership_id)
    do_it_late(stripe, gateway, membership_id)
    monkeypatch.setattr(first_payments, "_made_before", lambda *_: [])

    first_payments.start(membership_id, gateway, PATIENCE)

    assert len(stripe.subscriptions()) == 2


def test_when_stripe_shows_two_the_first_is_kept_and_a_person_is_told(
    app, seeded, stripe, gateway, travel
):
    membership_id = converted(stripe).membership_id
    lose_the_first_try(stripe, gateway, travel, membership_id)
    do_it_late(stripe, gateway, membership_id)
    do_it_late(stripe, gateway, membership_id, "later")

    first_payments.start(membership_id, gateway, PATIENCE)

    newest, oldest = stripe.subscriptions()
    [case] = db.session.scalars(select(Case)).all()
    assert membership_now(membership_id).stripe_subscription_id == oldest["id"]
    assert (case.type, case.detail) == ("membership_twice", newest["id"])
    assert len(all_refunds()) == 1


LEASE = timedelta(seconds=60)
PATIENCE = Patience(LEASE, (LEASE,), timedelta(hours=23))


def lose_the_first_try(stripe, gateway, travel, membership_id) -> None:
    """Let the first try end without an answer, and its attempt be given up."""
    started = utc_now()
    stripe.fault("drop_before", "/v1/subscriptions", times=2)
    for seconds in (0, 61):
        travel(started + timedelta(seconds=seconds))
        with suppress(GatewayUnavailable):
            first_payments.start(membership_id, gateway, PATIENCE)
    db.session.rollback()


def do_it_late(stripe, gateway, membership_id, key: str = "late") -> None:
    """Do at Stripe what the first try asked for."""
    membership = membership_now(membership_id)
    price_id = first_payments.price_at_stripe(membership.plan_id, "usd", gateway)
    payment = payment_of(membership.booking_id)
    order = SubscriptionOrder(
        membership_id,
        price_id,
        payment.stripe_customer_id,
        payment.stripe_payment_method_id,
        key,
    )
    gateway.subscribe(order)
