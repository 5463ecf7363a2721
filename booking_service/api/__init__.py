"""JSON in and out, under /api/v1: the same services, for programs."""

from flask import Flask


def register(app: Flask) -> None:
    """Attach the API. No cookie is read here, so there is nothing for CSRF to protect."""
    # Here and not above: the web's error pages use `api.problems`, and these use the web's guard.
    from booking_service.api import (  # noqa: PLC0415  # see above
        bookings,
        desk,
        docs,
        exceptions,
        finance,
        public,
        walk_ins,
    )
    from booking_service.web.security import csrf  # noqa: PLC0415

    for module in (public, bookings, desk, walk_ins, finance, exceptions, docs):
        csrf.exempt(module.bp)
        app.register_blueprint(module.bp)
