"""The pages for when booking does not go as hoped. Each says first where the money is."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import (
    GatewayRefused,
    GatewayUnavailable,
    HoldEnded,
    Invalid,
    NotANewPatient,
    NotFound,
    SlotTaken,
    TooManyHolds,
)
from booking_service.languages import Sentence
from booking_service.models import BookingStatus
from booking_service.queries import availability, patient_pages
from booking_service.web import forms, holding
from booking_service.web.holding import Hold, Typed

Page = tuple[str, int]


def register(bp: Blueprint) -> None:
    """Answer the refusals of booking with a page of their own."""
    bp.register_error_handler(SlotTaken, _slot_taken)
    bp.register_error_handler(Invalid, _not_a_time)
    bp.register_error_handler(HoldEnded, _hold_ended)
    bp.register_error_handler(NotANewPatient, _not_a_new_patient)
    bp.register_error_handler(TooManyHolds, _too_many_holds)
    bp.register_error_handler(GatewayUnavailable, _no_payment_page)
    bp.register_error_handler(GatewayRefused, _no_payment_page)


def _slot_taken(error: SlotTaken) -> Page:
    slots = availability.alternatives(error.practitioner_id, error.starts_at)
    return _other_times(slots, is_offered=True), error.status


def _not_a_time(error: Invalid) -> Page:
    practice = patient_pages.practice()
    today = local_day(utc_now(), practice.zone)
    days = availability.free_days(today, practice.horizon_days)
    slots = patient_pages.soonest(patient_pages.times(days, practice.zone))
    return _other_times(slots, is_offered=False), error.status


def _other_times(slots: list[availability.Slot], *, is_offered: bool) -> str:
    practice = patient_pages.practice()
    return render_template(
        "book/taken.html",
        is_offered=is_offered,
        slots=slots,
        practice=practice,
        today=local_day(utc_now(), practice.zone),
        source=forms.read_source(request.form.get("source")),
    )


def _hold_ended(error: HoldEnded) -> Page | Response:
    hold = _hold()
    booking = hold.booking
    # Links in mails lead here, too: looking is no conflict, only doing is.
    status = HTTPStatus.OK if request.method == "GET" else error.status
    if booking.is_paid:
        return holding.to_the_visit(hold)
    practice = patient_pages.practice()
    day = local_day(booking.starts_at, practice.zone)
    free = availability.free_days(day, 1, booking.practitioner_id)[0].slots
    is_over = booking.starts_at < utc_now() + timedelta(minutes=practice.lead_minutes)
    # The time of a hold that has passed is freed by taking it again.
    is_free = booking.starts_at in [slot.starts_at for slot in free] or (
        booking.status is BookingStatus.HELD and not is_over
    )
    page = render_template(
        "book/ended.html",
        hold=hold,
        is_free=is_free,
        is_over=is_over,
        slots=availability.alternatives(booking.practitioner_id, booking.starts_at),
        typed=_typed() or hold.typed,
        practice=practice,
        today=local_day(utc_now(), practice.zone),
        source=booking.source,
    )
    return page, status


def _not_a_new_patient(error: NotANewPatient) -> Page:
    return render_template("book/not_new.html"), error.status


def _too_many_holds(error: TooManyHolds) -> tuple[str, int, Mapping[str, str]]:
    until = utc_now() + error.wait
    page = render_template("book/too_many.html", until=until, most=error.most)
    return page, error.status, error.headers


def _no_payment_page(error: GatewayUnavailable | GatewayRefused) -> Page:
    return render_template("book/unreachable.html", hold=_hold()), error.status


def _hold() -> Hold:
    """Return the hold this request is about: the address names it, or the cookie remembers it."""
    token = (request.view_args or {}).get("hold")
    hold = holding.find(token) if token else holding.kept()
    if hold is None:
        raise NotFound(Sentence("There is no such hold."))
    return hold


def _typed() -> Typed | None:
    return Typed.read(request.form) if "name" in request.form else None
