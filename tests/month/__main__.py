"""`./run month [--seed N] [--bookings N]`: simulated months with faults, and what held in them.

Without words: three fixed seeds and two fresh ones, one for each processor at a time. Ends with 1
when anything does not hold.
"""

import os
import secrets
import sys
import tempfile
from argparse import ArgumentParser
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from booking_service.local.embedded import Postgres
from booking_service.local.ports import free_port
from tests.month.playing import Outcome, play

FIXED = (11, 2026, 3_900)
_FRESH = 2
_PATIENTS = 900  # who make more than 1,000 bookings
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
        ProcessPoolExecutor(min(len(seeds), os.cpu_count() or 1)) as pool,
    ):
        databases = [postgres.create_database(f"month_{seed}") for seed in seeds]
        numbers = [words.bookings] * len(seeds)
        outcomes = []
        for outcome in pool.map(_played, databases, seeds, numbers):
            outcomes.append(outcome)
            _tell(outcome, words.bookings)
    _table(outcomes)
    return int(any(outcome.violations for outcome in outcomes))


def _played(database_url: str, seed: int, number: int) -> Outcome:
    def told(day: str) -> None:
        if day.startswith("Mon"):
            _say(f"  seed {seed}: {day}\n")

    return play(database_url, seed, number, told=told)


def _tell(outcome: Outcome, number: int) -> None:
    _say(f"seed {outcome.seed}  (again: ./run month --seed {outcome.seed} --bookings {number})\n")
    _say(f"  played in {outcome.seconds:.0f} s; {_faults(outcome)}\n")
    for violation in outcome.violations[:_SHOWN]:
        _say(f"  VIOLATED  {violation}\n")
    if len(outcome.violations) > _SHOWN:
        _say(f"  ... and {len(outcome.violations) - _SHOWN} more\n")


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
