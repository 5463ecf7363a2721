"""Settings, read once from the environment and checked before anything starts."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, Final, Self
from urllib.parse import urlsplit

STRIPE_API: Final = "https://api.stripe.com"

# What an operator of a service with real money would call placeholders.
_SECRET_BYTES: Final = 32
_SMS_FROM: Final = re.compile(r"from=(?:\+|%2B)[1-9][0-9]{6,14}")


class ConfigError(Exception):
    """The environment does not describe a service that is safe to start."""


@dataclass(frozen=True)
class Settings:
    """Everything an operator may change. What belongs to the practice is in the database.

    Secrets have no default: a missing one stops the process at start, not at the first payment.
    """

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    secret_key: str = field(repr=False)
    public_base_url: str
    stripe_api_key: str = field(repr=False)
    stripe_webhook_secrets: tuple[str, ...] = field(repr=False)
    smtp_url: str = field(repr=False)
    mail_from: str
    sms_url: str = field(default="", repr=False)  # empty: no text messages
    stripe_api_base: str = STRIPE_API
    trusted_proxy_count: int = 0
    holds_per_client: int = 60  # times picked in ten minutes, from one client's address
    log_format: str = "json"

    # Each is set by its name in capitals and _SECONDS, like HOLD_SECONDS.
    hold: timedelta = timedelta(seconds=600)
    checkout: timedelta = timedelta(seconds=1860)
    undo: timedelta = timedelta(seconds=10)
    relay_interval: timedelta = timedelta(seconds=1)
    lease: timedelta = timedelta(seconds=60)
    celery_visibility_timeout: timedelta = timedelta(seconds=300)
    celery_restore_interval: timedelta = timedelta(seconds=5)
    stripe_timeout: timedelta = timedelta(seconds=20)
    refund_key_max_age: timedelta = timedelta(seconds=82800)
    hold_sweep: timedelta = timedelta(seconds=5)
    reminder_sweep: timedelta = timedelta(seconds=60)
    reconcile_interval: timedelta = timedelta(seconds=86400)
    session_idle: timedelta = timedelta(seconds=600)
    session_max: timedelta = timedelta(seconds=43200)
    janitor_delays: tuple[timedelta, ...] = (
        timedelta(seconds=300),
        timedelta(seconds=3600),
        timedelta(seconds=86400),
    )

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Build settings from environment variables.

        Raises:
            ConfigError: a variable is missing or unsafe; the message names it, never its value.
        """
        timers: dict[str, Any] = {
            f.name: _span(variable, env[variable])
            for f in fields(cls)
            if f.type is timedelta and env.get(variable := f"{f.name.upper()}_SECONDS")
        }
        delays = env.get("JANITOR_DELAYS_SECONDS")
        if delays:
            timers["janitor_delays"] = tuple(
                _span("JANITOR_DELAYS_SECONDS", text) for text in delays.split(",")
            )
        return cls(
            database_url=_database_url(env),
            redis_url=_url(env, "REDIS_URL", "redis", "rediss"),
            secret_key=_secret_key(env),
            public_base_url=_url(env, "PUBLIC_BASE_URL", "http", "https").rstrip("/"),
            stripe_api_key=_stripe_key(env),
            stripe_webhook_secrets=_webhook_secrets(env),
            smtp_url=_url(env, "SMTP_URL", "smtp", "smtps"),
            mail_from=_required(env, "MAIL_FROM"),
            sms_url=_sms_url(env),
            stripe_api_base=_stripe_base(env),
            trusted_proxy_count=_count(env, "TRUSTED_PROXY_COUNT", 0),
            holds_per_client=_count(env, "HOLDS_PER_CLIENT", 60, least=1),
            log_format=_choice(env, "LOG_FORMAT", "json", "text"),
            **timers,
        )

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        return _is_live(self.stripe_api_key)

    @property
    def is_https(self) -> bool:
        """Whether cookies may insist on an encrypted connection."""
        return self.public_base_url.startswith("https://")


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "").strip()
    if not value:
        raise ConfigError(f"{name} is not set")
    return value


def _url(env: Mapping[str, str], name: str, *schemes: str) -> str:
    value = _required(env, name)
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname:
        raise ConfigError(f"{name} must be a {' or '.join(schemes)} address with a host")
    return value


def _database_url(env: Mapping[str, str]) -> str:
    value = _required(env, "DATABASE_URL")
    if urlsplit(value).scheme != "postgresql+psycopg":
        raise ConfigError("DATABASE_URL must start with postgresql+psycopg://")
    return value


def _secret_key(env: Mapping[str, str]) -> str:
    value = _required(env, "SECRET_KEY")
    if len(value.encode()) < _SECRET_BYTES:
        raise ConfigError(f"SECRET_KEY must be at least {_SECRET_BYTES} bytes long")
    return value


def _is_live(key: str) -> bool:
    return key.startswith(("sk_live_", "rk_live_"))


def _stripe_key(env: Mapping[str, str]) -> str:
    value = _required(env, "STRIPE_API_KEY")
    if not value.startswith(("sk_test_", "rk_test_")) and not _is_live(value):
        raise ConfigError("STRIPE_API_KEY must be a secret or restricted Stripe key")
    if _is_live(value) and not env.get("PUBLIC_BASE_URL", "").startswith("https://"):
        raise ConfigError("PUBLIC_BASE_URL must be https with a live STRIPE_API_KEY")
    return value


def _sms_url(env: Mapping[str, str]) -> str:
    """Return twilio://SID:TOKEN@host/?from=+15185550100, or nothing."""
    if not env.get("SMS_URL"):
        return ""
    value = _url(env, "SMS_URL", "twilio", "twilio+http")
    parts = urlsplit(value)
    if not parts.username or not parts.password:
        raise ConfigError("SMS_URL must hold an account and its token")
    if not _SMS_FROM.fullmatch(parts.query):
        raise ConfigError("SMS_URL must end in ?from= and a number like +15185550100")
    if parts.scheme == "twilio+http" and parts.hostname != "127.0.0.1":
        raise ConfigError("SMS_URL must be twilio:// unless the host is 127.0.0.1")
    return value


def _stripe_base(env: Mapping[str, str]) -> str:
    if "STRIPE_API_BASE" not in env:
        return STRIPE_API
    value = _url(env, "STRIPE_API_BASE", "http", "https").rstrip("/")
    if value != STRIPE_API and _is_live(env.get("STRIPE_API_KEY", "")):
        raise ConfigError(f"STRIPE_API_BASE must be {STRIPE_API} with a live STRIPE_API_KEY")
    return value


def _webhook_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    secrets = tuple(part.strip() for part in _required(env, "STRIPE_WEBHOOK_SECRETS").split(","))
    if not all(secret.startswith("whsec_") for secret in secrets):
        raise ConfigError("STRIPE_WEBHOOK_SECRETS must be secrets starting with whsec_")
    return secrets


def _span(name: str, text: str) -> timedelta:
    if not text.strip().isdecimal() or int(text) < 1:
        raise ConfigError(f"{name} must be whole seconds, 1 or more")
    return timedelta(seconds=int(text))


def _count(env: Mapping[str, str], name: str, default: int, least: int = 0) -> int:
    text = env.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise ConfigError(f"{name} must be a whole number, {least} or more")
    return int(text)


def _choice(env: Mapping[str, str], name: str, default: str, *others: str) -> str:
    value = env.get(name, default)
    if value not in (default, *others):
        raise ConfigError(f"{name} must be one of {', '.join((default, *others))}")
    return value
