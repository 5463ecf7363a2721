"""Reading what Stripe posts to us: the signature first, then three short texts."""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import stripe

from booking_service.clock import utc_now
from booking_service.errors import SignatureInvalid
from booking_service.gateways.payments import Event

_TOLERANCE_SECONDS: Final = 300
_WORD: Final = re.compile(r"[\w.]{1,255}")


def read_event(body: bytes, signature: str, secrets: Sequence[str]) -> Event:
    """Verify and parse a webhook body. While a secret is rotated, either of two will do.

    Raises:
        SignatureInvalid: the signature is missing, wrong, or not of the last 300 seconds; or what
            was signed is no event.
    """
    if _signed_at(signature) > utc_now().timestamp() + _TOLERANCE_SECONDS:
        raise SignatureInvalid("The signature is from the future.")  # the SDK accepts these
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise SignatureInvalid("The body is not text.") from error
    if not any(_verifies(text, signature, secret) for secret in secrets):
        raise SignatureInvalid("The signature does not verify.")
    return _parse(text)


def listed(event: stripe.Event) -> Event:
    """Read an event that Stripe was asked for: what comes over our own key needs no signature."""
    return Event(event.id, event.type, getattr(event.data.object, "id", "none"))


def _verifies(text: str, signature: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(text, signature, secret, _TOLERANCE_SECONDS)
    except stripe.SignatureVerificationError:
        return False
    return True


def _parse(text: str) -> Event:
    try:
        event: Any = json.loads(text)
        changed = event["data"]["object"]
        # A few objects, like the balance, have no id.
        words = (event["id"], event["type"], changed.get("id", "none"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SignatureInvalid("The body is no event.") from error
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
        raise SignatureInvalid("The body is no event.")
    return Event(*words)


def _signed_at(signature: str) -> float:
    for part in signature.split(","):
        name, _, value = part.partition("=")
        if name.strip() == "t" and value.isdecimal():
            return float(value)
    return 0.0
