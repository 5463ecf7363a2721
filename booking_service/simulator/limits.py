"""How often a caller may ask (https://docs.stripe.com/rate-limits).

Each limit is a token bucket, as Stripe describes its own (https://stripe.com/blog/rate-limiters):
so many requests at once, then as many as time gives back. The time is the machine's, not the
simulator's: who moves the clock by a month has not waited for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from booking_service.simulator.errors import StripeError
from booking_service.simulator.shapes import Operation

_HOUR: Final = 3600.0  # seconds
_SEARCHES: Final = 20.0  # a second, for each kind of object
_INTENT: Final = "/v1/payment_intents/{intent}"
_UPDATES_OF_INTENT: Final = 1000.0  # an hour, for each intent
_GLOBAL: Final = "global-rate"


@dataclass(frozen=True)
class Rates:
    """How many requests a second are answered: of the whole account, and at each endpoint."""

    account: float
    endpoint: float


KNOWN: Final = {"live": Rates(100, 25), "sandbox": Rates(25, 25)}


@dataclass
class _Bucket:
    """`level` tokens were left at `seen`; `size` of them come back in every `seconds`."""

    size: float
    seconds: float
    level: float
    seen: float

    def fill(self, now: float) -> None:
        """Put in what the time since the last look gives back."""
        back = (now - self.seen) * self.size / self.seconds
        self.level, self.seen = min(self.size, self.level + back), now


class Limits:
    """The requests of one account, counted."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing counted; `now` returns seconds that only go forward."""
        self._now = now
        self._lock = Lock()
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._buckets.clear()

    def admit(self, rates: Rates, operation: Operation, object_id: str) -> None:
        """Count a request. One that is refused is not counted, at none of its limits.

        Raises:
            StripeError: 429, with the limit that was passed in a header.
        """
        wanted = _limits_of(rates, operation, object_id)
        with self._lock:
            now = self._now()
            for name, size, seconds in wanted:
                if name not in self._buckets:
                    self._buckets[name] = _Bucket(size, seconds, size, now)
                self._buckets[name].fill(now)
            for name, _, _ in wanted:
                if self._buckets[name].level < 1:
                    raise rate_limited(name[0])
            for name, _, _ in wanted:
                self._buckets[name].level -= 1


def _limits_of(
    rates: Rates, operation: Operation, object_id: str
) -> list[tuple[tuple[str, str], float, float]]:
    """Return the limits a request counts against: reason and subject, how many, in what time."""
    endpoint = f"{operation.method} {operation.path}"
    is_search = operation.path.endswith("/search")
    of_endpoint = min(rates.endpoint, _SEARCHES) if is_search else rates.endpoint
    found = [((_GLOBAL, ""), rates.account, 1.0), (("endpoint-rate", endpoint), of_endpoint, 1.0)]
    if (operation.method, operation.path) == ("post", _INTENT):
        found.append((("resource-specific", object_id), _UPDATES_OF_INTENT, _HOUR))
    return found


def rate_limited(reason: str = _GLOBAL) -> StripeError:
    """Return the refusal of one request too many; `reason` is Stripe's word for the limit."""
    message = "Request rate limit exceeded. Learn more about rate limits here "
    message += "https://stripe.com/docs/rate-limits."
    refusal = StripeError(message, status=429, code="rate_limit", is_saved=False)
    refusal.headers = {"Stripe-Rate-Limited-Reason": reason}
    return refusal
