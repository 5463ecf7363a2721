"""Somebody who is not Stripe posts to where Stripe posts: forgeries, garbage, and what it said."""

import hashlib
import hmac
import json
from datetime import timedelta
from random import Random

from tests.month.actions import Story
from tests.month.clinic import Clinic

_TOLERANCE = timedelta(minutes=5)


def forges(clinic: Clinic, random: Random) -> Story:
    """Every few hours, try one way of being believed; each must be refused."""
    while True:
        yield clinic.world.now + timedelta(hours=random.uniform(2, 10))
        now = int(clinic.world.now.timestamp())
        body, signature = random.choice((_garbage, _unsigned, _forged))(random, now)
        clinic.forge(body, signature)
        too_old = clinic.world.now - _TOLERANCE
        heard = [each for each in tuple(clinic.world.door.heard) if each.at < too_old]
        if heard:
            again = random.choice(heard)
            clinic.forge(again.body, again.signature)


def _garbage(random: Random, now: int) -> tuple[bytes, str]:
    body = random.choice((b"", b"\xff\xfe", b"[]", b"{", b"[" * 5_000))
    return body, random.choice(("", "t=,v1=", f"t={now},v1=00", "v1"))


def _unsigned(random: Random, now: int) -> tuple[bytes, str]:
    return _event(random), random.choice(("", f"t={now}", f"t={now},v0={'0' * 64}"))


def _forged(random: Random, now: int) -> tuple[bytes, str]:
    """Sign with a secret of one's own: the empty one, or a guess."""
    body, secret = _event(random), random.choice((b"", b"whsec_", random.randbytes(16)))
    digest = hmac.new(secret, b"%d.%b" % (now, body), hashlib.sha256).hexdigest()
    return body, f"t={now},v1={digest}"


def _event(random: Random) -> bytes:
    page = {"object": "checkout.session", "id": f"cs_test_{random.randrange(10**9)}"}
    event = {
        "id": f"evt_{random.randrange(10**9)}",
        "object": "event",
        "type": "checkout.session.completed",
        "data": {"object": page},
    }
    return json.dumps(event).encode()
