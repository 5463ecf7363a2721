"""The daily self-audit: that no promise and no payment is in doubt, worked out anew from the rows.

Each rule is a query that finds what breaks it. What somebody already looks at, or what a worker
has had for less than a day, is not in doubt.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.models import Case, CaseStatus, CaseType, Promise
from booking_service.services import cases

_UNDER_WAY: Final = timedelta(days=1)

# Every payment that was taken, with its visit, its promise, what went back (`returned`), what may
# be on its way (`moving`), and whether a person has it on the desk (`has_case`; our own cases do
# not count, or they would close themselves).
_PAID: Final = """
WITH open_cases AS (
    SELECT coalesce(work.subject_id, c.subject_id) AS subject_id
    FROM cases c LEFT JOIN outbox_messages work ON work.id = c.subject_id
    WHERE c.status = 'open' AND c.type NOT IN ('promise_in_doubt', 'books_differ')
), sums AS (
    SELECT payment_id,
        sum(amount_cents) FILTER (
            WHERE status IN ('succeeded', 'external', 'settled_otherwise')) AS returned,
        sum(amount_cents) FILTER (
            WHERE status IN ('sending', 'pending', 'requires_action')) AS moving,
        sum(amount_cents) FILTER (
            WHERE status NOT IN ('failed', 'canceled', 'blocked')) AS going,
        max(requested_at) AS asked_at
    FROM refunds GROUP BY 1
), paid AS (
    SELECT p.id, p.amount_cents, p.paid_at, b.status AS visit, b.choose_until,
        promise.id AS promise_id, promise.status AS promise, promise.changed_at,
        coalesce(sums.returned, 0) AS returned, coalesce(sums.moving, 0) AS moving,
        coalesce(sums.going, 0) AS going, sums.asked_at,
        EXISTS (SELECT FROM open_cases c WHERE c.subject_id IN (p.id, b.id, promise.id)
            OR c.subject_id IN (SELECT r.id FROM refunds r WHERE r.payment_id = p.id)
            OR c.subject_id IN (SELECT d.id FROM disputes d WHERE d.payment_id = p.id)
        ) AS has_case
    FROM payments p JOIN bookings b ON b.id = p.booking_id
    LEFT JOIN promises promise ON promise.payment_id = p.id
    LEFT JOIN sums ON sums.payment_id = p.id
    WHERE p.status = 'paid'
)
"""

# An earned promise ends in exactly one return of the whole amount, or in a case.
_EARNED_NOT_SETTLED: Final = """
SELECT promise_id FROM paid WHERE NOT has_case AND (
    promise = 'earned' AND greatest(changed_at, asked_at) < :day_ago
    OR promise IN ('blocked', 'broken') AND changed_at < :day_ago
    OR promise = 'settled' AND returned <> amount_cents
    OR promise = 'earned' AND NOT EXISTS (
        SELECT FROM refunds r WHERE r.payment_id = paid.id
        AND r.reason IN ('membership', 'external'))
)
"""

# A refund goes back for what its reason says, of a payment that was taken.
_REFUND_WITHOUT_REASON: Final = """
SELECT r.payment_id FROM refunds r
JOIN payments p ON p.id = r.payment_id JOIN bookings b ON b.id = p.booking_id
LEFT JOIN promises promise ON promise.payment_id = p.id
WHERE p.status <> 'paid'
    OR r.reason = 'membership' AND promise.member_at IS NULL
    OR r.reason IN ('cancellation', 'duplicate_payment', 'slot_lost')
        AND b.status IN ('confirmed', 'arrived', 'in_treatment', 'completed')
    OR r.reason = 'external' AND r.stripe_refund_id IS NULL
    OR r.reason = 'goodwill' AND (r.asked_by_id IS NULL OR r.note IS NULL)
"""

# Money that was taken is for a visit, or back, or on its way, or the patient is choosing.
_PAID_WITHOUT_A_PLACE: Final = """
SELECT id FROM paid WHERE NOT has_case
    AND NOT (promise IS NOT NULL
        AND visit IN ('confirmed', 'arrived', 'in_treatment', 'completed', 'no_show'))
    AND NOT (visit = 'cancelled' AND promise IN ('lapsed', 'waived'))
    AND going < amount_cents
    AND coalesce(choose_until, '-infinity') < :now
"""

_MORE_BACK_THAN_TAKEN: Final = "SELECT id FROM paid WHERE going > amount_cents"

# What the ledger says may still go back is what the promises say, to the cent.
_LIABILITY_DIFFERS: Final = """
SELECT paid.id FROM paid LEFT JOIN (
    SELECT e.payment_id, -sum(l.amount_cents) AS cents
    FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
    WHERE l.account = 'refund_liability' GROUP BY 1
) owed ON owed.payment_id = paid.id
WHERE CASE
    WHEN promise IS NULL OR promise IN ('open', 'earned', 'blocked', 'broken')
    THEN coalesce(owed.cents, 0)
        NOT BETWEEN amount_cents - returned - moving AND amount_cents - returned
    ELSE coalesce(owed.cents, 0) <> 0 END
"""

_MEMBER_WITHOUT_PAYMENT: Final = """
SELECT m.id FROM memberships m
WHERE m.status = 'active' AND NOT EXISTS (
    SELECT FROM journal_entries e WHERE e.subject_id = m.id AND e.kind = 'membership_payment')
"""

# A follow-up is part of a plan: nobody pays for it by itself. (A promise is of a payment.)
_FOLLOW_UP_WITH_MONEY: Final = """
SELECT p.id FROM payments p JOIN bookings b ON b.id = p.booking_id WHERE b.kind = 'follow_up'
"""

RULES: Final[Mapping[str, str]] = {
    "earned_not_settled": _EARNED_NOT_SETTLED,
    "refund_without_reason": _REFUND_WITHOUT_REASON,
    "paid_without_a_place": _PAID_WITHOUT_A_PLACE,
    "more_back_than_taken": _MORE_BACK_THAN_TAKEN,
    "liability_differs": _LIABILITY_DIFFERS,
    "member_without_payment": _MEMBER_WITHOUT_PAYMENT,
    "follow_up_with_money": _FOLLOW_UP_WITH_MONEY,
}


def doubts(session: Session) -> dict[UUID, str]:
    """Return what breaks a rule, promise or payment or membership, with the first rule's name."""
    now = utc_now()
    session.execute(text("SET LOCAL statement_timeout = '10min'"))
    found: dict[UUID, str] = {}
    for name, rule in RULES.items():
        rows = session.scalars(text(_PAID + rule), {"now": now, "day_ago": now - _UNDER_WAY})
        found = dict.fromkeys(rows, name) | found
    return found


def check(session: Session) -> tuple[int, int]:
    """Apply every rule, keep a case open for each doubt and none for doubts that are gone.

    Returns:
        How many promises there are, and how many things are in doubt.
    """
    found = doubts(session)
    open_ = session.scalars(
        select(Case.subject_id).where(
            Case.type == CaseType.PROMISE_IN_DOUBT, Case.status == CaseStatus.OPEN
        )
    ).all()
    for subject_id in set(open_) - found.keys():
        cases.resolve(session, CaseType.PROMISE_IN_DOUBT, subject_id)
    for subject_id, rule in found.items():
        cases.open_(session, CaseType.PROMISE_IN_DOUBT, subject_id, rule)
    return session.scalar(select(func.count(Promise.id))) or 0, len(found)
