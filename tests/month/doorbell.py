"""The queue, played in this process: it loses messages, repeats them, and hands out stale ones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from booking_service.models import Topic
from booking_service.services import outbox
from tests.month.edges import survive
from tests.month.world import World

# A relay looks every second and beat more often than this; between two looks nothing is decided.
SHORTEST_SWEEP = timedelta(minutes=45)
_LONGEST_SWEEP = timedelta(hours=1)
_ROUNDS = 50  # of work that makes new work at the same instant
_NEXT_DUE: Final = """
    SELECT min(greatest(not_before, coalesce(lease_until, not_before))) AS due
    FROM outbox_messages WHERE done_at IS NULL AND needs_review_at IS NULL
"""


class Doorbell:
    """Relay, workers and beat, one step at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stale: list[tuple[UUID, Topic]] = []

    def work(self) -> None:
        """Do everything that is due now, as relay and workers would on a bad day."""
        for _ in range(_ROUNDS):
            messages = self._claimed()
            if not messages:
                break
            for message in messages:
                self._hand_over(*message)
        while self._stale and self._world.trouble.chance(0.3):
            self._run(*self._stale.pop(0))

    def next_due(self) -> datetime | None:
        """Return when the next message is due: the relay would look at it then."""
        return self._world.rows(_NEXT_DUE)[0]["due"]

    def sweeps(self) -> dict[str, tuple[str, timedelta]]:
        """Return every scheduled task by its name in the schedule, and how often it is played."""
        schedule = self._world.celery.conf.beat_schedule
        return {name: (entry["task"], _span(entry["schedule"])) for name, entry in schedule.items()}

    def sweep(self, task: str) -> None:
        """Let beat's time come for one task."""
        self._step(self._world.celery.tasks[task].run)

    def _claimed(self) -> list[tuple[UUID, Topic]]:
        found: list[tuple[UUID, Topic]] = []
        self._step(lambda: found.extend(outbox.claim(self._world.settings.lease)))
        return found

    def _hand_over(self, message_id: UUID, topic: Topic) -> None:
        trouble = self._world.trouble
        fate = trouble.of_message()
        if fate:
            trouble.count(fate)
        if fate == "message_lost":
            return  # the lease brings it back
        if fate == "message_concurrent":
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: self._run_plainly(message_id, topic), range(2)))
            return
        self._run(message_id, topic)
        if fate == "message_twice":
            self._run(message_id, topic)
        elif fate == "message_stale":
            self._stale.append((message_id, topic))

    def _run(self, message_id: UUID, topic: Topic) -> None:
        self._world.trouble.at_stripe()
        self._step(lambda: self._task(topic).run(str(message_id)))

    def _run_plainly(self, message_id: UUID, topic: Topic) -> None:
        with suppress(DBAPIError):
            _in_context(self._world, lambda: self._task(topic).run(str(message_id)))

    def _task(self, topic: Topic) -> Any:
        return self._world.celery.tasks[topic]

    def _step(self, step: Callable[[], Any]) -> None:
        """Take one step in a process of its own, which may die in it."""
        # A relay or worker whose database fails writes that to the log, and lives on.
        with suppress(DBAPIError):
            step_of(self._world, lambda: _in_context(self._world, step))


def _in_context(world: World, step: Callable[[], Any]) -> Any:
    with world.app.app_context():
        return step()


def step_of(world: World, step: Callable[[], Any]) -> tuple[bool, Any]:
    """Take a step with whatever goes wrong in it; return whether it lived, and its answer."""
    sent, armed = len(world.mail.letters), world.trouble.arm()
    is_lock = armed is not None and armed.kind == "lock_timeout"
    if armed is not None and is_lock:
        world.database.lock(armed.table)
    try:
        return survive(step)
    finally:
        if is_lock:
            world.database.unlock()
        if world.trouble.disarm():
            world.mail.excuse(sent)


def _span(schedule: Any) -> timedelta:
    """Return how often to play a sweep; a calendar entry is played hourly."""
    seconds = getattr(schedule, "total_seconds", None)
    if seconds is not None:
        return max(SHORTEST_SWEEP, timedelta(seconds=seconds()))
    if isinstance(schedule, int | float):
        return max(SHORTEST_SWEEP, timedelta(seconds=schedule))
    return _LONGEST_SWEEP
