"""Random trouble on the way to the endpoints: Stripe promises no order, and allows duplicates."""

from random import Random
from threading import Lock
from typing import Final

_DUPLICATED: Final = 0.25  # share of the deliveries
_DELAYED: Final = 0.5
_LONGEST: Final = 1.5  # seconds of the simulator's clock


class Disorder:
    """Decides, from a seed, how often and how late each event arrives."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - it must be repeatable, not secret
        self._lock = Lock()

    def delays(self) -> list[float]:
        """Return one wait in seconds for every copy of an event, none of them lost."""
        with self._lock:
            copies = 2 if self._random.random() < _DUPLICATED else 1
            return [self._delay() for _ in range(copies)]

    def _delay(self) -> float:
        return self._random.uniform(0, _LONGEST) if self._random.random() < _DELAYED else 0.0
