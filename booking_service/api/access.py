"""Who may call: everybody, or the bearer of a token with the right scope."""

from collections.abc import Callable
from http import HTTPStatus

from flask import g, request

from booking_service.errors import BookingServiceError
from booking_service.models import Actor, ActorKind, Role
from booking_service.services import staff


class Unauthenticated(BookingServiceError):
    """No token was sent, or none that we know."""

    code = "unauthenticated"
    status = HTTPStatus.UNAUTHORIZED


class Forbidden(BookingServiceError):
    """The token is known, and may not do this."""

    code = "forbidden"
    status = HTTPStatus.FORBIDDEN


def anybody() -> None:
    """Mark a blueprint as deliberately open; what it needs to know is in the request."""
    g.caller = "public"


def scope(wanted: Role) -> Callable[[], None]:
    """Make a `before_request` guard that lets in tokens of one scope, and administrators'."""

    def guard() -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = staff.token_bearer(token.strip()) if scheme.lower() == "bearer" else None
        if bearer is None:
            raise Unauthenticated("Send a token that is in use: Authorization: Bearer TOKEN.")
        if bearer.scope not in (wanted, Role.ADMIN):
            raise Forbidden(f"This needs a token with the scope {wanted}.")
        g.caller = f"token:{bearer.id}"
        g.actor = Actor(ActorKind.TOKEN, bearer.id, bearer.name)

    return guard


def acting() -> Actor:
    """Return the token's program as the actor of a change."""
    actor: Actor = g.actor
    return actor
