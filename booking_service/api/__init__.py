"""JSON in and out, under /api/v1: the same services, for programs."""

from flask import Flask


def register(app: Flask) -> None:
    """Attach the API. No cookie is read here, so there is nothing for CSRF to protect."""
    # Here and not above: the web's error pages use `api.problems`, and these use the web's guard.
    from booking_service.api import bookings, desk, docs, exceptions, finance, public  # noqa: PLC0415  # see above
    from booking_service.web.security import csrf  # noqa: PLC0415

    for module in (public, bookings, desk, finance, exceptions, docs):
        csrf.exempt(module.bp)
        app.register_blueprint(module.bp)
