"""Whose word an event is, and how old it may be."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from booking_service import clock
from booking_service.errors import SignatureInvalid
from booking_service.gateways.payments import Event
from booking_service.gateways.stripe import StripeGateway


def signed(body: bytes, secret: str, at: float) -> str:
    mac = hmac.new(secret.encode(), f"{int(at)}.".encode() + body, hashlib.sha256)
    return f"t={int(at)},v1={mac.hexdigest()}"


BODY = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "refund.updated",
        "data": {"object": {"id": "re_1", "object": "refund"}},
    }
).encode()


@pytest.fixture
def rotating(settings, app) -> StripeGateway:
    """A gateway that knows the old and the new secret."""
    both = replace(settings, stripe_webhook_secrets=("whsec_old", "whsec_new"))
    return StripeGateway(both, timedelta(seconds=2))


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
def test_while_a_secret_is_rotated_both_verify(rotating, secret):
    now = clock.utc_now().timestamp()

    event = rotating.read_event(BODY, signed(BODY, secret, now))

    assert event == Event("evt_1", "refund.updated", "re_1")


@pytest.mark.parametrize(
    ("age", "is_accepted"), [(0, True), (290, True), (-290, True), (310, False), (-310, False)]
)
def test_a_signature_is_good_for_five_minutes(rotating, age, is_accepted):
    signature = signed(BODY, "whsec_new", clock.utc_now().timestamp() - age)

    try:
        rotating.read_event(BODY, signature)
    except SignatureInvalid:
        assert not is_accepted
    else:
        assert is_accepted


def test_what_was_not_signed_by_stripe_is_refused(rotating):
    now = clock.utc_now().timestamp()
    good = signed(BODY, "whsec_new", now)
    forged = {
        "another secret": (BODY, signed(BODY, "whsec_other", now)),
        "another body": (BODY.replace(b"re_1", b"re_2"), good),
        "another time": (BODY, good.replace(f"t={int(now)}", f"t={int(now) - 1}")),
        "no signature": (BODY, ""),
        "no time": (BODY, good.partition(",")[2]),
        "nonsense": (BODY, "t=abc,v1=,,=,"),
        "no event": (b"[", signed(b"[", "whsec_new", now)),
    }

    refused = []
    for name, (body, signature) in forged.items():
        with pytest.raises(SignatureInvalid):
            rotating.read_event(body, signature)
        refused.append(name)
    assert refused == list(forged)
