"""The list of what people do. Each action is a small story with a weight; others may be added.

A patient's life has three parts, drawn from the seed when the month begins: how they book and pay,
what happens at the visit, and what comes after. Each part is a generator: it yields the instant at
which it goes on, and the month lets time pass until then. A booking returns the visit that was paid
for, or None when it ends there; a visit returns whether the patient was made a member.

Add one with `@booking(weight)`, `@visit(weight)` or `@aftermath(weight)`; `card` is what it needs
the patient to pay with.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

GOOD, DECLINED_LATER = "4242424242424242", "4000000000000341"
REFUND_PENDS, REFUND_FAILS = "4000000000007726", "4000000000005126"

Story = Generator[datetime, None, Any]


@dataclass
class Patient:
    """Somebody who will visit, and everything that was decided about them from the seed."""

    number: int
    random: Random
    calls_at: datetime
    parts: dict[str, "Action"] = field(default_factory=dict)

    @property
    def details(self) -> dict[str, str]:
        """Name, e-mail and phone; each is a canary that must not turn up elsewhere."""
        return {
            "name": f"Zephyrine Quillfeather {self.number}",
            "email": f"quillfeather.{self.number}@canary.example",
            "phone": f"+1518777{self.number:04}",
        }

    @property
    def card(self) -> str:
        """The card the patient pays with."""
        return next((part.card for part in self.parts.values() if part.card), GOOD)


@dataclass
class Visit:
    """A first visit that was paid for."""

    patient: Patient
    booking_id: str
    token: str
    session_id: str
    starts_at: datetime
    is_member: bool = False


@dataclass(frozen=True)
class Action:
    """One thing people do, how often in proportion, and the card it takes."""

    name: str
    weight: float
    tell: Callable[..., Story]
    card: str = ""


ACTIONS: dict[str, dict[str, Action]] = {"booking": {}, "visit": {}, "aftermath": {}}


def _registered(part: str, weight: float, card: str) -> Callable[[Callable[..., Story]], Any]:
    def register(tell: Callable[..., Story]) -> Callable[..., Story]:
        ACTIONS[part][tell.__name__] = Action(tell.__name__, weight, tell, card)
        return tell

    return register


def booking(weight: float) -> Callable[[Callable[..., Story]], Any]:
    """Register how somebody books and pays: `tell(clinic, patient)` returns a Visit or None."""
    return _registered("booking", weight, "")


def visit(weight: float, card: str = "") -> Callable[[Callable[..., Story]], Any]:
    """Register what happens at a visit: `tell(clinic, visit)`."""
    return _registered("visit", weight, card)


def aftermath(weight: float, card: str = "") -> Callable[[Callable[..., Story]], Any]:
    """Register what comes after a visit: `tell(clinic, visit)`."""
    return _registered("aftermath", weight, card)


def drawn(part: str, random: Random) -> Action:
    """Draw one of a part's actions."""
    possible = list(ACTIONS[part].values())
    return random.choices(possible, [action.weight for action in possible])[0]


def life(clinic: Any, patient: Patient) -> Story:
    """Tell one patient's whole story."""
    yield patient.calls_at
    visit_ = yield from patient.parts["booking"].tell(clinic, patient)
    if visit_ is None:
        return
    yield from patient.parts["visit"].tell(clinic, visit_)
    yield from patient.parts["aftermath"].tell(clinic, visit_)
