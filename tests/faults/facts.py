"""What became of a refund: in our rows, in the books, and with a person."""

from contextlib import suppress
from datetime import timedelta

import requests

from booking_service.db import db
from booking_service.errors import GatewayUnavailable
from booking_service.models import (
    Attempt,
    EntryKind,
    JournalEntry,
    OutboxMessage,
    Promise,
    PromiseStatus,
    Refund,
    Topic,
)
from booking_service.queries import state
from booking_service.services import refunds
from booking_service.services.outbox import Patience
from tests.factories import converted
from tests.factories import refunds as all_refunds

LEASE = timedelta(seconds=60)
PATIENCE = Patience(LEASE, (LEASE,), timedelta(hours=23))


def requested_refund(stripe, celery) -> Refund:
    """A refund that was decided, not sent."""
    converted(stripe)
    db.session.rollback()
    due = db.session.query(OutboxMessage).where(OutboxMessage.topic == Topic.MEMBERSHIP_DUE).one()
    celery.tasks[Topic.MEMBERSHIP_DUE].run(str(due.id))
    [refund] = all_refunds()
    return refund


def attempts() -> list[tuple[int, str | None]]:
    db.session.rollback()
    ours = db.session.query(Attempt).where(Attempt.idempotency_key.startswith("refund:"))
    return [(a.number, a.outcome) for a in ours.order_by(Attempt.number)]


def send(refund, gateway) -> None:
    """Try once; having no answer is an outcome like any other."""
    with suppress(GatewayUnavailable):
        refunds.execute(refund.id, gateway, PATIENCE)


def now(refund) -> Refund:
    db.session.rollback()
    return db.session.get_one(Refund, refund.id, populate_existing=True)


def promise() -> PromiseStatus:
    db.session.rollback()
    return db.session.query(Promise).one().status


def booked() -> list[EntryKind]:
    db.session.rollback()
    kinds = (EntryKind.REFUND, EntryKind.REFUND_REVERSED)
    entries = db.session.query(JournalEntry).where(JournalEntry.kind.in_(kinds))
    return [entry.kind for entry in entries.order_by(JournalEntry.at)]


def cases() -> list[tuple[str, str]]:
    db.session.rollback()
    return [(case["type"], case["status"]) for case in state.state()["exceptions"]]


def owed(topic: Topic) -> int:
    db.session.rollback()
    return db.session.query(OutboxMessage).where(OutboxMessage.topic == topic).count()


def sent_topics() -> list[str]:
    db.session.rollback()
    sent = (row for row in state.state()["notifications"] if row["status"] == "sent")
    return sorted(row["topic"] for row in sent)


def refund_by_hand(stripe, payment_intent_id: str, cents: int | None = None) -> str:
    """Return a payment, or a part of it, as somebody does in Stripe's dashboard."""
    part = {} if cents is None else {"amount": cents}
    answer = requests.post(
        f"{stripe.url}/v1/refunds",
        data={"payment_intent": payment_intent_id, **part},
        headers={
            "Authorization": "Bearer sk_test_dashboard",
            "Stripe-Version": "2026-10-28.endive",
        },
    )
    answer.raise_for_status()
    return answer.json()["id"]


def force(stripe, refund, status: str, reason: str) -> None:
    """Give a refund at Stripe a status, as its bank would."""
    stripe._post(f"/_sim/refunds/{refund.stripe_refund_id}", {"status": status, "reason": reason})


def dispute(stripe, payment_intent_id: str, status: str = "needs_response") -> str:
    """Let the cardholder's bank ask for a payment back, or about it."""
    asked = {"payment_intent": payment_intent_id, "status": status, "reason": "fraudulent"}
    return stripe._post("/_sim/disputes", asked)["id"]


def decide(stripe, stripe_dispute_id: str, status: str) -> None:
    """Move a dispute on at Stripe."""
    stripe._post(f"/_sim/disputes/{stripe_dispute_id}", {"status": status})


def intent_of(refund) -> str:
    [payment] = state.state()["payments"]
    assert payment["id"] == str(refund.payment_id)
    return payment["stripe_payment_intent_id"]
