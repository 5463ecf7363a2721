"""Who waits for a time: the list, and the wish noted or ended at the desk."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from booking_service.errors import BookingServiceError
from booking_service.models import Role
from booking_service.queries import desk_waitlist, front_desk, patient_pages
from booking_service.services import exports, waitlist
from booking_service.web import desk_pages as pages
from booking_service.web.csv_files import attachment
from booking_service.web.security import acting, staff_only

bp = Blueprint("desk_waitlist", __name__, url_prefix="/desk")
bp.before_request(staff_only(Role.FRONT_DESK))


@bp.get("/waitlist")
def index() -> str:
    """Show who waits, and what is kept for whom."""
    zone = patient_pages.practice().zone
    return render_template("desk/waitlist.html", waiting=desk_waitlist.waiting(), zone=zone)


@bp.get("/waitlist.csv")
def csv() -> Response:
    """Write who waits to a file, and note who took it."""
    rows = desk_waitlist.waiting()
    exports.note_export(acting(), "waitlist", len(rows))
    return attachment("waitlist.csv", desk_waitlist.Waiting, rows)


@bp.post("/visit/<uuid:booking_id>/wait")
def join(booking_id: UUID) -> Response | tuple[str, HTTPStatus]:
    """Note that a patient wants to hear of an earlier time."""
    try:
        waitlist.join(booking_id, acting())
    except BookingServiceError as error:
        return pages.visit_page(front_desk.visit(booking_id), error), error.status
    flash("The patient gets an e-mail when an earlier time opens.")
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


@bp.post("/visit/<uuid:booking_id>/stop-waiting")
def leave(booking_id: UUID) -> Response:
    """Note that a patient does not want to hear of one any more."""
    waitlist.leave(booking_id, acting())
    flash("The patient waits no more.")
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)
