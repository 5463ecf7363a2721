"""Finance: refunds with their proofs, and the journal."""

import csv
import io
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, request
from spectree import Response as Answers

from booking_service.api import answers
from booking_service.api.access import acting, scope
from booking_service.api.contract import reply, spec
from booking_service.api.requests import MonthQuery, RefundsQuery
from booking_service.models import Role
from booking_service.queries import finance
from booking_service.services import exports

bp = Blueprint("api_finance", __name__, url_prefix="/api/v1")
bp.before_request(scope(Role.FINANCE))

_TAGS: Final = ("Finance",)
_SECURITY: Final = {"token": ["finance"]}
_REFUSED: Final = {
    "HTTP_401": answers.Problem,
    "HTTP_403": answers.Problem,
    "HTTP_422": answers.Problem,
}


@bp.get("/refunds")
@spec.validate(
    resp=Answers(HTTP_200=answers.RefundsAnswer, **_REFUSED), tags=_TAGS, security=_SECURITY
)
def get_refunds(query: RefundsQuery) -> Response:
    """Refunds, newest first, with the count and the sum of the whole filter."""
    chosen = finance.RefundFilter(
        status=query.status, from_=query.from_, to=query.to, q=query.q, reason=query.reason
    )
    page = finance.refunds(chosen, query.cursor, query.limit)
    return reply(
        answers.RefundsAnswer(
            items=[answers.RefundItem.model_validate(row) for row in page.items],
            count=page.count,
            total_cents=page.total_cents,
            next_cursor=page.next_cursor,
        )
    )


@bp.get("/refunds/<uuid:refund_id>")
@spec.validate(
    resp=Answers(HTTP_200=answers.RefundAnswer, HTTP_404=answers.Problem, **_REFUSED),
    tags=_TAGS,
    security=_SECURITY,
)
def get_refund(refund_id: UUID) -> Response:
    """One refund with its timeline, newest first, and its proofs."""
    return reply(told(refund_id))


@bp.get("/ledger")
@spec.validate(
    resp=Answers(HTTP_200=answers.LedgerAnswer, **_REFUSED), tags=_TAGS, security=_SECURITY
)
def get_ledger(query: MonthQuery) -> Response:
    """A month's journal, as JSON or, with `Accept: text/csv`, as a file. Entries balance."""
    lines = [answers.LineAnswer.model_validate(row) for row in finance.ledger(query.month)]
    kinds = request.accept_mimetypes
    if kinds.best_match(["application/json", "text/csv"], "application/json") == "text/csv":
        exports.note_export(acting(), "ledger", len(lines))
        return _file(lines, f"ledger-{query.month:%Y-%m}.csv")
    return reply(answers.LedgerAnswer(items=lines, count=len(lines)))


def told(refund_id: UUID) -> answers.RefundAnswer:
    """Return one refund as it is told to programs."""
    view = finance.refund(refund_id)
    return answers.RefundAnswer(
        **answers.RefundItem.model_validate(view).__dict__,
        trace_number=view.trace_number,
        note=view.note,
        approved_by=view.approved_by,
        approved_at=view.approved_at,
        paid_cents=view.paid_cents,
        fee_cents=view.fee_cents,
        promise=answers.PromiseAnswer(status=view.promise_status) if view.promise_status else None,
        proofs=answers.ProofsAnswer.model_validate(view),
        timeline=[
            answers.MomentAnswer(
                at=moment.at,
                what=moment.what,
                actor=moment.actor,
                evidence=list(moment.evidence),
            )
            for moment in view.timeline
        ],
    )


def _file(lines: Iterable[answers.LineAnswer], name: str) -> Response:
    """Return journal lines as CSV: ids, codes and numbers only, so nothing a sheet would run."""
    text = io.StringIO()
    rows = csv.DictWriter(text, list(answers.LineAnswer.model_fields), lineterminator="\r\n")
    rows.writeheader()
    rows.writerows(line.model_dump(mode="json") for line in lines)
    response = Response(text.getvalue(), HTTPStatus.OK, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
