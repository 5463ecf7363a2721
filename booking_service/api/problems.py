"""Refusals for programs: RFC 9457 problem documents with a stable `code`."""

import json
from http import HTTPStatus
from typing import Any

from flask import Response

from booking_service.errors import BookingServiceError, Invalid


def answer(error: BookingServiceError, **more: object) -> Response:
    """Return a refusal as a problem document; `more` adds members, like `alternatives`."""
    body: dict[str, Any] = {"code": error.code, "detail": str(error), **more}
    if isinstance(error, Invalid):
        body["errors"] = [
            {"field": e.field, "code": e.code, "detail": e.detail} for e in error.errors
        ]
    response = _problem(error.status, body)
    response.headers.update(error.headers)
    return response


def plain(status: HTTPStatus) -> Response:
    """Return an HTTP error that has no more to say than its status."""
    return _problem(status, {"code": status.name.lower()})


def again(status: int, document: dict[str, Any]) -> Response:
    """Return a document that was answered before, as the kind of answer it was."""
    kind = "application/json" if status < HTTPStatus.BAD_REQUEST else "application/problem+json"
    return Response(json.dumps(document, sort_keys=True), status, mimetype=kind)


def _problem(status: HTTPStatus, body: dict[str, Any]) -> Response:
    document = {"type": "about:blank", "title": status.phrase, "status": int(status), **body}
    response = again(status, document)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
