"""Booking a first visit, and reading one's own booking."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, Response, current_app, request
from spectree import Response as Answers

from booking_service.api import answers, problems, public
from booking_service.api.access import anybody
from booking_service.api.contract import reply, spec
from booking_service.api.idempotent import idempotent
from booking_service.api.requests import BookingSent, Key, PatientSent, RescheduleSent, TokenQuery
from booking_service.errors import FieldError, Invalid, NotFound, SlotTaken
from booking_service.languages import Language
from booking_service.links import FIRST, Purpose
from booking_service.models import Actor, BookingStatus
from booking_service.queries import availability, bookings, visit_links
from booking_service.services import bookings as visits
from booking_service.services import holds, online_bookings
from booking_service.services.online_bookings import Held, Wanted
from booking_service.services.orders import Consent
from booking_service.services.patient_details import PatientDetails, read_details

bp = Blueprint("api_bookings", __name__, url_prefix="/api/v1/bookings")
bp.before_request(anybody)

_TAGS: Final = ("Booking",)
_REFUSED: Final = {
    "HTTP_404": answers.Problem,
    "HTTP_409": answers.Problem,
    "HTTP_410": answers.Problem,
    "HTTP_422": answers.Problem,
    "HTTP_503": answers.Problem,
}


@bp.post("")
@spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_201=answers.HeldAnswer,
        HTTP_400=answers.Problem,
        HTTP_409=answers.SlotTakenProblem,
        HTTP_422=answers.Problem,
        HTTP_429=answers.Problem,
        HTTP_503=answers.Problem,
    ),
    tags=_TAGS,
)
@idempotent
def post_booking(json: BookingSent) -> Response:
    """Book a first visit: hold the time and open Stripe's payment page.

    Send the patient to `checkout_url`; the time is theirs until `hold_expires_at`. Refused with
    409 are a time that was just taken (`slot_taken`, with `alternatives`), a patient who has had a
    first visit (`not_a_new_patient`), and terms that have changed since (`terms_changed`). Refused
    with 429 and `Retry-After`: too many calls from one address (`rate_limited`), and a sixth time
    for an e-mail or phone number while none is paid for (`too_many_holds`). When Stripe does not
    answer (503 `stripe_unavailable`) nothing is held.
    """
    links = current_app.extensions["links"]
    try:
        held = _book(json)
    except SlotTaken as taken:
        free = availability.alternatives(taken.practitioner_id, taken.starts_at)
        return problems.answer(taken, alternatives=public.slots(free))
    return reply(
        answers.HeldAnswer(
            id=held.id,
            code=held.code,
            status=BookingStatus.HELD,
            hold_expires_at=held.hold_expires_at,
            checkout_url=held.checkout_url,
            manage_url=links.visit(held.id, FIRST),
            token=links.token(Purpose.VISIT, held.id),
        ),
        HTTPStatus.CREATED,
    )


@bp.get("/<uuid:booking_id>")
@spec.validate(
    resp=Answers(
        HTTP_200=answers.BookingAnswer,
        HTTP_404=answers.Problem,
        HTTP_410=answers.Problem,
        HTTP_422=answers.Problem,
    ),
    tags=_TAGS,
)
def get_booking(booking_id: UUID, query: TokenQuery) -> Response:
    """One booking, for whoever holds its token.

    410 `link_replaced`: the practice has given the patient another link, whose token is new.
    """
    _let_in(booking_id, query)
    return reply(answer(booking_id))


@bp.post("/<uuid:booking_id>/cancel")
@spec.validate(headers=Key, resp=Answers(HTTP_200=answers.BookingAnswer, **_REFUSED), tags=_TAGS)
@idempotent
def post_cancel(booking_id: UUID, query: TokenQuery) -> Response:
    """Cancel a booking, for whoever holds its token. A second call answers the same booking.

    Until the practice's cut-off `refunds` shows the money going back; after it the promise has
    `lapsed` and the money is kept. By the same rule the plan of a follow-up has its visit again, or
    not; no money moves. A time that is only held is let go. Refused with `too_late`
    once the visit has begun.
    """
    _let_in(booking_id, query)
    if bookings.booking(booking_id).status is BookingStatus.HELD:
        # It may turn out to be paid just now; then it is a visit, and is cancelled as one.
        holds.release(booking_id, current_app.extensions["gateway"])
    if bookings.booking(booking_id).status is not BookingStatus.EXPIRED:
        visits.cancel(booking_id, Actor.patient())
    return reply(answer(booking_id))


@bp.post("/<uuid:booking_id>/reschedule")
@spec.validate(
    headers=Key,
    resp=Answers(
        HTTP_200=answers.BookingAnswer,
        HTTP_400=answers.Problem,
        **{**_REFUSED, "HTTP_409": answers.SlotTakenProblem},
    ),
    tags=_TAGS,
)
@idempotent
def post_reschedule(booking_id: UUID, query: TokenQuery, json: RescheduleSent) -> Response:
    """Move a visit to another free time, for whoever holds its token. Nothing is paid again.

    Possible until the practice's cut-off (then `too_late`) and twice (then `not_allowed`, as for a
    follow-up at a time that the plan does not include); a time
    that was just taken is `slot_taken`, with `alternatives`, and the visit stays where it was.
    """
    _let_in(booking_id, query)
    try:
        visits.reschedule(booking_id, json.practitioner_id, json.starts_at, Actor.patient())
    except SlotTaken as taken:
        free = availability.alternatives(taken.practitioner_id, taken.starts_at)
        return problems.answer(taken, alternatives=public.slots(free))
    return reply(answer(booking_id))


def _let_in(booking_id: UUID, query: TokenQuery) -> None:
    if visit_links.opened(current_app.extensions["links"], query.token) != booking_id:
        raise NotFound("There is no such booking.")


def answer(booking_id: UUID) -> answers.BookingAnswer:
    """Return a booking in the shape of the API."""
    facts = bookings.booking(booking_id)
    return answers.BookingAnswer(
        id=facts.id,
        code=facts.code,
        status=facts.status,
        starts_at=facts.starts_at,
        ends_at=facts.ends_at,
        practitioner=answers.PractitionerAnswer(id=facts.practitioner_id, name=facts.practitioner),
        payment=None
        if facts.payment_status is None or facts.amount_cents is None
        else answers.PaymentAnswer(status=facts.payment_status, amount_cents=facts.amount_cents),
        promise=None
        if facts.promise_status is None
        else answers.PromiseAnswer(status=facts.promise_status),
        refunds=[answers.BookingRefund.model_validate(refund) for refund in facts.refunds],
    )


def _book(sent: BookingSent) -> Held:
    consent = Consent(
        terms_version=sent.accept_terms_version,
        language=sent.locale,
        address=request.remote_addr or "",
        user_agent=request.user_agent.string,
        save_card=sent.save_card,
        texts=sent.sms_opt_in,
    )
    wanted = Wanted(
        practitioner_id=sent.practitioner_id,
        starts_at=sent.starts_at,
        details=details(sent.patient, sent.locale, sent.booked_by),
        consent=consent,
        source=sent.source,
    )
    gateway, links = current_app.extensions["gateway"], current_app.extensions["links"]
    return online_bookings.book(wanted, gateway, links, current_app.extensions["settings"].checkout)


def details(
    patient: PatientSent, locale: Language = Language.EN, booked_by: str | None = None
) -> PatientDetails:
    """Read who is coming, and who books.

    Raises:
        Invalid: with the fields as the caller named them.
    """
    try:
        return read_details(patient.name, patient.email, patient.phone, locale, booked_by)
    except Invalid as invalid:
        raise Invalid(*map(_in_its_place, invalid.errors)) from invalid


def _in_its_place(error: FieldError) -> FieldError:
    field = error.field if error.field == "booked_by" else f"patient.{error.field}"
    return FieldError(field, error.code, error.detail)
