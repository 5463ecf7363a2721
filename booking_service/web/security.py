"""Who may enter, and the headers every answer carries. Blueprints are closed unless they say so."""

from collections.abc import Callable
from typing import Final

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from flask_wtf import CSRFProtect
from werkzeug.wrappers import Response as AnyResponse

from booking_service.models import Actor, ActorKind, Role, StaffMember
from booking_service.services import staff

csrf: Final = CSRFProtect()

# Where the signed cookie keeps the name of the server-side session.
_SESSION_KEY: Final = "staff"

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
            return redirect(url_for("sign_in.form", next=request.full_path), code=303)
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


def remember(token: str) -> None:
    """Sign this device in. The old cookie content goes, so that none can be planted before."""
    session.clear()
    session[_SESSION_KEY] = token


def forget() -> str | None:
    """Sign this device out and return the token it had."""
    token: str | None = session.get(_SESSION_KEY)
    session.clear()
    return token


def register(app: Flask) -> None:
    """Protect every form, and send the same headers with every answer."""
    app.config["WTF_CSRF_TIME_LIMIT"] = None  # as long as the cookie; a slow reader is no attacker
    csrf.init_app(app)
    app.after_request(_headers)
    app.context_processor(lambda: {"signed_in": signed_in})


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
