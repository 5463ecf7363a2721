"""The Idempotency-Key header: a repeated POST gets the first answer again."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec

from flask import Response, g, request

from booking_service.api import problems
from booking_service.errors import BookingServiceError
from booking_service.services import idempotency
from booking_service.services.idempotency import Answer

P = ParamSpec("P")


def idempotent(view: Callable[P, Response]) -> Callable[P, Response]:
    """Honour the caller's Idempotency-Key around a view, if one was sent.

    Refusals are answers, and are kept; what went wrong on our side or Stripe's is not, and neither
    is "try later".
    """

    @wraps(view)
    def answered(*args: P.args, **kwargs: P.kwargs) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return view(*args, **kwargs)
        caller = f"{g.caller} {request.method} {request.path}"
        claimed = idempotency.claim(caller, key, _fingerprint())
        if isinstance(claimed, Answer):
            again = problems.again(claimed.status, claimed.body)
            again.headers["Idempotency-Replayed"] = "true"
            return again
        try:
            answer = _answer(view, *args, **kwargs)
        except BaseException:
            idempotency.give_up(claimed)
            raise
        is_for_later = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
        if is_for_later or answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            idempotency.give_up(claimed)
        else:
            idempotency.keep(claimed, Answer(answer.status_code, json.loads(answer.get_data())))
        return answer

    return answered


def _answer(view: Callable[P, Response], *args: P.args, **kwargs: P.kwargs) -> Response:
    try:
        return view(*args, **kwargs)
    except BookingServiceError as error:
        return problems.answer(error)


def _fingerprint() -> str:
    """Return what tells one body from another; spacing and the order of members do not."""
    body = request.get_data()
    # Calls without a body do not read it: there, any bytes will do.
    with suppress(ValueError, RecursionError):
        body = json.dumps(json.loads(body), sort_keys=True).encode()
    return hashlib.sha256(body).hexdigest()
