"""The API described: OpenAPI for programs, one readable page for people."""

from typing import Any

from flask import Blueprint, render_template

from booking_service.api.access import anybody
from booking_service.api.contract import openapi

bp = Blueprint("api_docs", __name__, url_prefix="/api/v1")
bp.before_request(anybody)


@bp.get("/openapi.json")
def description() -> dict[str, Any]:
    """The API, for programs."""
    return openapi()


@bp.get("/docs")
def page() -> str:
    """The API, for people: every call with what it takes and answers."""
    return render_template("api/docs.html", api=openapi())
