"""What the desk notes about a visit, and what happened to it."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.errors import Invalid
from booking_service.models import Role
from booking_service.queries import front_desk, visit_history
from booking_service.services import views, visit_notes
from booking_service.web.history_words import told
from booking_service.web.security import acting, staff_only

bp = Blueprint("visit_notes", __name__, url_prefix="/desk/visit/<uuid:booking_id>")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]


@bp.get("/history")
def history(booking_id: UUID) -> Page:
    """Show the notes about a visit, and everything that was done about it."""
    views.note_view(acting(), booking_id)
    return _page(booking_id)


@bp.post("/history")
def write(booking_id: UUID) -> Page:
    """Keep a note."""
    try:
        visit_notes.write(booking_id, request.form.get("words", ""), acting())
    except Invalid as error:
        return _page(booking_id, error)
    flash("Noted.")
    return redirect(url_for("visit_notes.history", booking_id=booking_id), code=303)


def _page(booking_id: UUID, problem: Invalid | None = None) -> Page:
    page = render_template(
        "desk/history.html",
        visit=front_desk.visit(booking_id),
        notes=visit_history.notes(booking_id),
        happened=visit_history.happened(booking_id),
        told=told,
        typed=request.form,
        problem=problem.errors[0].detail if problem else None,
    )
    return page, problem.status if problem else HTTPStatus.OK
