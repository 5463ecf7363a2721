"""Things that go wrong on demand: what to spoil, how, and how often."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Event, Lock
from typing import Any, Final

LONGEST_HOLD: Final = 60.0  # seconds

REQUEST_KINDS: Final = {
    "delay": "wait `seconds`, then perform",
    "delay_after": "perform, then wait `seconds` before the answer",
    "drop_before": "close the connection without performing",
    "drop_after": "perform, then close the connection without an answer",
    "error_500_before": "do not perform; answer 500, saved under the key",
    "error_500_after": "perform, then answer 500, saved under the key",
    "rate_limit": "429, not performed, not saved",
    "conflict": "409 idempotency_key_in_use, not performed, not saved",
    "unauthorized": "401, not performed, not saved",
    "hold_before": "wait for the release (60 s at the most), then perform",
    "hold_performing": "wait for the release with the key in use, then perform",
    "hold": "perform, then wait for the release (60 s at the most) before the answer",
}
EVENT_KINDS: Final = {
    "drop": "lose one attempt; the next follows by the schedule",
    "lose": "never send it, until it is resent by hand",
    "delay": "send it `seconds` later",
    "duplicate": "send it `copies` times",
    "twin": "send a second event about the same change, with an id of its own",
    "bad_signature": "sign one attempt with another secret",
    "old_timestamp": "sign one attempt with a time ten minutes ago",
}
_TYPES: Final = {"times": int, "seconds": int | float, "copies": int, "headers": dict}


@dataclass
class Fault:
    """One thing to spoil: requests by method and path, or deliveries by type of event."""

    id: str
    kind: str
    method: str = "*"
    path: str = "*"
    event: str = ""
    times: int = 1
    seconds: float = 1.0
    copies: int = 2
    headers: dict[str, str] = field(default_factory=dict)  # added to the answer of a refusal
    fired: int = 0
    blocked: int = 0  # requests that wait in it now
    released: Event = field(default_factory=Event)

    def as_json(self) -> dict[str, Any]:
        """Return it for the control plane."""
        names = ("id", "kind", "method", "path", "event", "times", "seconds", "copies", "fired")
        return {name: getattr(self, name) for name in names} | {
            "headers": self.headers,
            "blocked": self.blocked,
            "released": self.released.is_set(),
        }


class Faults:
    """The faults that wait for something to spoil, in the order they were set."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = Lock()
        self._made = 0

    def add(self, facts: dict[str, Any]) -> Fault:
        """Set a fault.

        Raises:
            ValueError: the kind does not exist, or a fact is unknown or of the wrong type.
        """
        kinds = EVENT_KINDS if "event" in facts else REQUEST_KINDS
        if facts.get("kind") not in kinds:
            raise ValueError(f"kind must be one of {', '.join(kinds)}")
        known = {"kind", "method", "path", "event", "times", "seconds", "copies", "headers"}
        if unknown := facts.keys() - known:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
        for name, fact in facts.items():
            if not isinstance(fact, _TYPES.get(name, str)):
                raise ValueError(f"{name} is of the wrong type")  # noqa: TRY004 - answered with 400
        with self._lock:
            self._made += 1
            fault = Fault(id=f"fault_{self._made}", **facts)
            fault.method = fault.method.upper()
            self._faults.append(fault)
        return fault

    def take_request(self, method: str, path: str) -> Fault | None:
        """Return the first fault that spoils this request, and count it as fired."""
        return self._take(
            lambda f: not f.event and f.method in {"*", method} and fnmatchcase(path, f.path)
        )

    def take_event(self, type_: str) -> Fault | None:
        """Return the first fault that spoils this delivery, and count it as fired."""
        return self._take(lambda f: bool(f.event) and fnmatchcase(type_, f.event))

    def _take(self, fits: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.fired < fault.times and fits(fault):
                    fault.fired += 1
                    return fault
        return None

    @contextmanager
    def _counted(self, fault: Fault) -> Iterator[None]:
        with self._lock:
            fault.blocked += 1
        try:
            yield
        finally:
            with self._lock:
                fault.blocked -= 1

    def wait_for_release(self, fault: Fault) -> None:
        """Block the caller until someone releases the fault, or for a minute."""
        with self._counted(fault):
            fault.released.wait(LONGEST_HOLD)

    def all(self) -> list[Fault]:
        """Return every fault set since the last clearing."""
        with self._lock:
            return list(self._faults)

    def find(self, id_: str) -> Fault | None:
        """Return a fault by its id."""
        return next((fault for fault in self.all() if fault.id == id_), None)

    def clear(self) -> None:
        """Forget all faults, and let go what is held in them."""
        with self._lock:
            for fault in self._faults:
                fault.released.set()
            self._faults = []
