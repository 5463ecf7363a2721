"""What goes wrong: process death, a failing database, a queue that loses, a Stripe in a mood.

Each is drawn from the seed and counted when it has really happened, not when it was planned.
"""

import threading
from collections import Counter
from dataclasses import dataclass
from random import Random

from tests.stripe_account import StripeAccount


class Killed(BaseException):
    """The process died here. Nothing of the service catches it, as nothing catches SIGKILL."""


# What may happen to the work under way, and how often in proportion.
SEAMS = {
    "killed_before_call": 6,
    "killed_after_call": 9,
    "killed_before_commit": 6,
    "killed_after_commit": 6,
    "killed_after_mail": 5,
    "mail_refused": 3,
    "connection_lost": 4,
    "lock_timeout": 6,
}
# At which passing of its place a fault happens: a step commits several times, and mails once.
_AT_A_COMMIT, _ELSEWHERE = (1, 1, 2, 2, 3, 4), (1, 1, 1, 2)
MESSAGES = {"message_lost": 3, "message_twice": 3, "message_stale": 2, "message_concurrent": 1}
REQUESTS = {
    "drop_before": 5,
    "drop_after": 8,
    "error_500_before": 5,
    "error_500_after": 7,
    "rate_limit": 4,
    "conflict": 4,
    "delay_after": 0.3,  # each costs the client's whole timeout in real time
    "unauthorized": 0.3,
}
PATHS = (
    ("POST", "/v1/refunds"),
    ("POST", "/v1/subscriptions"),
    ("POST", "/v1/checkout/sessions"),
    ("POST", "/v1/checkout/sessions/*/expire"),
    ("GET", "/v1/checkout/sessions/*"),
    ("GET", "/v1/refunds*"),
    ("GET", "/v1/*"),
)
EVENTS = {"drop": 4, "duplicate": 4, "twin": 2, "bad_signature": 3, "old_timestamp": 3, "lose": 1}
EVENT_TYPES = ("checkout.session.*", "refund.*")
TABLES = ("bookings", "payments", "refunds", "memberships", "outbox_messages", "patients")

CHANCE_OF_A_SEAM = 0.12
CHANCE_OF_A_MESSAGE = 0.09
CHANCE_AT_STRIPE = 0.12
_STRIPE_ROUND = 200  # faults that wait at Stripe before they are counted and cleared


@dataclass
class Armed:
    """One seam fault that waits in a thread: at the `after`-th time its place is passed."""

    kind: str
    after: int
    table: str


class Trouble:
    """Draws what goes wrong, and counts what did."""

    def __init__(self, seed: int, stripe: StripeAccount) -> None:
        self.counted: Counter[str] = Counter()
        # Requests from Stripe come when its threads run; what they draw must not shift the rest.
        self._random, self._of_web = Random(f"{seed} work"), Random(f"{seed} web")
        self._stripe = stripe
        self._here = threading.local()
        self._lock = threading.Lock()
        self._at_stripe = 0
        self.is_over = False

    def arm(self, *, is_web: bool = False) -> Armed | None:
        """Perhaps let something go wrong in the step this thread is about to take."""
        self._here.armed, self._here.fired, self._here.is_dead = None, "", False
        random = self._of_web if is_web else self._random
        with self._lock:
            if self.is_over or random.random() >= CHANCE_OF_A_SEAM:
                return None
            kind = random.choices(list(SEAMS), list(SEAMS.values()))[0]
            passings = _AT_A_COMMIT if kind.endswith(("commit", "lost")) else _ELSEWHERE
            after = 1 if "mail" in kind else random.choice(passings)
            armed = Armed(kind, after, random.choice(TABLES))
        self._here.armed = armed
        return armed

    def disarm(self) -> str:
        """End the step; return what went wrong in it, if anything did."""
        fired: str = getattr(self._here, "fired", "")
        self._here.armed, self._here.fired, self._here.is_dead = None, "", False
        return fired

    def passes(self, *kinds: str) -> str:
        """Return the fault that happens at this place now, or nothing.

        A process that died does nothing more: every place it passes kills it again.
        """
        if getattr(self._here, "is_dead", False):
            raise Killed
        armed: Armed | None = getattr(self._here, "armed", None)
        if armed is None or armed.kind not in kinds:
            return ""
        armed.after -= 1
        if armed.after > 0:
            return ""
        self.happened(armed.kind)
        return armed.kind

    def happened(self, kind: str) -> None:
        """Count a fault of this thread's step."""
        self._here.armed, self._here.fired = None, kind
        self.count(kind)

    def kill(self) -> None:
        """Let this thread's process die, for good."""
        self._here.is_dead = True
        raise Killed

    def count(self, kind: str) -> None:
        """Count a fault that happened."""
        with self._lock:
            self.counted[kind] += 1

    def of_message(self) -> str:
        """Return what the queue does to a message, or nothing."""
        if self.is_over or self._random.random() >= CHANCE_OF_A_MESSAGE:
            return ""
        return self._drawn(MESSAGES)

    def chance(self, share: float) -> bool:
        """Return whether something of this probability happens."""
        return self._random.random() < share

    def at_stripe(self) -> None:
        """Perhaps spoil a request to Stripe, or an event from there, that is still to come."""
        if self.is_over or self._random.random() >= CHANCE_AT_STRIPE:
            return
        if self._random.random() < 0.6:
            method, path = self._random.choice(PATHS)
            self._stripe.fault(self._drawn(REQUESTS), path, method, seconds=1)
        else:
            kind, event = self._drawn(EVENTS), self._random.choice(EVENT_TYPES)
            self._stripe.fault(kind, "*", event=event)
        self._at_stripe += 1
        if self._at_stripe % _STRIPE_ROUND == 0:
            self.clear_stripe()

    def lose_event(self, event: str) -> None:
        """Lose the next event of a type for good, whoever it is about."""
        if not self.is_over:
            self._stripe.fault("lose", "*", event=event)

    def clear_stripe(self) -> None:
        """Count what fired at Stripe, and forget what did not."""
        for fault in self._stripe.faults():
            place = "event" if fault["event"] else "stripe"
            self.counted[f"{place}_{fault['kind']}"] += fault["fired"]
        self._stripe.heal()

    def end(self) -> None:
        """Let nothing go wrong any more."""
        self.is_over = True
        self.clear_stripe()

    def _drawn(self, weights: dict[str, float]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]
