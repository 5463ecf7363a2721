"""What was asked of the simulator, and where its answers or its callers left the contract."""

from collections import deque
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any, Final

from booking_service.simulator.forms import Tree, without_card_numbers

_KEPT: Final = 5_000


@dataclass
class Entry:
    """One API request. `status` is 0 while it is under way, or if it got no answer."""

    at: float
    method: str
    path: str
    params: Tree
    idempotency_key: str
    request_id: str
    status: int = 0
    replayed: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Violation:
    """One departure from the contract. `side` is who departed.

    `answer` and `event` are ours; `request` is the caller; `unimplemented` is something Stripe
    does and we do not; `timer` is work of ours that broke.
    """

    side: str
    method: str
    path: str
    problems: list[str]


class Log:
    """The latest requests and violations, in memory."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: deque[Entry] = deque(maxlen=_KEPT)
        self._violations: deque[Violation] = deque(maxlen=_KEPT)

    def add(self, entry: Entry) -> Entry:
        """Write down a request; of anything like a card number, four digits are kept."""
        entry.params = without_card_numbers(entry.params)
        with self._lock:
            self._entries.append(entry)
        return entry

    def violated(self, violation: Violation) -> None:
        """Write down a departure from the contract."""
        with self._lock:
            self._violations.append(violation)

    def entries(self) -> list[dict[str, Any]]:
        """Return the requests, oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def violations(self) -> list[dict[str, Any]]:
        """Return the departures, oldest first."""
        with self._lock:
            return [asdict(violation) for violation in self._violations]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._violations.clear()
