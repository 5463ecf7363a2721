"""With Redis down, or Stripe silent, or both: every page answers soon and truthfully, and mends."""

import json
import os
import re
import signal
import time
from contextlib import ExitStack, contextmanager
from html import unescape
from types import SimpleNamespace
from uuid import uuid4

import pytest
import requests
from flask import current_app

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.gateways.stripe import stripe as stripe_sdk
from booking_service.local.ports import wait_until
from booking_service.queries import state
from tests.conftest import WEBHOOK_SECRET
from tests.factories import converted, free_slot, hold
from tests.faults.endings import (
    PATIENCE,
    assert_kept,
    done_under_supervision,
    person,
    wait_for_the_end,
)

SOON = 5  # seconds, for every page and webhook
DESK_DAY = "2026-11-23"


@contextmanager
def redis_down(world):
    world.valkey.stop()
    try:
        yield
    finally:
        world.valkey.start()


@contextmanager
def redis_frozen(world):
    """Connections are taken, and nothing is said."""
    os.kill(world.valkey.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(world.valkey.pid, signal.SIGCONT)


@contextmanager
def stripe_silent(world):
    """Requests are taken and never answered: worse than a closed door."""
    world.stripe.fault("hold_before", "*", method="*", times=10_000)
    try:
        yield
    finally:
        world.stripe.heal()


@contextmanager
def stripe_broken(world):
    world.stripe.fault("drop_before", "*", method="*", times=10_000)
    try:
        yield
    finally:
        world.stripe.heal()


OUTAGES = {
    "Redis is down": (redis_down,),
    "Redis is frozen": (redis_frozen,),
    "Stripe is silent": (stripe_silent,),
    "Stripe is broken": (stripe_broken,),
    "both are gone": (redis_down, stripe_silent),
}


@pytest.fixture
def world(service, stripe, own_valkey):
    service.start_web()
    yield SimpleNamespace(url=service.url, service=service, stripe=stripe, valkey=own_valkey)
    service.stop("web")


@pytest.mark.parametrize("outage", OUTAGES)
def test_everything_answers_soon_and_mends_within_a_minute_though(
    outage, world, stripe, letters, seeded
):
    visit = converted(stripe, **person(0))
    links = current_app.extensions["links"]
    unfinished = links.token("hold", hold(free_slot(1)))
    paths = [
        *("/", "/book", "/terms", "/privacy", "/sign-in", "/healthz", "/readyz"),
        *("/api/v1/offer", "/api/v1/slots", "/api/v1/plans"),
        links.visit(visit.booking_id, 0).removeprefix("http://127.0.0.1:8000"),
        f"/book/{unfinished}/details",
    ]
    for_staff = (
        *("/finance/refunds", "/finance/cases", "/finance/ledger", f"/desk/{DESK_DAY}"),
        f"/desk/visit/{visit.booking_id}",
    )
    db.session.rollback()
    priya, ana, _ = (signed_in(world.url, member) for member in seeded.staff)

    with ExitStack() as outages:
        for begin in OUTAGES[outage]:
            outages.enter_context(begin(world))
        answers = {path: soon(requests.get, world.url + path) for path in paths}
        for path in for_staff:
            person_asking = ana if "finance" in path else priya
            answers[path] = soon(person_asking.get, world.url + path)
        told = soon(requests.post, f"{world.url}/webhooks/stripe", **event())
        booked = soon(requests.post, f"{world.url}/api/v1/bookings", json=wish())

    assert {path: a.status_code for path, a in answers.items() if a.status_code != 200} == {}
    assert told.status_code == 204
    if outage.startswith("Redis"):
        assert booked.status_code == 201
    else:
        assert (booked.status_code, booked.json()["code"]) == (503, "stripe_unavailable")
        assert "charged" in booked.json()["detail"]
    began = time.monotonic()
    wait_until(lambda: done_under_supervision(world.service), "all work to be done", PATIENCE)
    now = wait_for_the_end()
    assert time.monotonic() - began < 60
    assert now["exceptions"] == []
    kept = [b for b in now["bookings"] if b["promise_status"]]
    assert [b["promise_status"] for b in kept] == ["settled"]
    assert [r["status"] for r in stripe.refunds()] == ["succeeded"]
    assert [s["status"] for s in stripe.subscriptions()] == ["active"]


def test_a_full_redis_takes_nothing_and_loses_nothing(service, stripe, letters, broker):
    broker.config_set("maxmemory", "1")

    visit = converted(stripe)
    wait_until(handed_over_in_vain, "the relay to be refused", PATIENCE)
    assert stripe.subscriptions() == []
    broker.config_set("maxmemory", "0")

    assert_kept(stripe, [visit], letters)


def handed_over_in_vain() -> bool:
    """Whether due work has waited a second though a relay runs."""
    seconds = state.state()["outbox"]["oldest_due_seconds"]
    db.session.rollback()
    return seconds >= 1


def soon(ask, url: str, **more) -> requests.Response:
    began = time.monotonic()
    answer = ask(url, timeout=30, **more)
    assert time.monotonic() - began < SOON, url
    return answer


def signed_in(url: str, member: dict) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{url}/sign-in", timeout=30).text
    token = unescape(re.search(r'name="csrf_token" value="([^"]+)"', page)[1])
    known = {"email": member["email"], "password": member["password"], "csrf_token": token}
    session.post(f"{url}/sign-in", data=known, timeout=30).raise_for_status()
    return session


def wish() -> dict:
    slot = free_slot(2)
    db.session.rollback()
    facts = person(7)
    return {
        "practitioner_id": str(slot.practitioner_id),
        "starts_at": slot.starts_at.isoformat(),
        "patient": facts,
        "accept_terms_version": 1,
    }


def event() -> dict:
    """A signed webhook about a page nobody has; what it says is looked up later."""
    body = json.dumps(
        {
            "id": f"evt_{uuid4().hex}",
            "object": "event",
            "type": "refund.updated",
            "data": {"object": {"id": "re_unheard_of"}},
        }
    )
    at = int(utc_now().timestamp())
    signature = stripe_sdk.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, at)
    return {"data": body, "headers": {"Stripe-Signature": signature}}
