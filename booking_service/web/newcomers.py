"""No time that suits: an address is left to be written to, and taken back."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.errors import Invalid
from booking_service.links import Purpose
from booking_service.queries import availability
from booking_service.queries import waitlist as waiting
from booking_service.services import newcomers
from booking_service.web import holding, languages
from booking_service.web.security import open_to_all

bp = Blueprint("newcomers", __name__, url_prefix="/wait")
bp.before_request(open_to_all)


@bp.get("")
def form() -> str:
    """Ask for the address, away from the times."""
    return render_template("book/wait.html", typed="", errors={})


@bp.post("")
def ask() -> Response | tuple[str, int]:
    """Keep the address, or say what to mend. A known address is answered like any other."""
    typed = request.form.get("email", "")
    free = availability.everything()
    saw = (free[0].starts_at, free[-1].starts_at) if free else None
    try:
        newcomers.ask(typed, languages.current(), saw)
    except Invalid as invalid:
        errors = {error.field: languages.translated(error.detail) for error in invalid.errors}
        page = render_template("book/wait.html", typed=typed, errors=errors)
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(url_for("newcomers.noted"), code=303)


@bp.get("/noted")
def noted() -> str:
    """Say what happens now, and when it ends."""
    return render_template(
        "book/wait_noted.html", most=newcomers.MOST_OFFERS, days=newcomers.LONGEST_WAIT.days
    )


@bp.get("/<token>")
def leave(token: str) -> str:
    """Ask once more before the mails stop. Opening it changes nothing: scanners follow links."""
    newcomer = waiting.newcomer(_entry(token))
    languages.booked_in(newcomer.locale)
    return render_template("book/wait_stop.html", token=token, waits=newcomer.email is not None)


@bp.post("/<token>")
def do_leave(token: str) -> Response:
    """Write no more, and forget the address."""
    entry_id = _entry(token)
    waiting.newcomer(entry_id)
    newcomers.stop(entry_id)
    return redirect(url_for("newcomers.leave", token=token), code=303)


def _entry(token: str) -> UUID:
    entry_id, _ = holding.links().read(Purpose.WAIT, token)
    return entry_id
