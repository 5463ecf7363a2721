"""Everything the invariants look at, gathered when the month is over."""

from typing import Any

import requests
from sqlalchemy import func, select

from booking_service.db import db
from booking_service.models import (
    Attempt,
    AuditRow,
    Booking,
    BookingKind,
    Case,
    Membership,
    OutboxMessage,
    Payment,
    PaymentTender,
    Plan,
    Settlement,
    SettlementMethod,
    WebhookEvent,
)
from booking_service.queries import state
from booking_service.services import webhooks
from tests.month.clinic import Clinic
from tests.month.watching import Watcher

CANARY = r"quillfeather|zephyrine|canary\.example|\+?1?518777\d{4}"
_KEY = {"Authorization": "Bearer sk_test_first_visit", "Stripe-Version": "2026-10-28.endive"}


def gather(clinic: Clinic, watcher: Watcher, asked: list[str]) -> dict[str, Any]:
    """Return the facts of a month as plain values."""
    world = clinic.world
    with world.app.app_context():
        rows = _rows()
        ours = state.state()
    mails = world.mail.letters
    return {
        "ours": ours,
        "stripe": _at_stripe(world.stripe.url),
        **rows,
        "mails": [{"message_id": letter.message_id} for letter in mails],
        "excused": dict(world.mail.excused),
        "contract": world.stripe.violations(),
        "told": clinic.told,
        "promised": clinic.promised,
        "taken": list(world.door.taken),
        "forgeries": clinic.forgeries,
        "listened": set(webhooks._LISTENERS),
        "seen": list(watcher.violations),
        "canary": CANARY,
        "texts": {
            "a request to Stripe": asked,
            "the subject of a mail": [letter.subject for letter in mails],
            "the log": world.logged,
            "the audit log": [str(row) for row in rows["audit"]],
            "a case": rows["case_details"],
        },
    }


def _rows() -> dict[str, Any]:
    session = db.session
    return {
        "audit": [
            {
                "at": row.at.isoformat(),
                "action": row.action,
                "subject_id": str(row.subject_id),
                "actor_kind": row.actor_kind.value,
                "actor": str(row.actor_id or ""),
                "after": row.after,
            }
            for row in session.scalars(select(AuditRow))
        ],
        "messages": [
            {
                "id": str(row.id),
                "topic": row.topic.value,
                "attempts": row.attempts,
                "is_given_up": row.needs_review_at is not None,
            }
            for row in session.scalars(select(OutboxMessage))
        ],
        "charges": [
            {
                "id": str(row.id),
                "status": row.status.value,
                "charge_status": row.charge_status.value,
            }
            for row in session.scalars(select(Membership))
        ],
        "follow_ups": [
            {
                "id": str(row.Booking.id),
                "membership_id": str(row.Booking.membership_id),
                "days": (row.Booking.starts_at - row.active_at).days,
                "given_back": row.Booking.given_back,
                "included": row.visits_a_month,
            }
            for row in session.execute(
                select(Booking, Membership.active_at, Plan.visits_a_month)
                .join(Membership, Membership.id == Booking.membership_id)
                .join(Plan, Plan.id == Membership.plan_id)
                .where(Booking.kind == BookingKind.FOLLOW_UP)
            )
        ],
        "paid_at_the_desk": [
            str(id_)
            for id_ in session.scalars(
                select(Payment.id).where(Payment.tender != PaymentTender.CARD)
            )
        ],
        "paid_by_bank_cents": session.scalar(
            select(func.coalesce(func.sum(Settlement.amount_cents), 0)).where(
                Settlement.approved_at.is_not(None), Settlement.method != SettlementMethod.CASH
            )
        ),
        "tried_at_stripe": list(
            session.scalars(select(Attempt.stripe_id).where(Attempt.stripe_id.is_not(None)))
        ),
        "received_events": list(session.scalars(select(WebhookEvent.stripe_event_id))),
        "case_details": list(session.scalars(select(Case.detail))),
    }


def _at_stripe(url: str) -> dict[str, list[dict[str, Any]]]:
    return {
        "intents": _all(url, "payment_intents"),
        "refunds": _all(url, "refunds"),
        "subscriptions": _all(url, "subscriptions", status="all"),
        "sessions": _all(url, "checkout/sessions"),
        "disputes": _all(url, "disputes"),
        "movements": _all(url, "balance_transactions"),
    }


def _all(url: str, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        words = {"limit": "100", **query, **after}
        answer = requests.get(f"{url}/v1/{path}", params=words, headers=_KEY)
        answer.raise_for_status()
        page = answer.json()
        found += page["data"]
        if not page["has_more"]:
            return found
        after = {"starting_after": found[-1]["id"]}
