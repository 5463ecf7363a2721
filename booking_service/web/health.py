"""Whether the process answers, whether it can serve, and numbers for the monitoring."""

from flask import Blueprint, Response, abort, current_app, request
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from booking_service.models import Role
from booking_service.queries import finance_payouts, health
from booking_service.services import staff
from booking_service.web.security import open_to_all

bp = Blueprint("health", __name__)
bp.before_request(open_to_all)


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the process answers. Looks at nothing else."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> tuple[dict[str, object], int]:
    """Say whether requests can be served. Without Redis they can: work waits in the outbox."""
    state = health.readiness(current_app.extensions["settings"].redis_url)
    return {"status": state.status, **state.facts}, 503 if state.status == "down" else 200


@bp.get("/metrics")
def metrics() -> Response:
    """Numbers in Prometheus' text format, for the bearer of an administrator's token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    bearer = staff.token_bearer(token) if scheme == "Bearer" else None
    if bearer is None or bearer.scope is not Role.ADMIN:
        abort(401)
    registry = CollectorRegistry()
    for name, (meaning, value) in (health.gauges() | finance_payouts.gauges()).items():
        Gauge(f"booking_{name}", meaning, registry=registry).set(value)
    return Response(generate_latest(registry), mimetype="text/plain; version=0.0.4")
