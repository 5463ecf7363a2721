"""What the audit log alone tells: the way of each refund and each promise, step by step."""

from collections import defaultdict
from uuid import UUID

from sqlalchemy import select

from booking_service.models import AuditLink, AuditRow, Promise, PromiseStatus, Refund
from tests.factories import afresh, all_of


def trail(subject_id: UUID) -> list[str]:
    """Return the statuses a thing went through, in the order of the chain."""
    return [row.after["status"] for row in _moves()[subject_id]]


def untold() -> list[str]:
    """Return what of today's refunds and promises the log does not explain."""
    found, moves = [], _moves()
    for refund in all_of(Refund):
        found += _gaps("refund", refund, moves[refund.id], begins=None)
    for promise in all_of(Promise):
        found += _gaps("promise", promise, moves[promise.id], begins=PromiseStatus.OPEN)
    return found


def _gaps(kind: str, thing, rows: list[AuditRow], begins: str | None) -> list[str]:
    told = [begins, *(row.after["status"] for row in rows)]
    steps = [(row.before.get("status"), row.after["status"]) for row in rows]
    gaps = [
        f"{kind}: {step} follows {was}"
        for was, step in zip(told, steps, strict=False)
        if step[0] != was
    ]
    if told[-1] != thing.status:
        gaps.append(f"{kind}: is {thing.status}, told of until {told[-1]}")
    return gaps


def _moves() -> dict[UUID, list[AuditRow]]:
    in_order = select(AuditRow).join(AuditLink, AuditLink.row_id == AuditRow.id)
    moves = defaultdict(list)
    for row in afresh(in_order.order_by(AuditLink.number)):
        if "status" in row.after:
            moves[row.subject_id].append(row)
    return moves
