"""Somebody comes in without a visit: booked, paid at the desk and checked in on one page."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, time
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError, FieldError, GatewayUnavailable, Invalid
from booking_service.models import BookingStatus, PaymentTender, Role
from booking_service.queries import availability, front_desk, patient_pages
from booking_service.services import checkout, holds, visit_steps, walk_ins
from booking_service.services.patient_details import PatientDetails, read_details
from booking_service.services.walk_ins import DeskPayment, Slot
from booking_service.web.desk_pages import STOP_POLLING
from booking_service.web.security import acting, staff_only

bp = Blueprint("walk_ins", __name__, url_prefix="/desk/walk-in")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]

_ON_THEIR_PHONE: Final = "phone"


@bp.get("")
def form() -> Page:
    """Ask for whom, with whom and when, and how it was paid."""
    return _page()


@bp.post("")
def book() -> Page:
    """Book it and check the patient in, or hold it for a patient who pays on their phone."""
    try:
        if request.form.get("tender") == _ON_THEIR_PHONE:
            who, slot = _read(_details, _slot)
            lifetime = current_app.extensions["settings"].hold
            booking_id = walk_ins.hold(slot, who, lifetime, acting())
        else:
            who, slot, paid = _read(_details, _slot, _paid)
            booking_id = walk_ins.book(slot, who, paid, acting())
            visit_steps.arrive(booking_id, acting())
            flash("Booked, paid and checked in.")
    except BookingServiceError as error:
        return _page(error)
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


@bp.get("/<uuid:booking_id>/paying")
def paying(booking_id: UUID) -> Response:
    """Answer nothing while somebody pays on their phone; then the page looks for itself."""
    shown = front_desk.visit(booking_id)
    if shown.status is BookingStatus.HELD and shown.checkout_session_id:
        with suppress(GatewayUnavailable):  # it is asked again in a few seconds
            checkout.confirm(shown.checkout_session_id, current_app.extensions["gateway"])
        shown = front_desk.visit(booking_id)
    if shown.status is BookingStatus.HELD:
        return Response(status=HTTPStatus.NO_CONTENT)
    return Response(status=STOP_POLLING, headers={"HX-Refresh": "true"})


@bp.post("/<uuid:booking_id>/let-go")
def let_go(booking_id: UUID) -> Response:
    """Let a time go that nobody has paid for, unless they just did."""
    holds.release(booking_id, current_app.extensions["gateway"])
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


def _read(*parts: Callable[[], Any]) -> list[Any]:
    """Read every part of the form, so that all that is wrong is said at once.

    Raises:
        Invalid: with everything that was wrong.
    """
    found: list[Any] = []
    wrong: list[FieldError] = []
    for part in parts:
        try:
            found.append(part())
        except Invalid as invalid:
            wrong += invalid.errors
    if wrong:
        raise Invalid(*wrong)
    return found


def _details() -> PatientDetails:
    name, email, phone = (request.form.get(field, "") for field in ("name", "email", "phone"))
    return read_details(name, email, phone)


def _slot() -> Slot:
    """Read with whom and from when; a time is one of today on the practice's clock."""
    zone = patient_pages.practice().zone
    try:
        practitioner_id = UUID(request.form.get("practitioner_id", ""))
    except ValueError as error:
        raise Invalid(FieldError("practitioner_id", "missing", "Choose a doctor.")) from error
    try:
        clock = time.fromisoformat(request.form.get("starts_at", ""))
    except ValueError as error:
        detail = "Enter a time of today, like 9:20 AM."
        raise Invalid(FieldError("starts_at", "not_a_time", detail)) from error
    local = datetime.combine(local_day(utc_now(), zone), clock.replace(tzinfo=None), tzinfo=zone)
    return practitioner_id, local


def _paid() -> DeskPayment:
    tender, reference = (request.form.get(name, "") for name in ("tender", "reference"))
    wrong = []
    if tender not in (PaymentTender.CASH, PaymentTender.TERMINAL):
        wrong.append(FieldError("tender", "missing", "Choose how it was paid."))
    if not reference.strip():
        wrong.append(FieldError("reference", "missing", "Give the number of the receipt."))
    if "agree" not in request.form:
        wrong.append(FieldError("agree", "missing", "Let the patient read the terms first."))
    if wrong:
        raise Invalid(*wrong)
    version = request.form.get("terms_version", 0, type=int)
    return DeskPayment(PaymentTender(tender), reference, version)


def _page(problem: BookingServiceError | None = None) -> Page:
    practice = patient_pages.practice()
    now = utc_now().astimezone(practice.zone)
    errors = problem.errors if isinstance(problem, Invalid) else ()
    page = render_template(
        "desk/walk_in.html",
        practice=practice,
        offer=patient_pages.current_offer(),
        doctors=availability.practitioners(),
        now=now.replace(minute=now.minute - now.minute % 5),
        typed=request.form,
        errors={error.field: error.detail for error in errors},
        problem=None if errors else problem,
    )
    return page, problem.status if problem else HTTPStatus.OK
