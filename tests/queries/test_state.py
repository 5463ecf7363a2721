from datetime import timedelta
from uuid import uuid4

from booking_service.db import transaction
from booking_service.models import OutboxMessage, Payment, Topic
from booking_service.queries.state import state
from booking_service.services import outbox
from tests.factories import all_of, at_stripe, booking, change, hold, paid, payment_of

EMPTY = {
    "bookings": [],
    "payments": [],
    "refunds": [],
    "memberships": [],
    "notifications": [],
    "outbox": {"due": 0, "oldest_due_seconds": 0, "needs_review": 0},
    "webhook_events": {"received": 0, "unprocessed": 0, "failed": 0},
    "exceptions": [],
    "ledger": {"balanced": True, "accounts": {}},
    "audit": {"rows": 0, "verified": True},
}


def test_an_empty_service_is_in_order(app):
    assert state() == EMPTY


def test_a_booking_is_told_in_ids_and_statuses(seeded, noon, stripe):
    visit = paid(stripe)
    row = booking(visit.booking_id)

    now = state()

    assert now["bookings"] == [
        {
            "id": str(row.id),
            "code": row.code,
            "status": "confirmed",
            "practitioner_id": str(row.practitioner_id),
            "starts_at": row.starts_at.isoformat(),
            "ends_at": row.ends_at.isoformat(),
            "patient_id": str(row.patient_id),
            "payment_id": str(visit.payment.id),
            "promise_status": "open",
        }
    ]
    assert now["payments"] == [
        {
            "id": str(visit.payment.id),
            "booking_id": str(row.id),
            "status": "paid",
            "amount_cents": 3900,
            "stripe_checkout_session_id": visit.payment.stripe_checkout_session_id,
            "stripe_payment_intent_id": visit.payment.stripe_payment_intent_id,
            "disputed": False,
        }
    ]
    assert "Dana" not in str(now)
    assert "example.com" not in str(now)


def test_what_is_not_there_yet_is_null(seeded, noon, stripe):
    hold()
    payment = at_stripe(name="Robin Hale")

    now = state()

    assert [(b["status"], b["promise_status"]) for b in now["bookings"]] == [("held", None)] * 2
    assert {b["payment_id"] for b in now["bookings"]} == {None, str(payment.id)}
    assert [p["stripe_payment_intent_id"] for p in now["payments"]] == [None]


def test_a_disputed_payment_says_so(seeded, noon, stripe):
    visit = paid(stripe)
    change(Payment, visit.payment.id, disputed_at=noon)

    assert [payment["disputed"] for payment in state()["payments"]] == [True]
    assert payment_of(visit.booking_id).disputed_at == noon


def test_owed_work_is_counted_while_it_is_due(app, noon, travel):
    with transaction() as session:
        outbox.post(session, Topic.REFUND_REQUESTED, uuid4())
        outbox.post(session, Topic.REFUND_REQUESTED, uuid4(), noon + timedelta(hours=1))
    travel(noon + timedelta(seconds=30))
    assert state()["outbox"] == {"due": 1, "oldest_due_seconds": 30, "needs_review": 0}

    due = min(all_of(OutboxMessage), key=lambda message: message.not_before)
    change(OutboxMessage, due.id, needs_review_at=noon)
    assert state()["outbox"] == {"due": 0, "oldest_due_seconds": 0, "needs_review": 1}
