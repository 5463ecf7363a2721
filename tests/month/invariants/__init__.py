"""What must hold when a month is over (RELIABILITY.md section 3): pure functions over its facts.

Each returns its violations, with ids; none means that it holds.
"""

from collections.abc import Callable
from typing import Any, Final

from tests.month.invariants import money, service, visits

Invariant = Callable[[dict[str, Any]], list[str]]


def no_double_booking(facts: dict[str, Any]) -> list[str]:
    """I3, at the end; `watching` asks the same all through the month."""
    live = ("held", "confirmed", "arrived", "in_treatment", "completed")
    return visits.no_double_booking(b for b in facts["ours"]["bookings"] if b["status"] in live)


ALL: Final[dict[str, Invariant]] = {
    "refund_once": money.refund_once,
    "one_subscription": money.one_subscription,
    "books_agree": money.books_agree,
    "no_double_booking": no_double_booking,
    "one_first_visit": visits.one_first_visit,
    "paid_ends_in_one_place": money.paid_ends_in_one_place,
    "unpaid_never_confirmed": visits.unpaid_never_confirmed,
    "follow_ups_are_included": visits.follow_ups_are_included,
    "mail_once": service.mail_once,
    "ledger_equals_stripe": money.ledger_equals_stripe,
    "audit_complete": visits.audit_complete,
    "monotone": visits.monotone,
    "converged": service.converged,
    "acknowledged_is_durable": service.acknowledged_is_durable,
    "forgeries_refused": service.forgeries_refused,
    "confidential": service.confidential,
    "answers_in_time": service.answers_in_time,
    "contract_kept": service.contract_kept,
}


def violations(facts: dict[str, Any]) -> list[str]:
    """Return everything that does not hold."""
    return [text for invariant in ALL.values() for text in invariant(facts)]
