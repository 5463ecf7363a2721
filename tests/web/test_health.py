from dataclasses import replace

import pytest
from sqlalchemy import text

from booking_service.db import db
from booking_service.local.ports import free_port
from booking_service.models import Role
from booking_service.services import staff


def test_a_process_that_answers_is_healthy_whatever_else_is_broken(client):
    with db.engine.begin() as connection:
        connection.execute(text("ALTER TABLE outbox_messages RENAME TO mislaid"))
    try:
        answer = client.get("/healthz")
        not_ready = client.get("/readyz")
    finally:
        db.session.rollback()
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE mislaid RENAME TO outbox_messages"))

    assert (answer.status_code, answer.json) == (200, {"status": "ok"})
    assert (not_ready.status_code, not_ready.json) == (503, {"status": "down", "database": "down"})


def test_a_service_that_is_ready_says_so(client):
    answer = client.get("/readyz")

    assert (answer.status_code, answer.json) == (
        200,
        {
            "status": "ok",
            "database": "ok",
            "migrated": True,
            "redis": "ok",
            "oldest_due_seconds": 0,
        },
    )


def test_without_redis_requests_are_still_sent_here(app, client, settings, monkeypatch):
    lost = replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setitem(app.extensions, "settings", lost)

    answer = client.get("/readyz")

    assert (answer.status_code, answer.json["status"]) == (200, "degraded")


@pytest.mark.parametrize("scope", [None, Role.FRONT_DESK, Role.FINANCE])
def test_numbers_are_not_for_everybody(client, scope):
    token = staff.create_token("monitoring", scope) if scope else "fv_nobody"

    answers = [
        client.get("/metrics"),
        client.get("/metrics", headers={"Authorization": f"Bearer {token}"}),
        client.get("/metrics", headers={"Authorization": token}),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_an_administrators_program_reads_the_numbers(client):
    token = staff.create_token("monitoring", Role.ADMIN)

    answer = client.get("/metrics", headers={"Authorization": f"Bearer {token}"})

    values = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert sorted(values) == [
        "booking_cases_open 0.0",
        "booking_outbox_needs_review 0.0",
        "booking_outbox_oldest_due_seconds 0.0",
        "booking_promises_in_doubt 0.0",
        "booking_reconciliation_age_seconds -1.0",
        "booking_reconciliation_residue_cents 0.0",
        "booking_refunds_owed 0.0",
    ]
