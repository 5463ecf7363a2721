"""A small month in which all is well, as the invariants see one."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.month.facts import CANARY

NINE = datetime(2026, 11, 2, 14, tzinfo=UTC).isoformat()
TEN = (datetime(2026, 11, 2, 14, tzinfo=UTC) + timedelta(minutes=45)).isoformat()


def well() -> dict[str, Any]:
    """One patient who paid, joined, has the money back and comes again; one who paid."""
    return {
        "ours": _ours(),
        "stripe": _stripe(),
        "audit": [
            _row("booking.confirm", "b1"),
            _row("booking.confirm", "b2"),
            _row("booking.arrived", "b1", "token"),
            _row("booking.confirm", "b4", "patient"),
            _row("booking.completed", "b1", "token"),
            _row("membership.convert", "m1", "staff"),
        ],
        "messages": [{"id": "o1", "topic": "refunds.execute", "attempts": 2, "is_given_up": False}],
        "charges": [{"id": "m1", "status": "active", "charge_status": "paid"}],
        "follow_ups": [follow_up("b4")],
        "paid_at_the_desk": [],
        "paid_by_bank_cents": 0,
        "tried_at_stripe": ["re_1"],
        "forgeries": [400],
        "received_events": ["evt_1"],
        "mails": [{"message_id": f"<n{n}@alder.example>"} for n in (1, 2, 3, 4)],
        "excused": {},
        "contract": [],
        "told": [{"method": "POST", "path": "/api", "status": 201, "seconds": 0.1}],
        "promised": [
            {"what": "booking", "id": "b1"},
            {"what": "completed", "id": "b1"},
            {"what": "membership", "id": "m1", "booking": "b1"},
        ],
        "taken": [("evt_1", "refund.created"), ("evt_9", "charge.succeeded")],
        "listened": {"refund.created"},
        "seen": [],
        "canary": CANARY,
        "texts": {"the log": ["INFO booking b1"]},
    }


def _ours() -> dict[str, Any]:
    return {
        "bookings": [_booking("b1", "p1", "completed", "settled"), _booking("b2", "p2"), _again()],
        "payments": [_payment("p1", "b1"), _payment("p2", "b2")],
        "refunds": [
            {
                "id": "r1",
                "payment_id": "p1",
                "reason": "membership",
                "status": "succeeded",
                "amount_cents": 3900,
                "stripe_refund_id": "re_1",
                "attempts": 1,
            }
        ],
        "memberships": [
            {
                "id": "m1",
                "patient_id": "patient b1",
                "booking_id": "b1",
                "status": "active",
                "stripe_subscription_id": "sub_1",
            }
        ],
        "notifications": [
            _told("n1", "booking_confirmed", "b1"),
            _told("n2", "booking_confirmed", "b2"),
            _told("n3", "refund_sent", "r1"),
            _told("n4", "booking_confirmed", "b4"),
        ],
        "outbox": {"due": 0, "oldest_due_seconds": 0, "needs_review": 0},
        "webhook_events": {"received": 1, "unprocessed": 0, "failed": 0},
        "exceptions": [],
        "ledger": {"balanced": True, "accounts": {"stripe_balance": 3900 - 2 * 143}},
        "audit": {"rows": 4, "verified": True},
    }


def _stripe() -> dict[str, Any]:
    return {
        "intents": [_intent("pi_p1", "p1"), _intent("pi_p2", "p2")],
        "refunds": [refund("re_1", "pi_p1")],
        "subscriptions": [{"id": "sub_1", "metadata": {"membership_id": "m1"}}],
        "sessions": [{"id": "cs_p1", "status": "complete"}],
        "disputes": [],
        "movements": [
            {"type": "charge", "net": 3757},
            {"type": "charge", "net": 3757},
            {"type": "refund", "net": -3900},
            {"type": "payout", "net": -3614},
        ],
    }


def _booking(
    id_: str, payment: str, status: str = "confirmed", promise: str = "open"
) -> dict[str, Any]:
    return {
        "id": id_,
        "status": status,
        "practitioner_id": f"doctor {id_}",
        "starts_at": NINE,
        "ends_at": TEN,
        "patient_id": f"patient {id_}",
        "payment_id": payment,
        "promise_status": promise,
    }


def _again() -> dict[str, Any]:
    """A further visit of the patient who joined."""
    nothing = {"payment_id": None, "promise_status": None}
    return _booking("b4", "") | nothing | {"patient_id": "patient b1"}


def follow_up(id_: str) -> dict[str, Any]:
    """What is known of a visit that a plan of one a month includes."""
    return {"id": id_, "membership_id": "m1", "days": 1, "given_back": False, "included": 1}


def _payment(id_: str, booking: str) -> dict[str, Any]:
    return {
        "id": id_,
        "booking_id": booking,
        "status": "paid",
        "amount_cents": 3900,
        "stripe_checkout_session_id": f"cs_{id_}",
        "stripe_payment_intent_id": f"pi_{id_}",
        "disputed": False,
    }


def _intent(id_: str, payment: str) -> dict[str, Any]:
    return {"id": id_, "amount_received": 3900, "metadata": {"payment_id": payment}}


def refund(id_: str, intent: str, status: str = "succeeded", amount: int = 3900) -> dict[str, Any]:
    return {"id": id_, "payment_intent": intent, "status": status, "amount": amount}


def cancelled(booking: str, hours_before: int) -> dict[str, Any]:
    """The row that a patient's cancelling leaves in the audit log."""
    at = datetime.fromisoformat(NINE) - timedelta(hours=hours_before)
    return _row("booking.cancelled", booking, "patient") | {"at": at.isoformat()}


def _told(id_: str, topic: str, subject: str) -> dict[str, Any]:
    topic = f"notifications.{topic}"
    return {"id": id_, "topic": topic, "subject_id": subject, "status": "sent"}


def _row(action: str, subject: str, kind: str = "system") -> dict[str, Any]:
    return {
        "at": NINE,
        "action": action,
        "subject_id": subject,
        "actor_kind": kind,
        "actor": "somebody",
        "after": {},
    }
