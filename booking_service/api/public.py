"""What anybody may read: the offer, free times, and the plans."""

import hashlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Response, current_app, json, request
from spectree import Response as Answers

from booking_service.api import answers
from booking_service.api.access import anybody
from booking_service.api.contract import reply, spec
from booking_service.api.requests import SlotsQuery
from booking_service.clock import local_day, utc_now
from booking_service.queries import availability, patient_pages
from booking_service.queries.availability import Day, Slot
from booking_service.queries.ready import Ready, good_until

bp = Blueprint("api_public", __name__, url_prefix="/api/v1")
bp.before_request(anybody)

_TAGS: Final = ("Booking",)
_CURRENCY: Final = "usd"


@bp.get("/offer")
@spec.validate(resp=Answers(HTTP_200=answers.OfferAnswer), tags=_TAGS)
def get_offer() -> Response:
    """The first-visit offer on sale."""
    offer = patient_pages.current_offer()
    base = current_app.extensions["settings"].public_base_url
    return reply(
        answers.OfferAnswer(
            price_cents=offer.price_cents,
            currency=offer.currency,
            includes=offer.includes,
            promise=offer.promise,
            terms_version=offer.version,
            terms_url=f"{base}/terms/{offer.version}",
        )
    )


@bp.get("/slots")
@spec.validate(resp=Answers(HTTP_200=answers.SlotsAnswer, HTTP_422=answers.Problem), tags=_TAGS)
def get_slots(query: SlotsQuery) -> Response:
    """Free times by day of the practice's calendar.

    Only times that can be booked now: after the lead time, and up to the last bookable day.
    """
    answers_kept = current_app.extensions["ready_answers"]
    question = ("slots", query.from_, query.days, query.practitioner)
    body, etag = answers_kept.answer(question, lambda: _free_times(query))
    response = Response(body, HTTPStatus.OK, mimetype="application/json")
    response.headers["Cache-Control"] = "no-cache"  # keep it, and ask each time whether it is true
    response.set_etag(etag)
    response.make_conditional(request)
    return response


def _free_times(query: SlotsQuery) -> Ready[tuple[bytes, str]]:
    practice = availability.the_practice()
    first = query.from_ or local_day(utc_now(), practice.zone)
    days = availability.free_days(first, query.days, query.practitioner)
    told = {"timezone": practice.timezone, "days": [_day(day) for day in days]}
    body = json.dumps(told).encode()
    etag = hashlib.sha256(body).hexdigest()[:32]
    return Ready((body, etag), good_until(practice, days), len(body))


@bp.get("/plans")
@spec.validate(resp=Answers(HTTP_200=answers.PlansAnswer), tags=_TAGS)
def get_plans() -> Response:
    """Membership plans on sale."""
    items = [
        answers.PlanAnswer(
            id=plan.id,
            name=plan.name,
            price_cents=plan.price_cents,
            currency=_CURRENCY,
            visits_a_month=plan.visits_a_month,
        )
        for plan in patient_pages.plans()
    ]
    return reply(answers.PlansAnswer(items=items, count=len(items)))


def slots(free: Iterable[Slot]) -> list[dict[str, Any]]:
    """Return free times in the shape of the API. Plain dicts: there are thousands in a month."""
    return [
        {
            "starts_at": slot.starts_at.isoformat(),
            "ends_at": slot.ends_at.isoformat(),
            "practitioner": {"id": str(slot.practitioner_id), "name": slot.practitioner},
        }
        for slot in free
    ]


def _day(day: Day) -> dict[str, Any]:
    return {"date": day.date.isoformat(), "slots": slots(day.slots), "closed": day.closed}
