"""What happens by itself when its time has come."""

from collections.abc import Callable

from booking_service.simulator.account import Account, Cause
from booking_service.simulator.clock import MAIN
from booking_service.simulator.log import Violation

Timer = Callable[[Account, str], None]
TIMERS: dict[str, Timer] = {}


def timer(name: str) -> Callable[[Timer], Timer]:
    """Register what happens when a timer of this name is due; it gets the id of its subject."""

    def register(function: Timer) -> Timer:
        TIMERS[name] = function
        return function

    return register


def run_due(account: Account, line: str = MAIN, until: float | None = None) -> None:
    """Run what is due on a line of time, each for itself, the longest overdue first.

    Each runs as of when it was due: what it sets in motion can be due as well, in its turn.
    """
    sql = (
        "SELECT id, due, name, subject FROM timers WHERE line = ? AND due <= ?"
        " ORDER BY due, id LIMIT 1"
    )
    while True:
        with account.store.transaction():
            end = account.clock.real() if until is None else until
            due = account.store.rows(sql, (line, end))
            if not due:
                return
            account.store.rows("DELETE FROM timers WHERE id = ?", (due[0]["id"],))
            account.cause = Cause()
            with account.clock.at(due[0]["due"], line):
                _run(account, due[0]["name"], due[0]["subject"])


def _run(account: Account, name: str, subject: str) -> None:
    """Run one timer; if it breaks, its work is undone, and the others still run."""
    try:
        with account.store.transaction():
            TIMERS[name](account, subject)
    except Exception as failure:  # noqa: BLE001 - written down; the thread must live on
        account.log.violated(Violation("timer", "POST", name, [repr(failure)]))


def set_clock(account: Account, offset: float) -> None:
    """Set the clock, in seconds from the real one, and do what has become due."""
    account.clock.offset = offset
    account.store.remember("clock_offset", str(offset))
    run_due(account)
    account.wake()
