"""Idempotency keys (https://docs.stripe.com/api/idempotent_requests)."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final

from booking_service.simulator.account import Account
from booking_service.simulator.clock import DAY
from booking_service.simulator.errors import StripeError
from booking_service.simulator.forms import Tree

_LONGEST: Final = 255


@dataclass(frozen=True)
class Answer:
    """A finished answer, as it goes over the wire."""

    status: int
    body: str
    request_id: str
    is_replayed: bool = False


class Answers:
    """The first answer to every key, kept for a day, and the keys whose answer is still made."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._busy: set[str] = set()
        self._pruned_until = 0  # Unix seconds
        self._lock = Lock()

    @contextmanager
    def reserved(self, key: str) -> Iterator[None]:
        """Hold a key while its request is performed.

        Raises:
            StripeError: 409, another request with this key is being performed; 400, too long.
        """
        if len(key) > _LONGEST:
            message = "Idempotency keys must be at most 255 characters."
            raise StripeError(message, type_="idempotency_error", is_saved=False)
        with self._lock:
            if key in self._busy:
                raise in_use(key)
            self._busy.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(key)

    def find(self, key: str, request: str) -> Answer | None:
        """Return the saved answer.

        Raises:
            StripeError: 400, the key was used for another request.
        """
        oldest = self._account.clock.now() - DAY
        store = self._account.store
        if oldest != self._pruned_until:  # they are counted in whole seconds
            store.rows("DELETE FROM answers WHERE created <= ?", (oldest,))
            self._pruned_until = oldest
        found = store.rows("SELECT * FROM answers WHERE key = ?", (key,))
        if not found:
            return None
        if found[0]["request"] != request:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}'."
            )
            raise StripeError(message, type_="idempotency_error", is_saved=False)
        saved = found[0]
        return Answer(saved["status"], saved["body"], saved["request_id"], is_replayed=True)

    def save(self, key: str, request: str, answer: Answer) -> None:
        """Remember the answer for a day."""
        now = self._account.clock.now()
        self._account.store.rows(
            "INSERT INTO answers (key, request, status, body, request_id, created)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (key, request, answer.status, answer.body, answer.request_id, now),
        )


def in_use(key: str) -> StripeError:
    """Return the refusal of a key whose first request is still being performed."""
    message = f"There is currently another in-progress request using this key: {key}"
    return StripeError(
        message,
        status=409,
        type_="idempotency_error",
        code="idempotency_key_in_use",
        is_saved=False,
    )


def fingerprint(method: str, path: str, tree: Tree) -> str:
    """Return what makes two requests the same; nothing of the parameters can be read from it."""
    text = json.dumps([method, path, tree], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
