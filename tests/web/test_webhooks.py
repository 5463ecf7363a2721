"""Stripe's way in: what is refused, what is kept once, and what it may change."""

import hashlib
import hmac
import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
import requests
from sqlalchemy.dialects.postgresql import Insert

from booking_service.db import db
from booking_service.gateways.stripe import StripeGateway
from booking_service.local.ports import wait_until
from booking_service.models import EntryKind, JournalEntry, OutboxMessage, Topic, WebhookEvent
from booking_service.queries import state
from tests.concurrency.crowd import at_once, without_constraint
from tests.conftest import WEBHOOK_SECRET
from tests.factories import at_stripe, converted, refunds

OTHER_SECRET = "whsec_" + "o" * 32
_numbers = count(1)


def event(type_="checkout.session.completed", object_id="cs_test_1") -> bytes:
    subject = {"id": object_id, "object": type_.rpartition(".")[0]}
    number = next(_numbers)
    body = {"id": f"evt_{number}", "object": "event", "type": type_, "data": {"object": subject}}
    return json.dumps(body).encode()


def signature(body: bytes, secret=WEBHOOK_SECRET, age_seconds=0) -> str:
    at = int(time.time()) - age_seconds
    digest = hmac.new(secret.encode(), b"%d.%b" % (at, body), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def deliver(client, body: bytes, header: str | None = None) -> int:
    header = signature(body) if header is None else header
    return client.post(
        "/webhooks/stripe", data=body, headers={"Stripe-Signature": header}
    ).status_code


def rows() -> int:
    db.session.rollback()
    return db.session.query(WebhookEvent).count() + db.session.query(OutboxMessage).count()


def test_a_signed_event_is_kept_and_owed_to_a_worker(client):
    assert deliver(client, event()) == 204

    assert [kept.object_id for kept in db.session.query(WebhookEvent)] == ["cs_test_1"]
    assert [m.topic for m in db.session.query(OutboxMessage)] == [Topic.WEBHOOK_RECEIVED]


@pytest.mark.parametrize("age_seconds", [301, 3600, -302, -3600])
def test_a_signature_of_another_time_is_refused(client, age_seconds):
    body = event()

    assert deliver(client, body, signature(body, age_seconds=age_seconds)) == 400
    assert rows() == 0


@pytest.mark.parametrize("age_seconds", [290, -290])
def test_clocks_may_differ_by_five_minutes(client, age_seconds):
    body = event()

    assert deliver(client, body, signature(body, age_seconds=age_seconds)) == 204


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        "t=,v1=",
        "t=now,v1=00",
        f"t={2**70},v1=00",
        "v1=" + "0" * 64,
        "t=1,t=2,v0=1",
        "\xff\xfe",
        "t=" + "9" * 5000 + ",v1=00",
    ],
)
def test_a_garbled_signature_is_refused(client, header):
    assert deliver(client, event(), header) == 400
    assert rows() == 0


def test_an_event_signed_by_somebody_else_is_refused(client):
    body = event()

    assert deliver(client, body, signature(body, OTHER_SECRET)) == 400
    assert rows() == 0


def test_a_body_changed_on_the_way_is_refused(client):
    body = event()

    assert deliver(client, body.replace(b"cs_test_1", b"cs_test_2"), signature(body)) == 400
    assert rows() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"not json",
        b"[]",
        b"[1, 2]",
        b"null",
        b'"text"',
        b"1",
        b"{}",
        b'{"object": "event", "id": "evt_1"}',
        b'{"object": "event", "id": "evt_1", "type": "refund.updated", "data": null}',
        b'{"object": "event", "id": "evt_1", "type": "refund.updated", "data": {"object": 1}}',
        b"[" * 100_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b'{"object":"event","id":"evt_\\u0000","type":"refund.updated","data":{"object":{"id":"re_1"}}}',
    ],
    ids=range(15),
)
def test_a_body_that_is_no_event_is_refused_even_if_it_is_signed(client, body):
    assert deliver(client, body) == 400
    assert rows() == 0


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"[" * 100_000])
def test_what_is_not_signed_is_not_even_read(client, body):
    assert deliver(client, body, "") == 400
    assert deliver(client, body, signature(body, OTHER_SECRET)) == 400
    assert rows() == 0


