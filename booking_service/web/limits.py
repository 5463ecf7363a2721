"""How often one client, or one account, may ask for what costs us or others something.

Counted in Redis, over a window that moves. While Redis does not answer, each process counts for
itself: nobody is kept from booking, and nobody waits for Redis longer than a moment.
"""

import hmac
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final, cast

from flask import Flask, Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from redis.backoff import NoBackoff
from redis.retry import Retry

from booking_service.config import Settings
from booking_service.errors import RateLimited
from booking_service.languages import Sentence
from booking_service.web import errors

_REDIS_ANSWERS_WITHIN: Final = 0.2  # seconds; a person is waiting
_FINDS: Final = "10 per 1 hour"
# Everybody in the waiting room may have the same address.
_SIGNATURES: Final = "30 per 10 minutes"
_SIGN_INS: Final = "20 per 10 minutes"
_SIGN_INS_OF_AN_ACCOUNT: Final = "10 per 10 minutes"


def register(app: Flask) -> None:
    """Limit the views below. They know nothing of it: this is the list of what is limited."""
    settings: Settings = app.extensions["settings"]
    limiter = _limiter(settings)
    limiter.init_app(app)
    holds = f"{settings.holds_per_client} per 10 minutes"
    picking = limiter.shared_limit(holds, "holds", deduct_when=_is_kept)
    _limit(app, "book.place", picking)
    _limit(app, "book.checkout.again", picking)
    # Programs on this machine are not counted: a proxy here that nobody told us of would make all
    # patients one client, and so would a benchmark.
    by_program = limiter.shared_limit(
        holds, "holds", exempt_when=_is_on_this_machine, deduct_when=_is_kept
    )
    _limit(app, "api_bookings.post_booking", by_program)
    _limit(app, "visit_links.ask", limiter.limit(_FINDS))
    _limit(app, "agreements.sign", limiter.limit(_SIGNATURES))
    refusals = limiter.limit(_SIGN_INS, deduct_when=_is_refused)
    refusals_of_an_account = limiter.limit(
        _SIGN_INS_OF_AN_ACCOUNT, key_func=_account, deduct_when=_is_refused
    )
    _limit(app, "sign_in.enter", refusals)
    _limit(app, "sign_in.enter", refusals_of_an_account)
    _limit(app, "stations.unlock", limiter.limit(_SIGN_INS, deduct_when=_is_refused))
    _limit(app, "stations.set_pin", limiter.limit(_SIGN_INS, deduct_when=_is_refused))
    app.register_error_handler(RateLimitExceeded, _exceeded)


def _limiter(settings: Settings) -> Limiter:
    options: dict[str, Any] = {
        "key_prefix": "first_visit:limits",
        "socket_timeout": _REDIS_ANSWERS_WITHIN,
        "socket_connect_timeout": _REDIS_ANSWERS_WITHIN,
        "retry": Retry(NoBackoff(), 0),  # asking again would only be waiting again
    }
    return Limiter(
        _client,
        strategy="moving-window",
        storage_uri=settings.redis_url,
        # Its type knows texts and whole numbers only; all of it is handed to the Redis client.
        storage_options=cast("dict[str, str | int]", options),
        in_memory_fallback_enabled=True,
    )


def _limit(app: Flask, endpoint: str, limit: Callable[[Any], Any]) -> None:
    app.view_functions[endpoint] = limit(app.view_functions[endpoint])


def _address() -> IPv4Address | IPv6Address | None:
    """Return who is calling, as far as proxies we trust can tell; `app` has seen to that."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return None  # it came through a socket without addresses: all such are one client
    # A server that listens on IPv6 sees everybody in that form.
    return getattr(address, "ipv4_mapped", None) or address


def _client() -> str:
    """Return the client as it is counted. An IPv6 client has 2^64 addresses and counts as one."""
    address = _address()
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, 64), strict=False))
    return str(address)


def _is_on_this_machine() -> bool:
    address = _address()
    return address is not None and address.is_loopback


def _account() -> str:
    """Return the account somebody tries, known or not: Redis is not told whose it is."""
    email = request.form.get("email", "").strip().lower()
    secret = f"sign-in:{current_app.extensions['settings'].secret_key}"
    return hmac.digest(secret.encode(), email.encode(), "sha256").hex()


def _is_kept(response: Response) -> bool:
    """Whether a time is kept now: who comes too late for one has taken nothing from anybody."""
    return response.status_code in (HTTPStatus.SEE_OTHER, HTTPStatus.CREATED)


def _is_refused(response: Response) -> bool:
    """Whether a password was wrong: whoever signs in all day is no burglar."""
    return response.status_code == HTTPStatus.UNAUTHORIZED


def _exceeded(error: RateLimitExceeded) -> Any:  # noqa: ANN401  # a page or a problem document
    # After a whole window in any case; asking Redis when exactly could fail just now.
    wait = timedelta(seconds=error.limit.limit.get_expiry())
    minutes = round(wait.total_seconds() / 60)
    sentence = Sentence("Please try again in %(minutes)s min.", minutes=minutes)
    return errors.refused(RateLimited(sentence, wait))
