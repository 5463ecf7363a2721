"""Stripe's way in. The signature is the authentication."""

from flask import Blueprint, current_app, request

from booking_service.services import webhooks
from booking_service.web.security import csrf, open_to_all

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")
bp.before_request(open_to_all)
csrf.exempt(bp)


@bp.post("/stripe")
def stripe() -> tuple[str, int]:
    """Verify, keep, answer. The work happens in `workers.webhooks`, where Stripe is not waiting."""
    gateway = current_app.extensions["gateway"]
    event = gateway.read_event(request.get_data(), request.headers.get("Stripe-Signature", ""))
    webhooks.receive(event)
    return "", 204
