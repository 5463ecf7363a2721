"""Settings refuse to start wrong, and never show a secret."""

from datetime import timedelta

import pytest

from booking_service.config import ConfigError, Settings

GOOD = {
    "DATABASE_URL": "postgresql+psycopg://user:canary-db@db/booking",
    "REDIS_URL": "redis://:canary-redis@redis/0",
    "SECRET_KEY": "canary-secret-key-of-more-than-32-bytes",
    "PUBLIC_BASE_URL": "https://visits.example",
    "STRIPE_API_KEY": "sk_test_canary",
    "STRIPE_WEBHOOK_SECRETS": "whsec_canary,whsec_other",
    "SMTP_URL": "smtp://user:canary-smtp@mail:25",
    "MAIL_FROM": "desk@visits.example",
}


@pytest.mark.parametrize("name", sorted(GOOD))
def test_a_missing_variable_is_named(name):
    with pytest.raises(ConfigError, match=f"^{name} is not set$"):
        Settings.from_env({k: v for k, v in GOOD.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///canary.db"),
        ("REDIS_URL", "http://canary"),
        ("SECRET_KEY", "canary"),
        ("PUBLIC_BASE_URL", "visits.example/canary"),
        ("STRIPE_API_KEY", "pk_test_canary"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_a,canary"),
        ("SMTP_URL", "canary"),
        ("SMS_URL", "smtp://canary"),
        ("SMS_URL", "twilio://canary@api.twilio.com/?from=+15185550100"),
        ("SMS_URL", "twilio://AC1:canary@api.twilio.com/"),
        ("SMS_URL", "twilio://AC1:canary@api.twilio.com/?from=5185550100"),
        ("SMS_URL", "twilio+http://AC1:canary@api.twilio.com/?from=+15185550100"),
        ("STRIPE_API_BASE", "canary"),
        ("TRUSTED_PROXY_COUNT", "-1"),
        ("HOLDS_PER_CLIENT", "0"),
        ("HOLDS_PER_CLIENT", "many"),
        ("LOG_FORMAT", "canary"),
        ("HOLD_SECONDS", "0"),
        ("LEASE_SECONDS", "1.5"),
        ("UNDO_SECONDS", "ten"),
        ("JANITOR_DELAYS_SECONDS", "1,,2"),
    ],
)
def test_an_unsafe_value_is_named_and_not_shown(name, value):
    with pytest.raises(ConfigError, match=f"^{name} must") as refused:
        Settings.from_env({**GOOD, name: value})

    assert "canary" not in str(refused.value)


def test_live_money_never_goes_to_a_simulator():
    live = {**GOOD, "STRIPE_API_KEY": "sk_live_x", "STRIPE_API_BASE": "http://127.0.0.1:8001"}

    with pytest.raises(ConfigError, match=r"^STRIPE_API_BASE must be"):
        Settings.from_env(live)


def test_live_money_needs_an_encrypted_address():
    live = {**GOOD, "STRIPE_API_KEY": "rk_live_x", "PUBLIC_BASE_URL": "http://visits.example"}

    with pytest.raises(ConfigError, match=r"^PUBLIC_BASE_URL must be https"):
        Settings.from_env(live)


def test_secrets_are_not_printed():
    texts = {"SMS_URL": "twilio://AC1:canary@api.twilio.com/?from=%2B15185550100"}
    assert "canary" not in repr(Settings.from_env(GOOD | texts))


def test_without_a_provider_there_are_no_texts():
    assert (
        Settings.from_env(GOOD).sms_url == Settings.from_env(GOOD | {"SMS_URL": ""}).sms_url == ""
    )


def test_timers_are_read_by_their_names():
    timers = {"HOLD_SECONDS": "1", "UNDO_SECONDS": "2", "JANITOR_DELAYS_SECONDS": "1, 60"}

    settings = Settings.from_env({**GOOD, **timers})

    assert (settings.hold, settings.undo) == (timedelta(seconds=1), timedelta(seconds=2))
    assert settings.janitor_delays == (timedelta(seconds=1), timedelta(minutes=1))
    assert settings.lease == timedelta(seconds=60)
