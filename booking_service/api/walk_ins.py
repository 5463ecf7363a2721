"""Booking at the desk: somebody who came in and paid there."""

from http import HTTPStatus
from typing import Final

from flask import Blueprint, Response
from spectree import Response as Answers

from booking_service.api import answers, problems, public
from booking_service.api.access import acting, scope
from booking_service.api.bookings import answer, details
from booking_service.api.contract import reply, spec
from booking_service.api.idempotent import idempotent
from booking_service.api.requests import Key, WalkInSent
from booking_service.clock import utc_now
from booking_service.errors import FieldError, Invalid, SlotTaken
from booking_service.models import Role
from booking_service.queries import availability
from booking_service.services import walk_ins
from booking_service.services.walk_ins import DeskPayment

bp = Blueprint("api_walk_ins", __name__, url_prefix="/api/v1")
bp.before_request(scope(Role.FRONT_DESK))

_PAYMENT: Final = ("tender", "reference")


@bp.post("/walk-ins")
@spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_201=answers.BookingAnswer,
        HTTP_400=answers.Problem,
        HTTP_401=answers.Problem,
        HTTP_403=answers.Problem,
        HTTP_409=answers.SlotTakenProblem,
        HTTP_422=answers.Problem,
    ),
    tags=("Front desk",),
    security={"token": ["front_desk"]},
)
@idempotent
def post_walk_in(json: WalkInSent) -> Response:
    """Book a visit of today that was paid at the desk, in cash or at its own card terminal.

    It is confirmed at once, under the same promise. Its refund is paid out at the desk, too.
    """
    starts_at = json.starts_at or utc_now().replace(second=0, microsecond=0)
    paid = DeskPayment(json.payment.tender, json.payment.reference, json.accept_terms_version)
    slot = (json.practitioner_id, starts_at)
    try:
        booking_id = walk_ins.book(slot, details(json.patient), paid, acting())
    except SlotTaken as taken:
        free = availability.alternatives(taken.practitioner_id, taken.starts_at)
        return problems.answer(taken, alternatives=public.slots(free))
    except Invalid as invalid:
        raise Invalid(*map(_in_its_place, invalid.errors)) from invalid
    return reply(answer(booking_id), HTTPStatus.CREATED)


def _in_its_place(error: FieldError) -> FieldError:
    field = f"payment.{error.field}" if error.field in _PAYMENT else error.field
    return FieldError(field, error.code, error.detail)
