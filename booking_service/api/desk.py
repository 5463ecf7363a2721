"""The front desk: the day, the steps of a visit, and memberships."""

from collections import defaultdict
from collections.abc import Callable
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, current_app
from spectree import Response as Answers

from booking_service.api import answers
from booking_service.api.access import acting, scope
from booking_service.api.bookings import answer as booking_answer
from booking_service.api.contract import reply, spec
from booking_service.api.idempotent import idempotent
from booking_service.api.requests import ConvertSent, DayQuery, Key, StepSent
from booking_service.clock import local_day, utc_now
from booking_service.errors import FieldError, Invalid
from booking_service.models import Actor, Role
from booking_service.queries import availability, front_desk
from booking_service.services import membership_pages, memberships, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered

bp = Blueprint("api_desk", __name__, url_prefix="/api/v1")
bp.before_request(scope(Role.FRONT_DESK))

_TAGS: Final = ("Front desk",)
_SECURITY: Final = {"token": ["front_desk"]}
_REFUSED: Final = {
    "HTTP_401": answers.Problem,
    "HTTP_403": answers.Problem,
    "HTTP_404": answers.Problem,
}
_NOTE: Final = spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_200=answers.BookingAnswer,
        HTTP_400=answers.Problem,
        HTTP_409=answers.Problem,
        HTTP_422=answers.Problem,
        **_REFUSED,
    ),
    tags=_TAGS,
    security=_SECURITY,
)
_STEP: Final = spec.validate(
    headers=Key,
    resp=Answers(HTTP_200=answers.BookingAnswer, HTTP_409=answers.Problem, **_REFUSED),
    tags=_TAGS,
    security=_SECURITY,
)


@bp.get("/desk/day")
@spec.validate(
    resp=Answers(HTTP_200=answers.DeskDayAnswer, HTTP_422=answers.Problem, **_REFUSED),
    tags=_TAGS,
    security=_SECURITY,
)
def get_desk_day(query: DayQuery) -> Response:
    """The day's visits, by practitioner."""
    zone = availability.the_practice().zone
    board = front_desk.day(query.date or local_day(utc_now(), zone))
    visits: dict[UUID, list[answers.VisitAnswer]] = defaultdict(list)
    for visit in board.visits:
        visits[visit.practitioner_id].append(_visit(visit))
    return reply(
        answers.DeskDayAnswer(
            date=board.date,
            timezone=zone.key,
            count=len(board.visits),
            practitioners=[
                answers.PractitionerDay(
                    id=column.practitioner_id,
                    name=column.practitioner,
                    room=column.room,
                    visits=visits[column.practitioner_id],
                )
                for column in board.columns
            ],
        )
    )


@bp.post("/bookings/<uuid:booking_id>/arrive")
@_NOTE
@idempotent
def post_arrive(booking_id: UUID, json: StepSent) -> Response:
    """Note that the patient is here. Possible on the visit's day; pressing twice is one.

    `at` notes an earlier time of that day; then it is kept when it was and when it was noted.
    """
    visit_steps.arrive(booking_id, acting(), json.at)
    return reply(booking_answer(booking_id))


@bp.post("/bookings/<uuid:booking_id>/begin-treatment")
@_NOTE
@idempotent
def post_begin_treatment(booking_id: UUID, json: StepSent) -> Response:
    """Note that care under the plan began: the second proof of the promise.

    `at` notes an earlier time of that day, not before the arrival.
    """
    visit_steps.begin_treatment(booking_id, acting(), json.at)
    return reply(booking_answer(booking_id))


@bp.post("/bookings/<uuid:booking_id>/complete")
@_STEP
@idempotent
def post_complete(booking_id: UUID) -> Response:
    """Close the visit. Without a membership under way the promise lapses with it."""
    return _step(visit_steps.complete, booking_id)


