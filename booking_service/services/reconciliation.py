"""Comparing our books with Stripe's: what is safe is put right, the rest gets a case each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import db, locked, transaction
from booking_service.errors import ComparisonUnderWay
from booking_service.gateways.books import BooksGateway
from booking_service.models import (
    Actor,
    Case,
    CaseStatus,
    CaseType,
    Discrepancy,
    DiscrepancyKind,
    ReconciliationRun,
    Topic,
)
from booking_service.services import audit, cases, comparison, matching, outbox, repairs, self_audit
from booking_service.services.matching import Difference, Match

_LOCK: Final = 7_214_003  # the advisory lock of comparing; any number nobody else uses


@dataclass(frozen=True, slots=True)
class _Look:
    """What one comparison saw."""

    until: datetime | None
    match: Match
    lines: list[Difference]


def ask(actor: Actor) -> UUID:
    """Owe a comparison that a person asked for, and return it."""
    with transaction() as session:
        run_ = ReconciliationRun(started_at=utc_now(), asked_by=actor.name)
        session.add(run_)
        session.flush()
        outbox.post(session, Topic.RECONCILIATION_ASKED, run_.id)
        audit.record(session, actor, "reconciliation.ask", run_.id)
        return run_.id


def run(gateway: BooksGateway, asked_by: str) -> UUID:
    """Compare now, and return the comparison.

    Raises:
        ComparisonUnderWay: another one runs; its result will do.
        GatewayUnavailable: Stripe did not answer; nothing can be said.
    """
    with _alone():
        with transaction() as session:
            begun = ReconciliationRun(started_at=utc_now(), asked_by=asked_by)
            session.add(begun)
        _do(begun.id, gateway)
        return begun.id


def run_asked(run_id: UUID, gateway: BooksGateway) -> None:
    """Make the comparison that was asked for, unless it was made. See `run` for what it raises."""
    with _alone():
        with transaction() as session:
            is_done = session.get_one(ReconciliationRun, run_id).finished_at is not None
        if not is_done:
            _do(run_id, gateway)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep others out until we are through, or our process is gone.

    The lock sits on a connection of its own with no transaction open, because Stripe is asked
    meanwhile; PostgreSQL lets go of it when the connection ends, however that happens.
    """
    db.session.rollback()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
            raise ComparisonUnderWay("The books are being compared already.")
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": _LOCK})


def _do(run_id: UUID, gateway: BooksGateway) -> None:
    """Compare, repair, compare again, and write down what is left."""
    first = second = _look(gateway)
    if first.lines:
        repairs.repair(first.lines, gateway)
        second = _look(gateway)
    left = _differed_twice(first, second)
    unrepaired = {line.stripe_id for line in left}
    repaired = [line for line in first.lines if line.stripe_id not in unrepaired]
    with transaction() as session:
        run_ = locked(session, ReconciliationRun, run_id)
        for lines, is_repaired in ((left, False), (repaired, True)):
            for line in lines:
                session.add(Discrepancy(run_id=run_id, repaired=is_repaired, **asdict(line)))
        _open_and_close_cases(session, left)
        checked, in_doubt = self_audit.check(session)
        run_.matched = second.match.matched
        run_.other_cents = second.match.other_cents
        run_.repaired = len(repaired)
        run_.residue_cents = sum(_cents(line) for line in left if _moves_money(line))
        run_.promises_checked, run_.promises_in_doubt = checked, in_doubt
        run_.read_until = second.until
        run_.finished_at = utc_now()


def _differed_twice(first: _Look, second: _Look) -> list[Difference]:
    """Return what is a difference: work goes on while we look.

    What was under way the first time is done by the second, and what began since is for the next
    comparison.
    """
    seen = {line.stripe_id for line in first.lines}
    return [line for line in second.lines if line.stripe_id in seen]


def _look(gateway: BooksGateway) -> _Look:
    until = matching.read_news(gateway)
    lines = comparison.compare(gateway)
    match = matching.match()
    return _Look(until, match, [*match.lines, *lines])


def _open_and_close_cases(session: Session, left: list[Difference]) -> None:
    """Keep one case open for each id that differs, and none for those that do not any more."""
    differing = {repairs.subject_of(line.stripe_id) for line in left}
    open_ = session.scalars(
        select(Case.subject_id).where(
            Case.type == CaseType.BOOKS_DIFFER, Case.status == CaseStatus.OPEN
        )
    ).all()
    for subject_id in set(open_) - differing:
        cases.resolve(session, CaseType.BOOKS_DIFFER, subject_id)
    for line in left:
        id_ = line.stripe_id or line.kind
        subject_id = repairs.subject_of(line.stripe_id)
        cases.open_(session, CaseType.BOOKS_DIFFER, subject_id, id_, _cents(line))


def _moves_money(line: Difference) -> bool:
    return line.kind is DiscrepancyKind.LEDGER_DIFFERS


def _cents(line: Difference) -> int:
    return abs((line.stripe_cents or 0) - (line.our_cents or 0))
