"""Two records of one person: found, compared, merged and separated by the desk."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from booking_service.errors import BookingServiceError
from booking_service.models import Role
from booking_service.queries import front_desk, same_person
from booking_service.services import people, views
from booking_service.web.security import acting, staff_only

bp = Blueprint("same_person", __name__, url_prefix="/desk/visit/<uuid:booking_id>/same-person")
bp.before_request(staff_only(Role.FRONT_DESK))

Page = Response | tuple[str, HTTPStatus]


@bp.get("")
def compare(booking_id: UUID) -> Page:
    """Show whom this may be as well: who has the name, the address or the number."""
    return _page(booking_id)


@bp.post("")
def search(booking_id: UUID) -> Page:
    """Look for somebody in particular. Sent with POST: a name must not stand in an address."""
    return _page(booking_id, words=request.form.get("q", "").strip())


@bp.post("/merge")
def merge(booking_id: UUID) -> Page:
    """Make two records one; `keep` says whose name, address and number count."""
    keep, other = _chosen("keep"), _chosen("other")
    return _change(
        booking_id,
        lambda: people.merge(keep, other, acting()),
        "They are one record now, with every visit and payment of both.",
    )


@bp.post("/separate")
def separate(booking_id: UUID) -> Page:
    """Take a merge back: they were two people."""
    other = _chosen("other")
    return _change(
        booking_id,
        lambda: people.separate(other, acting()),
        "They are two records again, each with its own visits.",
    )


def _change(booking_id: UUID, change: Callable[[], None], said: str) -> Page:
    try:
        change()
    except BookingServiceError as error:
        return _page(booking_id, problem=error)
    flash(said)
    return redirect(url_for("desk.visit", booking_id=booking_id), code=303)


def _chosen(field: str) -> UUID:
    chosen = request.form.get(field, type=UUID)
    if chosen is None:
        raise BadRequest
    return chosen


def _page(booking_id: UUID, words: str = "", problem: BookingServiceError | None = None) -> Page:
    shown = front_desk.visit(booking_id)
    person = same_person.of_visit(booking_id, words)
    views.note_people(acting(), [record.patient_id for record in person.alike])
    page = render_template(
        "desk/same_person.html", visit=shown, person=person, q=words, problem=problem
    )
    return page, problem.status if problem else HTTPStatus.OK
