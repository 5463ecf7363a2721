"""Pages in: parse, call one service or query, answer."""

from flask import Flask

from booking_service.web import (
    book,
    desk,
    desk_changes,
    embed,
    errors,
    filters,
    finance,
    health,
    joining,
    languages,
    members,
    newcomers,
    payouts,
    qr,
    security,
    sign_in,
    texts,
    visit,
    visit_links,
    walk_ins,
    webhooks,
)


def register(app: Flask) -> None:
    """Attach every blueprint, the formatters, and what happens to refusals."""
    for module in (
        book,
        embed,
        newcomers,
        visit,
        visit_links,
        joining,
        sign_in,
        desk,
        desk_changes,
        members,
        walk_ins,
        finance,
        payouts,
        webhooks,
        texts,
        health,
    ):
        app.register_blueprint(module.bp)
    security.register(app)
    languages.register(app)
    filters.register(app)
    qr.register(app)
    errors.register(app)