@bp.post("/bookings/<uuid:booking_id>/no-show")
@_STEP
@idempotent
def post_no_show(booking_id: UUID) -> Response:
    """Note that the patient did not come. The money is kept, as the terms say.

    A member's follow-up stays one of the visits of its plan.
    """
    return _step(visit_steps.mark_no_show, booking_id)


@bp.post("/bookings/<uuid:booking_id>/convert")
@spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_200=answers.MembershipAnswer,
        HTTP_201=answers.MembershipAnswer,
        HTTP_400=answers.Problem,
        HTTP_409=answers.Problem,
        HTTP_422=answers.Problem,
        HTTP_503=answers.Problem,
        **_REFUSED,
    ),
    tags=_TAGS,
    security=_SECURITY,
)
@idempotent
def post_convert(booking_id: UUID, json: ConvertSent) -> Response:
    """Make the patient a member. The second call answers 200 and the same membership.

    Nothing is sent to Stripe before `undo_until`; then the first payment is taken, the membership
    becomes active, and the first visit's refund is sent. With `checkout_link` a payment page is
    made at once, and `checkout_url` is its address: give it to the patient. When Stripe does not
    answer (503), send the same again: it is the same membership, and its page.
    """
    tendered = Tendered(json.payment.method, json.payment.reference)
    undo = current_app.extensions["settings"].undo
    try:
        membership_id, is_new = memberships.convert(
            booking_id, json.plan_id, tendered, acting(), undo, agreement=Ground.PROGRAM
        )
    except Invalid as invalid:
        raise Invalid(*map(_in_payment, invalid.errors)) from invalid
    known = current_app.extensions
    membership_pages.open_(membership_id, known["gateway"], known["links"])
    return reply(_membership(membership_id), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@bp.get("/memberships/<uuid:membership_id>")
@spec.validate(
    resp=Answers(HTTP_200=answers.MembershipAnswer, **_REFUSED), tags=_TAGS, security=_SECURITY
)
def get_membership(membership_id: UUID) -> Response:
    """One membership, its first payment, and the refund that follows from it."""
    return reply(_membership(membership_id))


@bp.post("/memberships/<uuid:membership_id>/undo")
@spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_200=answers.MembershipAnswer,
        HTTP_409=answers.Problem,
        HTTP_503=answers.Problem,
        **_REFUSED,
    ),
    tags=_TAGS,
    security=_SECURITY,
)
@idempotent
def post_undo(membership_id: UUID) -> Response:
    """Take a membership back before anything was sent to Stripe; afterwards `too_late`."""
    membership_pages.undo(membership_id, acting(), current_app.extensions["gateway"])
    return reply(_membership(membership_id))


def _step(step: Callable[[UUID, Actor], None], booking_id: UUID) -> Response:
    step(booking_id, acting())
    return reply(booking_answer(booking_id))


def _in_payment(error: FieldError) -> FieldError:
    is_inside = error.field == "reference"
    return FieldError(
        f"payment.{error.field}" if is_inside else error.field, error.code, error.detail
    )


def _membership(membership_id: UUID) -> answers.MembershipAnswer:
    view = front_desk.membership(membership_id)
    return answers.MembershipAnswer(
        membership=answers.MembershipDetail(
            id=view.id,
            status=view.status,
            undo_until=view.undo_until,
            payment=answers.ChargeAnswer(
                status=view.charge_status,
                amount_cents=view.amount_cents,
                decline_code=view.decline_code,
            ),
        ),
        refund=answers.MembershipRefund.model_validate(view.refund) if view.refund else None,
        checkout_url=view.checkout_url,
    )


def _visit(visit: front_desk.Visit) -> answers.VisitAnswer:
    payment = (
        answers.PaymentAnswer(status=visit.payment_status, amount_cents=visit.amount_cents)
        if visit.payment_status
        else None
    )
    return answers.VisitAnswer(
        id=visit.booking_id,
        code=visit.code,
        status=visit.status,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        patient=answers.VisitPatient(name=visit.patient),
        payment=payment,
        membership=visit.membership_status,
        refund=visit.refund_status,
    )
