"""`./run month [--seed N] [--bookings N]`: simulated months with faults, and what held in them.

Without words: three fixed seeds and two fresh ones. Ends with 1 when anything does not hold.
"""

import secrets
import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from booking_service.local.embedded import Postgres
from booking_service.local.ports import free_port
from tests.month.playing import Outcome, play

FIXED = (11, 2026, 3_900)
_FRESH = 2
_PATIENTS = 1_000
_SHOWN = 20  # violations of one seed


def main() -> int:
    parser = ArgumentParser(prog="./run month", description=__doc__)
    parser.add_argument("--seed", type=int, help="one month from this seed, and no others")
    parser.add_argument("--bookings", type=int, default=_PATIENTS, help="how many patients call")
    words = parser.parse_args()
    fresh = (secrets.randbelow(1_000_000) for _ in range(_FRESH))
    seeds = (*FIXED, *fresh) if words.seed is None else (words.seed,)
    with (
        tempfile.TemporaryDirectory() as var,
        Postgres(Path(var), free_port(), fast_unsafe=True) as postgres,
    ):
        outcomes = [
            _one(postgres.create_database(f"month_{seed}"), seed, words.bookings) for seed in seeds
        ]
    _table(outcomes)
    return int(any(outcome.violations for outcome in outcomes))


def _one(database_url: str, seed: int, number: int) -> Outcome:
    again = f"./run month --seed {seed} --bookings {number}"
    _say(f"seed {seed}  (again: {again})\n")
    outcome = play(database_url, seed, number, told=_day)
    _say(f"\r  played in {outcome.seconds:.0f} s; {_faults(outcome)}\n")
    for violation in outcome.violations[:_SHOWN]:
        _say(f"  VIOLATED  {violation}\n")
    if len(outcome.violations) > _SHOWN:
        _say(f"  ... and {len(outcome.violations) - _SHOWN} more\n")
    return outcome


def _day(day: str) -> None:
    """Show where the month is: on a terminal each day, in a file each Monday."""
    if sys.stdout.isatty():
        _say(f"\r  {day} ")
    elif day.startswith("Mon"):
        _say(f"  {day}\n")


def _faults(outcome: Outcome) -> str:
    return ", ".join(f"{kind} {times}" for kind, times in sorted(outcome.faults.items()))


def _table(outcomes: list[Outcome]) -> None:
    names = ["seed", *outcomes[0].figures]
    rows = [[str(o.seed), *(str(n) for n in o.figures.values())] for o in outcomes]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        _say("  ".join(cells) + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
