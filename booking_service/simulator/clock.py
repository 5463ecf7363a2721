"""The simulator's own time: the real one plus an offset, so that days pass on demand."""

import time

DAY = 86_400  # seconds


class Clock:
    """Unix time in whole seconds, which can be moved forwards for the whole simulator."""

    def __init__(self, offset: float = 0) -> None:
        self.offset = offset

    def now(self) -> int:
        """Return the simulator's time, in Unix seconds."""
        return int(self.precise())

    def precise(self) -> float:
        """Return the simulator's time, in Unix seconds with their fraction."""
        return time.time() + self.offset
