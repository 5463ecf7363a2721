"""Signing in and out, and choosing a password by the one-time link."""

from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response

from booking_service.errors import Invalid, SignInFailed
from booking_service.models import Role, StaffMember
from booking_service.services import staff, stations
from booking_service.web import security

bp = Blueprint("sign_in", __name__)
bp.before_request(security.open_to_all)

_FIRST_PRINTABLE: Final = 0x20


@bp.get("/sign-in")
def form() -> str | Response:
    """Ask for e-mail and password; whoever is signed in goes where they work."""
    member = security.signed_in()
    next_ = own_path(request.args.get("next", ""))
    if member is not None:
        return redirect(next_ or home(member), code=303)
    return render_template("staff/sign_in.html", email="", next=next_ or "", problem=None)


@bp.post("/sign-in")
def enter() -> Response | tuple[str, HTTPStatus]:
    """Sign in, and go on to the page that was asked for."""
    email = request.form.get("email", "")
    next_ = own_path(request.form.get("next", ""))
    try:
        token = staff.sign_in(email, request.form.get("password", ""))
    except SignInFailed as error:
        page = render_template(
            "staff/sign_in.html", email=email, next=next_ or "", problem=str(error)
        )
        return page, error.status
    settings = current_app.extensions["settings"]
    member = staff.who(token, settings.session_idle, settings.session_max)
    if member is None:
        return redirect(url_for("sign_in.form"), code=303)
    security.remember(token, member.id, stations.remember(security.station(), member.id))
    return redirect(next_ or home(member), code=303)


@bp.post("/sign-out")
def leave() -> Response:
    """End the session on the server, too: a copied cookie opens nothing afterwards."""
    token, who, secret = security.token(), security.locked_by(), security.station()
    security.forget()
    if token:
        staff.sign_out(token)
    if secret and who:
        stations.forget(secret, who)
    flash("You are signed out.")
    return redirect(url_for("sign_in.form"), code=303)


@bp.get("/set-up/<secret>")
def set_up_form(secret: str) -> str:
    """Ask for a first password. Looking uses nothing up: mail scanners follow links."""
    return render_template("staff/set_up.html", secret=secret, problem=None)


@bp.post("/set-up/<secret>")
def set_up(secret: str) -> Response | tuple[str, HTTPStatus]:
    """Choose the password; a link that was used or has expired says so."""
    try:
        staff.set_up(secret, request.form.get("password", ""))
    except Invalid as error:
        page = render_template("staff/set_up.html", secret=secret, problem=str(error))
        return page, error.status
    flash("Your password is set. Sign in with it now.")
    return redirect(url_for("sign_in.form"), code=303)


def own_path(target: str) -> str | None:
    r"""Return a path of ours that can be opened by following a link, or None.

    Browsers read `//host` and `/\host` as another site's address, and drop tabs and line ends
    before they look: none of these is ever followed.
    """
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return None
    if any(ord(letter) < _FIRST_PRINTABLE for letter in target):
        return None
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None
    try:
        current_app.url_map.bind("").match(parts.path, method="GET")
    except RequestRedirect:
        return None
    except HTTPException:
        return None  # nothing there, or only a form's target
    return target.removesuffix("?")


def home(member: StaffMember) -> str:
    """Return where somebody works."""
    return url_for("finance.index" if member.role is Role.FINANCE else "desk.today")
