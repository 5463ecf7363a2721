"""The API's way in from HTTP, past Flask: nothing is needed there of its contexts and routes."""

import socket
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from werkzeug.wsgi import get_host, get_input_stream

from booking_service.simulator.api import Api, Asked, Dropped
from booking_service.simulator.idempotency import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_ROOTS: Final = ("/v1/", "/v2/")
_METHODS: Final = ("GET", "POST", "DELETE")
_FORM: Final = "application/x-www-form-urlencoded"
_HUNG_UP: Final = "444 Hung Up"  # seen by nobody but a test without a server


class Door:
    """Answers what is asked of the API; the rest goes on to the pages."""

    def __init__(self, api: Api, pages: "WSGIApplication") -> None:
        self._api = api
        self._pages = pages

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request, as WSGI wants it."""
        is_api = environ["PATH_INFO"].startswith(_ROOTS) and environ["REQUEST_METHOD"] in _METHODS
        if not is_api:
            return self._pages(environ, start_response)
        asked = _asked(environ)
        try:
            answer, added = self._api.answer(asked)
        except Dropped:
            _hang_up(environ)
            start_response(_HUNG_UP, [("Content-Length", "0")])
            return []
        body = answer.body.encode()
        headers = _headers(answer, asked, len(body)) | added
        status = f"{answer.status} {HTTPStatus(answer.status).phrase}"
        start_response(status, list(headers.items()))
        return [body]


def _asked(environ: "WSGIEnvironment") -> Asked:
    body = get_input_stream(environ).read()  # always: what stays unread would be the next request
    is_form = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() == _FORM
    sent = environ.get("QUERY_STRING", ""), body.decode(errors="replace") if is_form else ""
    return Asked(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].encode("latin-1").decode(errors="replace"),
        pairs=[pair for text in sent for pair in parse_qsl(text, keep_blank_values=True)],
        authorization=environ.get("HTTP_AUTHORIZATION", ""),
        version=environ.get("HTTP_STRIPE_VERSION", ""),
        key=environ.get("HTTP_IDEMPOTENCY_KEY", ""),
        host_url=f"{environ['wsgi.url_scheme']}://{get_host(environ)}/",
    )


def _headers(answer: Answer, asked: Asked, length: int) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Request-Id": answer.request_id,
        "Stripe-Version": asked.version,
    }
    if asked.key:
        headers["Idempotency-Key"] = asked.key
    if answer.is_replayed:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": answer.request_id}
    return headers


def _hang_up(environ: "WSGIEnvironment") -> None:
    """Close the caller's connection; what is written afterwards goes nowhere.

    The socket is only in the environment of a real server; a test client sees status 444.
    """
    for name in ("werkzeug.socket", "gunicorn.socket"):
        connection = environ.get(name)
        if connection is not None:
            connection.shutdown(socket.SHUT_RDWR)
