"""Looks at the rows while the month goes on: what must hold at every moment, not only at last."""

from collections.abc import Iterable
from datetime import datetime

from tests.month.invariants.visits import no_double_booking, no_step_back
from tests.month.world import World

_STATUSES = """
    SELECT 'booking' AS kind, id::text, status FROM bookings
    UNION ALL SELECT 'payment', id::text, status FROM payments
    UNION ALL SELECT 'promise', id::text, status FROM promises
    UNION ALL SELECT 'membership', id::text, status FROM memberships
    UNION ALL SELECT 'refund', id::text, status FROM refunds
"""
_LIVE = """
    SELECT id::text, practitioner_id::text, status, starts_at, ends_at FROM bookings
    WHERE status IN ('held', 'confirmed', 'arrived', 'in_treatment', 'completed')
"""

Statuses = dict[tuple[str, str], str]


class Watcher:
    """Samples the statuses, and keeps what should not have been."""

    def __init__(self, world: World) -> None:
        self.samples = 0
        self.violations: list[str] = []
        self._world = world
        self._before: Statuses = {}

    def look(self) -> None:
        """Take one sample and compare it with the last."""
        statuses = {(r["kind"], r["id"]): r["status"] for r in self._world.rows(_STATUSES)}
        live = self._world.rows(_LIVE)
        moves = [
            (kind, id_, self._before[kind, id_], status)
            for (kind, id_), status in statuses.items()
            if (kind, id_) in self._before
        ]
        gone = [f"monotone: {kind} {id_} is gone" for kind, id_ in self._before.keys() - statuses]
        self._before = statuses
        self.samples += 1
        self._keep(self._world.now, [*no_double_booking(live), *no_step_back(moves), *gone])

    def _keep(self, at: datetime, found: Iterable[str]) -> None:
        new = [violation for violation in found if violation not in self._seen()]
        self.violations += [f"{violation} (first seen {at:%m-%d %H:%M:%S})" for violation in new]

    def _seen(self) -> set[str]:
        return {violation.partition(" (first seen")[0] for violation in self.violations}
