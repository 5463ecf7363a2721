"""Putting the service together. Nobody else knows all the pieces."""

import gc
import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from booking_service import api, logs, web
from booking_service.config import Settings
from booking_service.db import db, engine_options
from booking_service.gateways.sms import TextMessages
from booking_service.gateways.smtp import SmtpMailer
from booking_service.gateways.stripe import StripeGateway
from booking_service.links import Links
from booking_service.queries.ready import ReadyAnswers

ROOT: Final = Path(__file__).resolve().parent.parent

# Pages and API calls carry no files; webhooks stay far below this.
_LARGEST_REQUEST_BYTES: Final = 256 * 1024
# A page that waits for Stripe says so after this long; workers may wait longer.
_PERSON_WAITS: Final = timedelta(seconds=4)


def create_app(settings: Settings | None = None, *, is_called: bool = True) -> Flask:
    """Put the service together.

    Args:
        settings: those of the environment; tests pass their own, and nobody else does.
        is_called: whether anybody calls this process. Workers leave out the API, the limits and
            compression, which saves each of them 11 MB; they keep the pages, whose formatters
            write the mails.
    """
    settings = settings or Settings.from_env()
    logs.configure(settings.log_format)
    app = Flask(__name__, template_folder=str(ROOT / "templates"))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(pool_size=5),
        MAX_CONTENT_LENGTH=_LARGEST_REQUEST_BYTES,
        MAX_FORM_MEMORY_SIZE=_LARGEST_REQUEST_BYTES,
        SESSION_COOKIE_NAME="__Host-session" if settings.is_https else "session",
        SESSION_COOKIE_SECURE=settings.is_https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    app.extensions["settings"] = settings
    app.extensions["gateway"] = StripeGateway(settings, min(settings.stripe_timeout, _PERSON_WAITS))
    app.extensions["mailer"] = SmtpMailer(settings.smtp_url, settings.mail_from)
    app.extensions["ready_answers"] = ReadyAnswers(settings.database_url)
    app.extensions["texts"] = _texts(settings)
    app.extensions["links"] = Links(settings.secret_key, settings.public_base_url)
    db.init_app(app)
    web.register(app)
    if is_called:
        from booking_service.web import compression, limits  # noqa: PLC0415  # workers are spared

        api.register(app)
        limits.register(app)
        compression.register(app)
    if settings.trusted_proxy_count:
        hops = settings.trusted_proxy_count
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask documents exactly this
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        from booking_service import cli  # noqa: PLC0415  # its migrations cost 12 MB a process

        cli.register(app)
    # What lives as long as the process is not gone through with each collection of garbage: that
    # made one page of 200 visits in twenty take three times as long.
    gc.collect()
    gc.freeze()
    return app


def _texts(settings: Settings) -> TextMessages | None:
    """Return the way text messages take, if the practice sends any."""
    if not settings.sms_url:
        return None
    from booking_service.gateways.twilio import TwilioTexts  # noqa: PLC0415  # off for most

    return TwilioTexts(settings.sms_url, f"{settings.public_base_url}/webhooks/sms")
