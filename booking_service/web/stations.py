"""A station that several people share: locked, opened again, and handed to somebody else."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from booking_service.errors import BookingServiceError, SignInFailed
from booking_service.services import staff, stations
from booking_service.web import security
from booking_service.web.sign_in import home, own_path

bp = Blueprint("stations", __name__)
bp.before_request(security.open_to_all)


@bp.post("/lock")
def lock() -> Response:
    """Lock the screen; with `switch` it is for somebody else, and nobody is chosen."""
    token = security.token()
    if token:
        stations.lock(token)
    next_ = own_path(request.form.get("next", ""))
    switch = request.form.get("switch") or None
    return redirect(url_for("stations.locked", next=next_, switch=switch), code=303)


@bp.get("/locked")
def locked() -> str | Response:
    """Ask who is there. Nothing of any patient is on this page."""
    next_ = own_path(request.args.get("next", "")) or ""
    if member := security.signed_in():
        return redirect(next_ or home(member), code=303)
    chosen = None if request.args.get("switch") else security.locked_by()
    return _page(chosen, next_) or redirect(url_for("sign_in.form", next=next_), code=303)


@bp.post("/locked")
def unlock() -> str | Response | tuple[str, HTTPStatus]:
    """Open the station for the person who gives their own PIN or password."""
    next_ = own_path(request.form.get("next", "")) or ""
    who, given = request.form.get("who", type=UUID), request.form.get("secret", "")
    secret, was = security.station(), security.locked_by()
    known = {one.id: one for one in stations.people(secret)} if secret else {}
    if secret is None or who not in known:
        flash("Please sign in with your password.")
        return redirect(url_for("sign_in.form", next=next_), code=303)
    try:
        if stations.is_pin(given):
            token = stations.sign_in_by_pin(secret, who, given)
        else:
            token = staff.sign_in(known[who].email, given)
            secret = stations.remember(secret, who)
    except SignInFailed as error:
        return _page(who, next_, "That is not right.") or "", error.status
    security.remember(token, who, secret)
    settings = current_app.extensions["settings"]
    member = staff.who(token, settings.session_idle, settings.session_max)
    if member is None:
        return redirect(url_for("sign_in.form"), code=303)
    is_theirs = who == was or next_.startswith(home(member))
    return redirect(next_ if next_ and is_theirs else home(member), code=303)


@bp.get("/my-pin")
def pin_form() -> str | Response:
    """Offer to choose a PIN."""
    if security.signed_in() is None:
        return redirect(url_for("sign_in.form", next=request.path), code=303)
    return render_template("staff/pin.html", here="", problem=None)


@bp.post("/my-pin")
def set_pin() -> Response | tuple[str, HTTPStatus]:
    """Choose a PIN, or another; the password is asked for."""
    member = security.signed_in()
    if member is None:
        return redirect(url_for("sign_in.form", next=url_for("stations.pin_form")), code=303)
    try:
        stations.set_pin(member.id, request.form.get("password", ""), request.form.get("pin", ""))
    except BookingServiceError as error:
        return render_template("staff/pin.html", here="", problem=str(error)), error.status
    flash("Your PIN is set. It opens this station for you until tonight.")
    return redirect(home(member), code=303)


def _page(chosen: UUID | None, next_: str, problem: str | None = None) -> str | None:
    """Render the locked screen, unless the station knows nobody."""
    secret = security.station()
    people = stations.people(secret) if secret else []
    if not people:
        return None
    if all(one.id != chosen for one in people):
        chosen = None
    return render_template(
        "staff/locked.html", people=people, chosen=chosen, next=next_, problem=problem
    )
