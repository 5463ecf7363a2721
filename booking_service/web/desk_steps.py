"""The front desk's steps of a visit: taken, and taken back."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from booking_service.errors import BookingServiceError
from booking_service.models import Actor, BookingStatus, Role
from booking_service.queries import front_desk
from booking_service.services import taking_back, visit_steps
from booking_service.web import desk_pages as pages
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_steps", __name__, url_prefix="/desk/visit")
bp.before_request(staff_only(Role.FRONT_DESK))

# What each step says once it is taken.
_SAID: Final[Mapping[BookingStatus, str]] = {
    BookingStatus.ARRIVED: "Checked in.",
    BookingStatus.IN_TREATMENT: "Treatment began.",
    BookingStatus.COMPLETED: "The visit has ended.",
    BookingStatus.NO_SHOW: "Noted: nobody came.",
}


@bp.post("/<uuid:booking_id>/arrive")
def arrive(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Check a patient in."""
    return _step(booking_id, visit_steps.arrive, BookingStatus.ARRIVED)


@bp.post("/<uuid:booking_id>/begin-treatment")
def begin_treatment(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Note that treatment began: the second proof of the promise."""
    return _step(booking_id, visit_steps.begin_treatment, BookingStatus.IN_TREATMENT)


@bp.post("/<uuid:booking_id>/complete")
def complete(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """End a visit without a membership."""
    return _step(booking_id, visit_steps.complete, BookingStatus.COMPLETED)


@bp.post("/<uuid:booking_id>/no-show")
def no_show(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Note that nobody came."""
    return _step(booking_id, visit_steps.mark_no_show, BookingStatus.NO_SHOW)


@bp.post("/<uuid:booking_id>/take-back")
def take_back(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Take the step back that the form names: it was pressed by mistake."""
    step = request.form.get("step", "")
    if step not in _SAID:
        abort(HTTPStatus.BAD_REQUEST)
    try:
        taking_back.take_back(booking_id, BookingStatus(step), acting())
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash("Taken back.")
    return _back(booking_id)


def _step(
    booking_id: UUID, take: Callable[[UUID, Actor], None], leads_to: BookingStatus
) -> Response | tuple[str, HTTPStatus]:
    try:
        take(booking_id, acting())
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash(_SAID[leads_to], leads_to)  # the page offers to take that step back
    return _back(booking_id)


def _back(booking_id: UUID) -> Response:
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)
