"""What happens to a refusal: a page for people, a problem document for programs."""

from http import HTTPStatus
from typing import Any, Final

from flask import Flask, current_app, render_template, request
from sqlalchemy import exc
from werkzeug.exceptions import HTTPException

from booking_service.api import problems
from booking_service.errors import BookingServiceError
from booking_service.web import languages

# Callers of these read JSON, or nothing at all.
_MACHINES: Final = ("/api/", "/webhooks/", "/healthz", "/readyz", "/metrics")


def register(app: Flask) -> None:
    """Answer every refusal in the caller's language, with the status it deserves."""
    app.register_error_handler(BookingServiceError, refused)
    app.register_error_handler(HTTPException, failed)
    app.register_error_handler(exc.OperationalError, _database_busy)
    app.register_error_handler(exc.TimeoutError, _database_busy)
    app.register_error_handler(Exception, _bug)


def refused(error: BookingServiceError) -> Any:  # noqa: ANN401  # a page or a problem document
    """Answer a refusal with its status, a sentence, and when to try again if it knows."""
    if request.path.startswith(_MACHINES):
        return problems.answer(error)
    page = render_template("error.html", status=error.status, sentence=languages.refusal(error))
    return page, error.status, error.headers


def failed(error: HTTPException) -> Any:  # noqa: ANN401  # a page or a problem document
    """Answer what the framework refused."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return error  # a redirect
    return _plain(HTTPStatus(error.code))


def _database_busy(error: Exception) -> Any:  # noqa: ANN401  # a page or a problem document
    """The database is down, restarting, or locked for too long: nothing was done, try again."""
    current_app.logger.error("the database does not answer: %s", type(error).__name__)
    return _plain(HTTPStatus.SERVICE_UNAVAILABLE)


def _bug(error: Exception) -> Any:  # noqa: ANN401  # a page or a problem document
    current_app.logger.error("unexpected error", exc_info=error)
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _plain(status: HTTPStatus) -> Any:  # noqa: ANN401  # a page or a problem document
    if request.path.startswith(_MACHINES):
        return problems.plain(status)
    return render_template("error.html", status=status, sentence=None), status
