"""The three-way match: our ledger, Stripe's balance and its payouts, to the cent, id by id.

Stripe's movements are kept in a table, a page at a time, and compared there: neither side is ever
held in memory, and a night reads only what is new.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy import func, select, text, update

from booking_service.db import transaction
from booking_service.gateways.books import BookedMovement, BooksGateway
from booking_service.models import DiscrepancyKind, ReconciliationRun, StripeMovement
from booking_service.services import payouts

_BATCH: Final = 500
# Stripe may list a movement a little after the second it is dated in.
_AGAIN: Final = timedelta(hours=1)
# Adding up a million movements takes longer than a page may.
_PATIENT: Final = text("SET LOCAL statement_timeout = '10min'")

# What one id moved: Stripe's balance by all its movements, ours by all its entries. A payment is
# ours when its movement names a record of ours, or when we have it.
_BOTH: Final = """
WITH theirs AS (
    SELECT moved_under AS id, sum(net_cents) AS cents, min(payment_at_stripe) AS payment,
           bool_or(our_id IS NOT NULL OR membership_id IS NOT NULL) AS is_ours
    FROM stripe_movements GROUP BY 1
), ours AS (
    SELECT coalesce(e.stripe_id, e.reference) AS id, sum(l.amount_cents) AS cents,
           (array_agg(e.subject_id))[1] AS subject
    FROM journal_lines l JOIN journal_entries e ON e.id = l.entry_id
    WHERE l.account = 'stripe_balance' GROUP BY 1
), both_sides AS (
    SELECT id, ours.subject, ours.cents AS our_cents, theirs.cents AS stripe_cents,
           coalesce(ours.cents, 0) = coalesce(theirs.cents, 0) AS agrees,
           ours.id IS NULL AND NOT theirs.is_ours AND theirs.payment IS NOT NULL
           AND NOT EXISTS (
               SELECT FROM stripe_movements m WHERE m.payment_at_stripe = theirs.payment
               AND (m.our_id IS NOT NULL OR m.membership_id IS NOT NULL))
           AND NOT EXISTS (
               SELECT FROM payments p WHERE p.stripe_payment_intent_id = theirs.payment)
           AS of_another
    FROM ours FULL JOIN theirs USING (id)
)
"""
_SUMS: Final = text(
    _BOTH + "SELECT count(*) FILTER (WHERE agrees AND NOT of_another),"  # noqa: S608  # constants only
    " coalesce(sum(stripe_cents) FILTER (WHERE of_another), 0) FROM both_sides"
)
_LINES: Final = text(
    _BOTH + "SELECT subject, id, our_cents, stripe_cents FROM both_sides"  # noqa: S608  # constants only
    " WHERE NOT agrees AND NOT of_another ORDER BY id"
)

# A batch as one parameter: a statement of thousands takes longer to put together than to run.
_KEEP: Final = text("""
INSERT INTO stripe_movements (id, stripe_transaction_id, type, moved_under, payment_at_stripe,
    our_id, amount_cents, net_cents, moved_at)
SELECT gen_random_uuid(), movement.*
FROM json_to_recordset(CAST(:rows AS json)) AS movement(id text, type text, moved_under text,
    payment_at_stripe text, our_id uuid, amount_cents int, net_cents int, moved_at timestamptz)
ON CONFLICT (stripe_transaction_id) DO NOTHING
""")

ThingT = TypeVar("ThingT")


@dataclass(frozen=True, slots=True)
class Difference:
    """One line the books do not agree on. Amounts in cents; None where one side has nothing."""

    kind: DiscrepancyKind
    our_id: UUID | None
    stripe_id: str | None
    our_cents: int | None = None
    stripe_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """How far ledger and balance agree: ids that do, cents of other applications, the rest."""

    matched: int
    other_cents: int
    lines: list[Difference]


def read_news(gateway: BooksGateway) -> datetime | None:
    """Keep the movements we do not have yet, and return until when all are there.

    A reading that dies half way leaves rows that are right, and the next one starts where the
    last whole one ended.

    Raises:
        GatewayUnavailable: Stripe did not answer; nothing can be said.
    """
    with transaction() as session:
        until = session.scalar(select(func.max(ReconciliationRun.read_until)))
    since = until - _AGAIN if until else None
    for some in _in_batches(gateway.movements(since)):
        until = max(until or some[0].moved_at, some[0].moved_at)  # the newest comes first
        _keep(some)
    for paid in _in_batches(gateway.membership_payments(since)):
        with transaction() as session:
            for receipt in paid:
                session.execute(
                    update(StripeMovement)
                    .where(StripeMovement.payment_at_stripe == receipt.stripe_id)
                    .values(membership_id=receipt.our_id)
                )
    payouts.link_movements(gateway)
    return until


def match() -> Match:
    """Compare, id by id, what Stripe's balance moved by with what our ledger says."""
    with transaction() as session:
        session.execute(_PATIENT)
        matched, other_cents = session.execute(_SUMS).one()
        lines = [
            Difference(DiscrepancyKind.LEDGER_DIFFERS, *row) for row in session.execute(_LINES)
        ]
    return Match(matched, int(other_cents), lines)


def _keep(some: Iterable[BookedMovement]) -> None:
    rows = json.dumps([asdict(movement) for movement in some], default=str)
    with transaction() as session:
        session.execute(_KEEP, {"rows": rows})


def _in_batches(things: Iterator[ThingT]) -> Iterator[list[ThingT]]:
    while batch := list(islice(things, _BATCH)):
        yield batch
