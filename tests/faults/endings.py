"""How every accident must end: without a person, and exactly once."""

from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, select

from booking_service.db import db
from booking_service.local.ports import wait_until
from booking_service.models import OutboxMessage, Topic
from booking_service.queries import state
from tests.processes import Service
from tests.stripe_account import StripeAccount

PATIENCE = 60  # seconds; an accident on a quiet machine is mended within ten
FEE, FIRST_MONTH, MONTHLY_FEE = 143, 14_900, 462


def work_left() -> int:
    """Return how much is owed, due or not yet; what was given up does not count."""
    db.session.rollback()
    open_ = OutboxMessage.done_at.is_(None) & OutboxMessage.needs_review_at.is_(None)
    count = db.session.scalar(select(func.count()).where(open_)) or 0
    db.session.rollback()
    return count


def done_under_supervision(service: Service) -> bool:
    """Start again what has died, as every supervisor does; return whether nothing is owed.

    Celery's worker may end some time after its broker went away and came back.
    """
    service.revive("worker")
    return work_left() == 0


def wait_for_the_end() -> dict[str, Any]:
    """Wait until nothing is owed any more, and return what is then.

    Stripe may tell us something between two looks, so it is one look that must show the end.
    """

    def ended() -> dict[str, Any] | None:
        if work_left():
            return None
        now = state.state()
        db.session.rollback()
        return now if now["outbox"]["due"] == 0 else None

    return wait_until(ended, "all work to be done", PATIENCE)


def assert_kept(
    stripe: StripeAccount,
    visits: Sequence[SimpleNamespace],
    letters: Callable[[], list[dict[str, Any]]],
    *,
    copies: Sequence[int] = (1,),
) -> dict[str, Any]:
    """Wait for the end, and look: each visit's money is back once, and its member charged once.

    Args:
        stripe: what happened there.
        visits: those that were converted.
        letters: what reached the mail server.
        copies: how often a mail may have been sent.
    """
    now = wait_for_the_end()
    made = stripe.refunds()
    assert Counter((r["payment_intent"], r["status"]) for r in made) == {
        (visit.payment.stripe_payment_intent_id, "succeeded"): 1 for visit in visits
    }
    assert {(r["stripe_refund_id"], r["status"]) for r in now["refunds"]} == {
        (r["id"], "succeeded") for r in made
    }
    started = stripe.subscriptions()
    assert [s["status"] for s in started] == ["active"] * len(visits)
    assert {(m["stripe_subscription_id"], m["status"]) for m in now["memberships"]} == {
        (s["id"], "active") for s in started
    }
    assert [b["promise_status"] for b in now["bookings"]] == ["settled"] * len(visits)
    assert now["ledger"] == books_of(len(visits))
    assert now["outbox"] == {"due": 0, "oldest_due_seconds": 0, "needs_review": 0}
    assert now["audit"]["verified"]
    told = [n["id"] for n in now["notifications"] if n["topic"] == Topic.REFUND_SENT]
    sent = Counter(letter["headers"]["Message-ID"].partition("@")[0] for letter in letters())
    assert len(told) == len(visits)
    assert {sent[f"<{notification_id}"] for notification_id in told} <= set(copies)
    assert stripe.violations() == []
    return now


def books_of(kept: int) -> dict[str, Any]:
    """Return the ledger after so many promises were kept."""
    accounts = {
        "stripe_balance": kept * (FIRST_MONTH - FEE - MONTHLY_FEE),
        "refund_liability": 0,
        "membership_revenue": -kept * FIRST_MONTH,
        "stripe_fees": kept * (FEE + MONTHLY_FEE),
    }
    return {"balanced": True, "accounts": accounts}


def person(number: int) -> dict[str, str]:
    """Somebody like no other, so that several can have a first visit."""
    return {
        "name": f"Dana Whitfield {'I' * (number + 1)}",
        "email": f"dana{number}@example.com",
        "phone": f"518 555 01{number:02}",
    }
