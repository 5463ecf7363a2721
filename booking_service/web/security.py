"""Who may enter, and the headers every answer carries. Blueprints are closed unless they say so."""

import secrets
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    flash,
    g,
    redirect,
    request,
    session,
    url_for,
)
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from booking_service.errors import NotAllowed
from booking_service.models import Actor, ActorKind, Role, StaffMember
from booking_service.services import staff, stations
from booking_service.web import errors

csrf: Final = CSRFProtect()

# Where the signed cookie keeps the name of the server-side session.
_SESSION_KEY: Final = "staff"
_STATION_KEY: Final = "station"
_CSRF_KEY: Final = "csrf_token"  # Flask-WTF's own

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
    # Chromium applies form-action to the redirect that follows a form, too.
    "form-action 'self' {checkout}"
)


def open_to_all() -> None:
    """Mark a blueprint as deliberately public."""


def staff_only(*roles: Role) -> Callable[[], AnyResponse | None]:
    """Make a `before_request` guard that lets in only these roles, and administrators."""

    def guard() -> AnyResponse | None:
        member = signed_in()
        if member is None:
            if request.method == "POST":
                flash("You have to sign in again. Nothing was done.")
            door = "sign_in.form" if locked_by() is None else "stations.locked"
            return redirect(url_for(door, next=request.full_path), code=303)
        if member.role not in (*roles, Role.ADMIN):
            abort(403)
        return None

    return guard


def signed_in() -> StaffMember | None:
    """Return who is signed in on this device, asking the database once a request."""
    if "staff" not in g:
        settings = current_app.extensions["settings"]
        token = session.get(_SESSION_KEY)
        is_use = "HX-Request" not in request.headers  # the page's own polls carry it
        g.staff = (
            staff.who(token, settings.session_idle, settings.session_max, is_use=is_use)
            if token
            else None
        )
    member: StaffMember | None = g.staff
    return member


def acting() -> Actor:
    """Return the signed-in person as the actor of a change."""
    member = signed_in()
    if member is None:
        abort(403)
    return Actor(ActorKind.STAFF, member.id, member.name)


def token() -> str | None:
    """Return what stands for the session of this device, whether it is still good or not."""
    kept: str | None = session.get(_SESSION_KEY)
    return kept


def station() -> str | None:
    """Return the secret by which people are known at this device."""
    kept: str | None = session.get(_STATION_KEY)
    return kept


def locked_by() -> UUID | None:
    """Return who was at work here last, locked or idle as it may be."""
    kept = token()
    return stations.whose(kept, current_app.extensions["settings"].session_max) if kept else None


def remember(token_: str, staff_id: UUID, station_: str) -> None:
    """Sign this device in. The old cookie content goes, so that none can be planted before.

    Forms carry a token that names the person they were made for: whoever comes after them cannot
    send them, and the same person still can.
    """
    made_for = str(session.get(_CSRF_KEY, ""))
    old = token()
    session.clear()
    session[_SESSION_KEY] = token_
    session[_STATION_KEY] = station_
    is_theirs = made_for.startswith(f"{staff_id}.")
    session[_CSRF_KEY] = made_for if is_theirs else f"{staff_id}.{secrets.token_urlsafe(32)}"
    if old:
        staff.sign_out(old)


def forget() -> None:
    """Sign this device out. The others who signed in here today are still known."""
    kept = station()
    session.clear()
    if kept:
        session[_STATION_KEY] = kept


def register(app: Flask) -> None:
    """Protect every form, and send the same headers with every answer."""
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the cookie; a slow reader is no attacker
    csrf.init_app(app)
    app.register_error_handler(CSRFError, _not_from_this_page)
    app.after_request(_headers)
    settings = app.extensions["settings"]
    idle = round(settings.session_idle.total_seconds())
    app.context_processor(lambda: {"signed_in": signed_in, "idle_seconds": lambda: idle})


def _not_from_this_page(error: CSRFError) -> Any:  # noqa: ANN401  # a page
    """Say who opened the page, where somebody else took over since; nothing was done."""
    member, opened_by = signed_in(), _opened_by(request.form.get(_CSRF_KEY, ""))
    if member is None or opened_by is None or opened_by == member.id:
        return errors.failed(error)
    now, then = (name.split()[0] for name in (member.name, staff.name_of(opened_by)))
    sentence = f"You are {now} now; this page was opened by {then}. Nothing was done."
    return errors.refused(NotAllowed(sentence))


def _opened_by(token_: str) -> UUID | None:
    """Return for whom a form was made, if we made it."""
    signer = URLSafeTimedSerializer(current_app.secret_key or "", salt="wtf-csrf-token")
    try:
        return UUID(str(signer.loads(token_)).partition(".")[0])
    except (BadData, ValueError):
        return None


def _headers(response: Response) -> Response:
    settings = current_app.extensions["settings"]
    checkout = (
        "https://checkout.stripe.com"
        if settings.stripe_api_base == "https://api.stripe.com"
        else settings.stripe_api_base
    )
    response.headers.setdefault("Content-Security-Policy", _CSP.format(checkout=checkout))
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Addresses hold signed links: none may travel to another site.
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if settings.is_https:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
