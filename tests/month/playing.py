"""One month at the practice, event by event, from one seed; then it heals, and is checked."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random
from time import perf_counter
from typing import Any

from booking_service.clock import day_bounds
from tests.month import (  # noqa: F401  # each registers its actions
    afterwards,
    bookings,
    changes,
    finance,
    lost_times,
    members,
    phones,
    strangers,
    visits,
    walk_ins,
)
from tests.month.actions import Patient, Story, drawn, life
from tests.month.clinic import Clinic
from tests.month.doorbell import Doorbell
from tests.month.facts import gather
from tests.month.invariants import money, service, violations
from tests.month.invariants.places import places
from tests.month.watching import Watcher
from tests.month.world import STARTS, world

_HEALS = timedelta(hours=30)
_LOOK_EVERY = 6  # steps between two samples of the statuses
_LAST_VISIT_DAYS = 6  # after the call: four, a few tries, and one when it is moved
DAYS = 30
_LOG_EVERY = 400  # steps between two readings of the simulator's log, which keeps 5,000 requests


@dataclass
class Outcome:
    """What one month came to."""

    seed: int
    seconds: float
    faults: Counter[str]
    facts: dict[str, Any]
    violations: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, int]:
        """The line of the table."""
        ours = self.facts["ours"]
        ended = Counter(places(self.facts).values())
        return {
            "bookings": len(ours["bookings"]),
            "paid": sum(p["status"] == "paid" for p in ours["payments"]),
            "conversions": sum(m["status"] == "active" for m in ours["memberships"]),
            "faults": self.faults.total(),
            "refunds": len(self.facts["stripe"]["refunds"]),
            "disputes": len(self.facts["stripe"]["disputes"]),
            "open cases": sum(c["status"] == "open" for c in ours["exceptions"]),
            "lost": ended["lost"],
            "doubled": ended["doubled"],
            "in doubt": len(service.in_doubt(self.facts)),
            "residue": money.residue(self.facts),
            "violations": len(self.violations),
        }


def patients(seed: int, number: int, within: timedelta) -> Iterator[Patient]:
    """Decide about every patient from the seed, before anything happens."""
    random = Random(seed)
    for each in range(number):
        own = Random(random.getrandbits(64))
        patient = Patient(each, own, STARTS + own.random() * within)
        patient.parts = {part: drawn(part, own) for part in ("booking", "visit", "aftermath")}
        yield patient


class Month:
    """The calendar: stories, sweeps and due work, in the order of their time."""

    def __init__(self, clinic: Clinic, told: Callable[[str], None]) -> None:
        self.clinic = clinic
        self.watcher = Watcher(clinic.world)
        self.doorbell = Doorbell(clinic.world)
        self.asked: list[str] = []  # what was asked of Stripe, as text
        self._told = told
        self._order = count()
        self._waiting: list[tuple[datetime, int, Story]] = []
        self._day: Any = None
        self._steps = 0
        self._read_until = 0.0

    def add(self, story: Story) -> None:
        """Put a story into the calendar at the instant it begins."""
        self._go_on(story)

    def play(self, until: datetime) -> None:
        """Let everything happen that happens before an instant."""
        world, due = self.clinic.world, self.doorbell.next_due()
        while True:
            at = self._waiting[0][0] if self._waiting else until
            at = min(at, due) if due else at
            if at >= until:
                break
            world.travel(at)
            while self._waiting and self._waiting[0][0] <= world.now:
                self._go_on(heapq.heappop(self._waiting)[2])
            due = self.doorbell.next_due()
            if due and due <= world.now:
                self.doorbell.work()
                due = self.doorbell.next_due()
            self._look()
        world.travel(until)
        self.doorbell.work()

    def sweeping(self, task: str, every: timedelta) -> Story:
        """Return the story of a scheduled task: beat calls it again and again."""
        while True:
            yield self.clinic.world.now + every
            self.doorbell.sweep(task)

    def read_log(self) -> None:
        """Keep what was asked of Stripe since the last time, for the search for canaries."""
        entries = [e for e in self.clinic.world.stripe.log() if e["at"] > self._read_until]
        self.asked += [f"{e['path']} {e['params']} {e['idempotency_key']}" for e in entries]
        self._read_until = max((e["at"] for e in entries), default=self._read_until)

    def _go_on(self, story: Story) -> None:
        at = next(story, None)
        if at is not None:
            heapq.heappush(self._waiting, (at, next(self._order), story))

    def _look(self) -> None:
        self._steps += 1
        if self._steps % _LOOK_EVERY == 0:
            self.watcher.look()
        if self._steps % _LOG_EVERY == 0:
            self.read_log()
        day = self.clinic.local_day(self.clinic.world.now)
        if day != self._day:
            self._day = day
            self._told(f"{day:%a %d %b}")


def play(
    database_url: str,
    seed: int,
    number: int,
    *,
    days: int = DAYS,
    told: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Play one month and check it.

    Args:
        database_url: an empty database; what is in it is deleted.
        seed: decides everything the simulation chooses.
        number: how many patients call.
        days: how long it lasts; a visit is at most six days after the call.
        told: hears of each day that begins.
    """
    began = perf_counter()
    with world(database_url, seed) as made:
        month = Month(Clinic(made), told)
        for _, (task, every) in sorted(month.doorbell.sweeps().items()):
            month.add(month.sweeping(task, every))
        month.add(finance.works(month.clinic, Random(f"{seed} finance")))
        month.add(strangers.forges(month.clinic, Random(f"{seed} strangers")))
        for patient in patients(seed, number, timedelta(days=days - _LAST_VISIT_DAYS)):
            month.add(life(month.clinic, patient))
        ends = day_bounds(STARTS.date() + timedelta(days=days), month.clinic.zone)[0]
        month.play(ends)
        made.trouble.end()
        made.stripe.settings(webhook_disorder=None)
        made.settle()
        month.play(ends + _HEALS)
        month.watcher.look()
        month.read_log()
        facts = gather(month.clinic, month.watcher, month.asked)
        found = violations(facts)
        faults = Counter({kind: n for kind, n in made.trouble.counted.items() if n})
    return Outcome(seed, perf_counter() - began, faults, facts, found)