def test_a_body_of_five_megabytes_is_not_read(client):
    body = b'{"object": "event", "pad": "' + b"x" * 5_000_000 + b'"}'

    assert deliver(client, body) == 413
    assert rows() == 0


def test_an_event_delivered_fifty_times_at_once_is_kept_once(app):
    body = event()

    answers = at_once(app, 50, lambda _: deliver(app.test_client(), body))

    assert Counter(answers) == {204: 50}
    assert rows() == 2


def test_without_the_unique_index_it_would_be_kept_each_time(app, monkeypatch):
    body = event()
    monkeypatch.setattr(Insert, "on_conflict_do_nothing", lambda self, **_: self)

    with without_constraint("webhook_events", "uq_webhook_events_stripe_event_id"):
        at_once(app, 5, lambda _: deliver(app.test_client(), body))
        kept = rows()

    assert kept == 10


def test_an_event_nobody_listens_to_is_taken_and_forgotten(client):
    assert deliver(client, event("customer.created", "cus_1")) == 204
    assert rows() == 0


def test_while_a_secret_is_changed_both_are_good(app, client, settings, monkeypatch):
    both = replace(settings, stripe_webhook_secrets=(OTHER_SECRET, WEBHOOK_SECRET))
    monkeypatch.setitem(app.extensions, "gateway", StripeGateway(both, timedelta(seconds=5)))
    old, new = event(), event()

    assert deliver(client, old, signature(old, WEBHOOK_SECRET)) == 204
    assert deliver(client, new, signature(new, OTHER_SECRET)) == 204


def test_a_payment_of_another_application_changes_nothing(app, seeded, client, stripe, work):
    at_stripe()
    answer = requests.post(
        f"{stripe.url}/v1/checkout/sessions",
        data={
            "mode": "payment",
            "success_url": "https://other.example/done",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": "500",
            "line_items[0][price_data][product_data][name]": "A book",
        },
        headers={
            "Authorization": "Bearer sk_test_other",
            "Stripe-Version": "2026-10-28.endive",
        },
    )
    stripe.pay(answer.json()["id"])
    before = state.state()
    db.session.rollback()

    assert deliver(client, event(object_id=answer.json()["id"])) == 204
    work()

    assert state.state() == before | {
        "webhook_events": {"received": 1, "unprocessed": 0, "failed": 0}
    }


def test_news_of_a_refund_before_our_own_answer_is_applied_once(
    app, seeded, client, stripe, celery, work, mail
):
    """Stripe's webhook may be faster than Stripe's answer; whoever is second changes nothing."""
    converted(stripe)
    for topic in (Topic.BOOKING_CONFIRMED, Topic.MEMBERSHIP_DUE):
        celery.tasks[topic].run(message_id(topic))
    held = stripe.fault("hold", "/v1/refunds")
    due = message_id(Topic.REFUND_REQUESTED)

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(in_context, app, celery.tasks[Topic.REFUND_REQUESTED], due)
        wait_until(lambda: stripe.blocked(held) == 1, "the request")
        [made] = stripe.refunds()
        for type_ in ("refund.updated", "refund.created"):
            assert deliver(client, event(type_, made["id"])) == 204
        work()
        status_before_the_answer = [refund.status for refund in refunds()]
        stripe.release(held)
        slow.result()
    work()

    assert status_before_the_answer == ["succeeded"]
    assert [refund.stripe_refund_id for refund in refunds()] == [made["id"]]
    refunded = db.session.query(JournalEntry).where(JournalEntry.kind == EntryKind.REFUND)
    assert refunded.count() == 1
    assert [letter.subject[:7] for letter in mail.letters] == ["You're ", "Welcome"]


def message_id(topic: Topic) -> str:
    db.session.rollback()
    [message] = db.session.query(OutboxMessage).where(OutboxMessage.topic == topic)
    return str(message.id)


def in_context(app, task, id_: str) -> None:
    with app.app_context():
        task.run(id_)
