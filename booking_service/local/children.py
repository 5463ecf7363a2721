"""One child process: started, its lines printed under its name, stopped with all it started."""

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from typing import IO, Final

from booking_service.local.ownership import spawn

_LINES_KEPT: Final = 20
_print_lock = threading.Lock()


def say(name: str, line: str) -> None:
    """Print one whole line under a process's name.

    A closed terminal must not stop the reading, or the process would block on a full pipe.
    """
    with _print_lock, suppress(OSError, ValueError):
        sys.stdout.write(f"{name:>8} | {line.rstrip()}\n")
        sys.stdout.flush()


@dataclass(frozen=True)
class Spec:
    """What to start: a name, a command line, and whether an unexpected end is repaired."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    restarts: bool = False


@dataclass
class Child:
    """A running process of a `Spec`, with the last lines it printed."""

    spec: Spec
    process: Popen[bytes]
    started_at: float = field(default_factory=time.time)  # as files count time
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))
    reader: threading.Thread | None = None

    @classmethod
    def start(cls, spec: Spec) -> "Child":
        """Start the process, and a thread that prints its lines until it ends.

        Raises:
            FileNotFoundError: there is no such program.
        """
        process = spawn(
            spec.command,
            signal.SIGTERM,
            stdout=PIPE,
            stderr=STDOUT,
            env=dict(spec.env),
            cwd=spec.cwd,
        )
        child = cls(spec, process)
        stream = process.stdout
        if stream is not None:
            child.reader = threading.Thread(target=child._print, args=(stream,), daemon=True)
            child.reader.start()
        return child

    @property
    def pid(self) -> int:
        """The process id; also the id of its group."""
        return self.process.pid

    def has_ended(self) -> bool:
        """Whether the process itself has ended, whatever it left behind."""
        return self.process.poll() is not None

    def fate(self) -> str:
        """Say how it ended."""
        code = self.process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"{self.spec.name} {how}"

    def obituary(self) -> str:
        """Say how it ended, with its last lines."""
        if self.reader is not None:
            self.reader.join(1)  # the last lines may still be in the pipe
        lines = "".join(f"\n    {line}" for line in self.tail)
        return f"{self.fate()}; its last lines:{lines}" if lines else self.fate()

    def ask_to_stop(self) -> None:
        """Ask the process, which passes it on to its own children as it sees fit."""
        self.process.terminate()

    def wait(self, timeout_seconds: float) -> None:
        """Wait for the end; kill the whole group when the time is up."""
        try:
            self.process.wait(timeout_seconds)
        except TimeoutExpired:
            say(self.spec.name, f"did not stop within {timeout_seconds:.0f} s; killed")
        self.kill_group()
        self.process.wait()

    def kill_group(self) -> None:
        """Kill the process and whatever it started; safe to call from a signal handler."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _print(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                text = line.decode(errors="replace").rstrip()
                self.tail.append(text)
                say(self.spec.name, text)
