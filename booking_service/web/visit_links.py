"""For patients who lost the link to their visit: it is mailed to the address they booked with."""

from http import HTTPStatus

from flask import Blueprint, render_template, request

from booking_service.errors import Invalid
from booking_service.services import visit_links
from booking_service.services.patient_details import read_email
from booking_service.web import languages
from booking_service.web.security import open_to_all

bp = Blueprint("visit_links", __name__)
bp.before_request(open_to_all)


@bp.get("/find-my-visit")
def form() -> str:
    """Ask for the address."""
    return render_template("visit/find.html", email="", errors={})


@bp.post("/find-my-visit")
def ask() -> str | tuple[str, HTTPStatus]:
    """Owe the mail, and say the same to everybody: a page must not tell who is a patient."""
    typed = request.form.get("email", "")
    try:
        visit_links.ask(read_email(typed))
    except Invalid as invalid:
        errors = {error.field: languages.translated(error.detail) for error in invalid.errors}
        page = render_template("visit/find.html", email=typed, errors=errors)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    return render_template("visit/asked.html")
