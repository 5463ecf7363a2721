"""Pages in: parse, call one service or query, answer."""

from flask import Flask

from booking_service.web import (
    agreements,
    book,
    desk,
    desk_agreements,
    desk_changes,
    desk_follow_ups,
    desk_money,
    desk_print,
    desk_steps,
    desk_waitlist,
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
    same_person,
    security,
    sign_in,
    stations,
    texts,
    visit,
    visit_links,
    visit_notes,
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
        agreements,
        sign_in,
        stations,
        desk,
        desk_agreements,
        desk_changes,
        desk_follow_ups,
        desk_money,
        desk_print,
        desk_steps,
        desk_waitlist,
        same_person,
        visit_notes,
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
