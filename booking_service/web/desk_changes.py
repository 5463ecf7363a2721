"""Another time for a visit, or none: the pages on which the desk moves and cancels."""

from datetime import date, timedelta
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.clock import local_day, utc_now
from booking_service.errors import BookingServiceError
from booking_service.models import BookingStatus, Role
from booking_service.queries import availability, follow_ups, front_desk, patient_pages
from booking_service.queries.front_desk import VisitView
from booking_service.services import bookings
from booking_service.web.forms import Pick
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_changes", __name__, url_prefix="/desk/visit/<uuid:booking_id>")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]

_DAYS_LISTED: Final = timedelta(days=7)


@bp.get("/cancel")
def cancel(booking_id: UUID) -> Page:
    """Ask who cancels, and say for each what happens to the money."""
    return _cancel_page(front_desk.visit(booking_id))


@bp.post("/cancel")
def do_cancel(booking_id: UUID) -> Page:
    """Cancel, if the money still goes where the page said; otherwise say so first."""
    shown = front_desk.visit(booking_id)
    by_patient = request.form.get("who") == "patient"
    if request.form.get("money") != _money(shown, by_patient=by_patient):
        return redirect(url_for("desk_changes.cancel", booking_id=booking_id), code=303)
    try:
        bookings.cancel(booking_id, acting(), by_patient=by_patient)
    except BookingServiceError as error:
        return _cancel_page(shown, error)
    flash("Cancelled. The patient gets an e-mail.")
    return _to_the_visit(booking_id)


@bp.get("/move")
def move(booking_id: UUID) -> Page:
    """List a week of free times, from `?from=` on, with one doctor or with any."""
    return _move_page(front_desk.visit(booking_id))


@bp.post("/move")
def do_move(booking_id: UUID) -> Page:
    """Move the visit to the time that was pressed; its payment and promise go with it."""
    try:
        pick = Pick.read(request.form.get("slot", ""))
        bookings.reschedule(booking_id, pick.practitioner_id, pick.starts_at, acting())
    except BookingServiceError as error:
        return _move_page(front_desk.visit(booking_id), error)
    flash("Moved. The patient gets an e-mail.")
    return _to_the_visit(booking_id)


def _cancel_page(shown: VisitView, problem: BookingServiceError | None = None) -> Page:
    if shown.status is not BookingStatus.CONFIRMED:
        return _to_the_visit(shown.booking_id)
    money = {who: _money(shown, by_patient=who == "patient") for who in ("patient", "practice")}
    hours = patient_pages.practice().cutoff_hours
    page = render_template(
        "desk/cancel.html", visit=shown, money=money, hours=hours, problem=problem
    )
    return page, problem.status if problem else HTTPStatus.OK


def _money(shown: VisitView, *, by_patient: bool) -> str:
    """Return what a cancellation means for the money now: it goes "back", or is "kept"."""
    cutoff = timedelta(hours=patient_pages.practice().cutoff_hours)
    is_late = utc_now() >= shown.starts_at - cutoff
    return "kept" if by_patient and is_late else "back"


def _move_page(shown: VisitView, problem: BookingServiceError | None = None) -> Page:
    if shown.status is not BookingStatus.CONFIRMED:
        return _to_the_visit(shown.booking_id)
    practice = patient_pages.practice()
    today = local_day(utc_now(), practice.zone)
    last = today + timedelta(days=practice.horizon_days)
    first = min(max(request.args.get("from", today, type=date.fromisoformat), today), last)
    doctor = request.args.get("doctor", type=UUID)
    allowance = follow_ups.of_visit(shown.booking_id, besides=shown.booking_id)
    if allowance is None:
        days = availability.free_days(first, _DAYS_LISTED.days, doctor)
    else:
        days = follow_ups.free_days(allowance, first, _DAYS_LISTED.days, doctor)
    following = first + _DAYS_LISTED
    page = render_template(
        "desk/move.html",
        visit=shown,
        days=patient_pages.times(days, practice.zone),
        doctors=availability.practitioners(),
        doctor=doctor,
        first=first,
        next_first=following if following <= last else None,
        problem=problem or (allowance.closed(utc_now()) if allowance else None),
    )
    return page, problem.status if problem else HTTPStatus.OK


def _to_the_visit(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)
