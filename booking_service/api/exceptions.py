"""Exceptions: what only a person can put right, and putting it right."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response
from spectree import Response as Answers

from booking_service.api import answers
from booking_service.api.access import acting, scope
from booking_service.api.contract import reply, spec
from booking_service.api.finance import told
from booking_service.api.idempotent import idempotent
from booking_service.api.requests import ExceptionsQuery, GoodwillSent, Key, ResolveSent
from booking_service.clock import utc_now
from booking_service.models import Role
from booking_service.queries import finance
from booking_service.queries.finance import CaseFilter, CaseView
from booking_service.services import goodwill, resolutions
from booking_service.services.resolutions import Facts

bp = Blueprint("api_exceptions", __name__, url_prefix="/api/v1")
bp.before_request(scope(Role.FINANCE))

_TAGS: Final = ("Finance",)
_SECURITY: Final = {"token": ["finance"]}
_READ: Final = {
    "HTTP_401": answers.Problem,
    "HTTP_403": answers.Problem,
    "HTTP_422": answers.Problem,
}
_CHANGED: Final = {"HTTP_404": answers.Problem, "HTTP_409": answers.Problem, **_READ}


@bp.get("/exceptions")
@spec.validate(
    resp=Answers(HTTP_200=answers.ExceptionsAnswer, **_READ), tags=_TAGS, security=_SECURITY
)
def get_exceptions(query: ExceptionsQuery) -> Response:
    """What only a person can put right, the most urgent first, and what the caller may do."""
    chosen = CaseFilter(
        type=query.type, owner_id=query.owner_id, is_overdue=query.overdue, q=query.q
    )
    page = finance.cases(chosen, acting().id, query.cursor, query.limit)
    return reply(
        answers.ExceptionsAnswer(
            items=[_item(case) for case in page.items],
            count=page.count,
            total_cents=page.total_cents,
            next_cursor=page.next_cursor,
        )
    )


@bp.post("/exceptions/<uuid:case_id>/resolve")
@spec.validate(
    headers=Key,
    resp=Answers(HTTP_200=answers.ExceptionItem, **_CHANGED),
    tags=_TAGS,
    security=_SECURITY,
)
@idempotent
def post_resolve(case_id: UUID, json: ResolveSent) -> Response:
    """Do one of an exception's `allowed_actions`; not every one closes it."""
    facts = Facts(json.note, json.method, json.reference, json.owner_id)
    resolutions.resolve_by(case_id, json.action, acting(), facts)
    return reply(_item(finance.case(case_id, acting().id)))


@bp.post("/refunds")
@spec.validate(
    headers=Key,
    resp=Answers(HTTP_201=answers.RefundAnswer, **_CHANGED),
    tags=_TAGS,
    security=_SECURITY,
)
@idempotent
def post_refund(json: GoodwillSent) -> Response:
    """Ask for goodwill: nothing is sent before somebody else has approved it."""
    refund_id = goodwill.ask(json.payment_id, json.amount_cents, json.note, acting())
    return reply(told(refund_id), HTTPStatus.CREATED)


@bp.post("/refunds/<uuid:refund_id>/approve")
@spec.validate(
    headers=Key,
    resp=Answers(HTTP_200=answers.RefundAnswer, **_CHANGED),
    tags=_TAGS,
    security=_SECURITY,
)
@idempotent
def post_approve(refund_id: UUID) -> Response:
    """Approve the goodwill somebody else asked for; it is then sent to Stripe."""
    resolutions.approve_goodwill(refund_id, acting())
    return reply(told(refund_id))


def _item(case: CaseView) -> answers.ExceptionItem:
    return answers.ExceptionItem(
        id=case.id,
        type=case.type,
        status=case.status,
        subject_id=case.subject_id,
        refund_id=case.refund_id,
        detail=case.detail,
        amount_cents=case.amount_cents,
        owner=case.owner,
        owner_id=case.owner_id,
        opened_at=case.opened_at,
        due_at=case.due_at,
        age_seconds=int((utc_now() - case.opened_at).total_seconds()),
        allowed_actions=list(case.actions),
        resolution=case.resolution,
        resolved_by=case.resolved_by,
        resolved_at=case.resolved_at,
        note=case.note,
    )
