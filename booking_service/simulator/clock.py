"""The simulator's own time: the real one plus an offset, so that days pass on demand."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local
from typing import Final

DAY: Final = 86_400  # seconds
HOUR: Final = 3_600  # seconds
MAIN: Final = ""  # the line of time that everything is on but what belongs to a test clock


class Clock:
    """Unix time, which can be moved for the whole simulator, and which is different on two lines.

    Work that was due earlier is done as of then; work for a test clock is done at its frozen time.
    Both hold for the thread that does the work.
    """

    def __init__(self, offset: float = 0) -> None:
        self.offset = offset
        self._of_thread = local()

    def now(self) -> int:
        """Return the time of the work being done, in Unix seconds."""
        return int(self.precise())

    def precise(self) -> float:
        """Return the time of the work being done, in Unix seconds with their fraction."""
        moments = self._moments()
        return moments[-1][0] if moments else self.real()

    def real(self) -> float:
        """Return the simulator's time whatever is being done, in Unix seconds."""
        return time.time() + self.offset

    def main(self) -> float:
        """Return the time as if there were no test clocks: money moves by no other."""
        return next((at for at, line in reversed(self._moments()) if line == MAIN), self.real())

    @property
    def line(self) -> str:
        """The id of the test clock that the work being done belongs to, or `MAIN`."""
        moments = self._moments()
        return moments[-1][1] if moments else MAIN

    @contextmanager
    def at(self, moment: float, line: str = MAIN) -> Iterator[None]:
        """Let this thread do the work inside as of a moment, in Unix seconds."""
        moments = self._moments()
        moments.append((moment, line))
        try:
            yield
        finally:
            moments.pop()

    def _moments(self) -> list[tuple[float, str]]:
        if not hasattr(self._of_thread, "moments"):
            self._of_thread.moments = []
        moments: list[tuple[float, str]] = self._of_thread.moments
        return moments
