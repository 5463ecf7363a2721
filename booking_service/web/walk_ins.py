"""Somebody comes in without a visit: booked, paid at the desk and checked in on one page."""

from collections.abc import Callable
from datetime import datetime, time
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError, FieldError, Invalid
from booking_service.models import PaymentTender, Role
from booking_service.queries import availability, patient_pages
from booking_service.services import visit_steps, walk_ins
from booking_service.services.patient_details import PatientDetails, read_details
from booking_service.services.walk_ins import DeskPayment, Slot
from booking_service.web.security import acting, staff_only

bp = Blueprint("walk_ins", __name__, url_prefix="/desk/walk-in")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]


@bp.get("")
def form() -> Page:
    """Ask for whom, with whom and when, and how it was paid."""
    return _page()


@bp.post("")
def book() -> Page:
    """Book it, check the patient in, and show the visit."""
    try:
        who, slot, paid = _read(_details, _slot, _paid)
        booking_id = walk_ins.book(slot, who, paid, acting())
    except BookingServiceError as error:
        return _page(error)
    visit_steps.arrive(booking_id, acting())
    flash("Booked, paid and checked in.")
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
