"""Payouts and comparisons of the books, as finance reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.models import (
    Case,
    CaseStatus,
    CaseType,
    Discrepancy,
    DiscrepancyKind,
    ReconciliationRun,
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line the books did not agree on. Cents; None where one side has nothing."""

    kind: DiscrepancyKind
    our_id: UUID | None
    stripe_id: str | None
    our_cents: int | None
    stripe_cents: int | None


@dataclass(frozen=True, slots=True)
class Promises:
    """What the self-audit looked at and could not explain."""

    checked: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison that has ended."""

    run_id: UUID
    asked_by: str
    finished_at: datetime
    matched: int
    repaired: int
    residue_cents: int
    other_cents: int
    discrepancies: list[Line]
    promises: Promises

    @property
    def is_explained(self) -> bool:
        """Whether nothing is left that a person must look at."""
        return not self.discrepancies and not self.promises.in_doubt


@dataclass(frozen=True, slots=True)
class PayoutRow:
    """A payout with what it is made of, in US cents, and what of that our ledger has otherwise."""

    id: UUID
    stripe_id: str
    arrives_at: datetime
    status: str
    is_automatic: bool
    amount_cents: int
    payments_cents: int
    refunds_cents: int
    fees_cents: int
    other_cents: int
    lines: int
    apart: int  # lines whose id moved another amount in our ledger

    @property
    def lines_cents(self) -> int:
        """What the lines add up to."""
        return self.payments_cents + self.refunds_cents + self.fees_cents + self.other_cents


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """One movement in a payout, beside what our ledger has under the same id."""

    moved_at: datetime
    type: str
    stripe_id: str
    amount_cents: int
    fee_cents: int
    net_cents: int
    entry_id: UUID | None
    is_matched: bool


# What each id moved, on both sides; a line is matched when the two sums of its id are the same.
_LINES = """
SELECT m.stripe_payout_id, m.moved_at, m.type, m.moved_under AS stripe_id, m.amount_cents,
    m.amount_cents - m.net_cents AS fee_cents, m.net_cents, ours.entry_id,
    coalesce(ours.cents, 0) = theirs.cents AS is_matched
FROM stripe_movements m
CROSS JOIN LATERAL (
    SELECT sum(net_cents) AS cents FROM stripe_movements t WHERE t.moved_under = m.moved_under
) theirs
LEFT JOIN LATERAL (
    SELECT sum(l.amount_cents) AS cents, (array_agg(e.id ORDER BY e.at))[1] AS entry_id
    FROM journal_entries e JOIN journal_lines l ON l.entry_id = e.id
    WHERE e.stripe_id = m.moved_under AND l.account = 'stripe_balance'
) ours ON true
WHERE m.type NOT LIKE 'payout%'
"""


# The sum of each sort of line beside each payout.
_PAYOUTS = f"""
SELECT p.id, p.stripe_payout_id, p.arrives_at, p.status, p.is_automatic, p.amount_cents,
    made_of.payments, made_of.refunds, made_of.fees, made_of.other, made_of.lines, made_of.apart
FROM payouts p CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_cents) FILTER (WHERE type IN ('charge', 'payment')), 0) AS payments,
        coalesce(sum(amount_cents) FILTER (WHERE type LIKE '%refund%'), 0) AS refunds,
        coalesce(-sum(fee_cents), 0) AS fees,
        coalesce(sum(amount_cents) FILTER (
            WHERE type NOT IN ('charge', 'payment') AND type NOT LIKE '%refund%'), 0) AS other,
        count(*) AS lines, count(*) FILTER (WHERE NOT is_matched) AS apart
    FROM ({_LINES}) line WHERE line.stripe_payout_id = p.stripe_payout_id
) made_of
ORDER BY p.created_at DESC, p.id
"""  # noqa: S608  # constants only
_PARTS = text(
    f"""
SELECT moved_at, type, stripe_id, amount_cents, fee_cents, net_cents, entry_id, is_matched
FROM ({_LINES}) line WHERE stripe_payout_id = :payout ORDER BY is_matched, moved_at, stripe_id
"""  # noqa: S608  # constants only
)


def comparison(run_id: UUID) -> Comparison:
    """Return a comparison with the lines that were left."""
    run = db.session.get_one(ReconciliationRun, run_id, populate_existing=True)
    lines = db.session.scalars(
        select(Discrepancy)
        .where(Discrepancy.run_id == run.id, Discrepancy.repaired.is_(False))
        .order_by(Discrepancy.kind, Discrepancy.stripe_id)
    )
    return Comparison(
        run_id=run.id,
        asked_by=run.asked_by,
        finished_at=run.finished_at or run.started_at,
        matched=run.matched,
        repaired=run.repaired,
        residue_cents=run.residue_cents,
        other_cents=run.other_cents,
        discrepancies=[
            Line(line.kind, line.our_id, line.stripe_id, line.our_cents, line.stripe_cents)
            for line in lines
        ],
        promises=Promises(run.promises_checked, run.promises_in_doubt),
    )


def latest() -> Comparison | None:
    """Return the last comparison that ended."""
    run_id = db.session.scalar(
        select(ReconciliationRun.id)
        .where(ReconciliationRun.finished_at.is_not(None))
        .order_by(ReconciliationRun.finished_at.desc())
        .limit(1)
    )
    return comparison(run_id) if run_id else None


def under_way_since() -> datetime | None:
    """Return when the newest comparison was asked for, while it has not ended."""
    newest = db.session.scalar(
        select(ReconciliationRun).order_by(ReconciliationRun.started_at.desc()).limit(1)
    )
    return newest.started_at if newest and newest.finished_at is None else None


def doubts() -> list[tuple[UUID, str]]:
    """Return what the self-audit could not explain, with the rule it breaks."""
    rows = db.session.execute(
        select(Case.subject_id, Case.detail)
        .where(Case.type == CaseType.PROMISE_IN_DOUBT, Case.status == CaseStatus.OPEN)
        .order_by(Case.opened_at)
    )
    return [(row.subject_id, row.detail) for row in rows]


def payouts(limit: int) -> list[PayoutRow]:
    """Return the newest payouts, the newest first."""
    rows = db.session.execute(text(f"{_PAYOUTS} LIMIT :limit"), {"limit": limit})
    return [PayoutRow(*row) for row in rows]


def payout(payout_id: UUID) -> PayoutRow:
    """Return one payout.

    Raises:
        NotFound: there is no such payout.
    """
    one = text(f"SELECT * FROM ({_PAYOUTS}) page WHERE id = :id")  # noqa: S608  # constants only
    row = db.session.execute(one, {"id": payout_id}).one_or_none()
    if row is None:
        raise NotFound("There is no such payout.")
    return PayoutRow(*row)


def payout_lines(payout_id: UUID) -> Iterator[PayoutLine]:
    """Return what an automatic payout is made of, what does not match first."""
    for row in db.session.execute(_PARTS, {"payout": payout(payout_id).stripe_id}):
        yield PayoutLine(*row)


def gauges() -> dict[str, tuple[str, float]]:
    """Return what monitoring watches, by name: its meaning and its value."""
    run = latest()
    age = (utc_now() - run.finished_at).total_seconds() if run else -1.0
    return {
        "reconciliation_age_seconds": ("Since the last comparison ended; -1 before the first", age),
        "reconciliation_residue_cents": (
            "What our ledger and Stripe's balance do not agree on",
            run.residue_cents if run else 0,
        ),
        "promises_in_doubt": (
            "What the self-audit could not explain",
            run.promises.in_doubt if run else 0,
        ),
    }
