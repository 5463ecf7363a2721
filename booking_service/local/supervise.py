"""Keep a set of processes running: start, watch, restart, and stop all of them in order."""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import PIPE, TimeoutExpired
from threading import Event
from types import FrameType
from typing import Final, TypeVar

from booking_service.local.children import Child, Spec, say
from booking_service.local.ownership import spawn
from booking_service.local.ports import wait_until
from booking_service.local.server import Server

T = TypeVar("T")

_RESTARTS: Final = 5  # more than this many ...
_RESTART_WINDOW_SECONDS: Final = 60  # ... within this time is not an accident
_STOP_SECONDS: Final = 10  # every process may be killed at any line; this is only courtesy
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessDiedError(RuntimeError):
    """A process that must run has ended; the message says which, how, and its last lines."""


class StopRequestedError(Exception):
    """Somebody asked us to stop while we were still starting."""


class Supervisor:
    """Servers and processes, in the order they were started.

    Until `watch` is called any death is final: a process that cannot start will not learn to.
    """

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.servers: list[Server] = []
        self.children: dict[str, Child] = {}
        self._on_change = on_change  # called after a restart, when process ids are new
        self._stop = Event()
        self._restarted: dict[str, deque[float]] = {}
        self._watching = False

    def catch_signals(self) -> None:
        """Stop in order at the first Ctrl-C, SIGTERM or hang-up; kill everything at the second."""
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)

    def serve(self, server: Server) -> None:
        """Start an embedded server, to be stopped after all processes."""
        server.start()
        self.servers.append(server)

    def start(self, spec: Spec) -> None:
        """Start a process."""
        self.children[spec.name] = Child.start(spec)

    def run(self, spec: Spec) -> str:
        """Run a short command to its end, and return what it wrote to its standard output.

        Raises:
            ProcessDiedError: it failed.
            StopRequestedError: we were asked to stop.
        """
        process = spawn(
            spec.command, signal.SIGTERM, env=spec.env, cwd=spec.cwd, stdout=PIPE, stderr=PIPE
        )
        try:
            out, err = self._communicate(process.communicate)
        except BaseException:
            process.kill()
            process.wait()
            raise
        for line in err.decode(errors="replace").splitlines():
            say(spec.name, line)
        if process.returncode:
            words = " ".join([Path(spec.command[0]).name, *spec.command[1:]])
            raise ProcessDiedError(f"`{words}` ended with code {process.returncode}")
        return out.decode()

    def wait_for(self, condition: Callable[[], T], what: str, timeout_seconds: float = 60) -> T:
        """Wait until the answer is true, as long as everything lives and nobody wants us to stop.

        Raises:
            ProcessDiedError: a process ended, or the answer was still no after the timeout.
            StopRequestedError: we were asked to stop.
        """

        def still_fine() -> T:
            self.check()
            return condition()

        try:
            return wait_until(still_fine, what, timeout_seconds)
        except TimeoutError as error:
            raise ProcessDiedError(str(error)) from error

    def watch(self) -> None:
        """Restart what may be restarted, until asked to stop.

        Raises:
            ProcessDiedError: something ended that cannot be restarted, or keeps ending.
        """
        self._watching = True
        while not self._stop.wait(0.1):
            self._check_processes()

    def check(self) -> None:
        """Look at every process once.

        Raises:
            ProcessDiedError: one has ended and is not to be restarted.
            StopRequestedError: we were asked to stop.
        """
        if self._stop.is_set():
            raise StopRequestedError
        self._check_processes()

    def stop(self, stages: Sequence[Sequence[str]]) -> None:
        """Stop the processes stage by stage, those not named last, then the servers."""
        say("demo", "stopping; a second Ctrl-C kills what is left")
        named = {name for stage in stages for name in stage}
        rest = [name for name in self.children if name not in named]
        for stage in (*stages, rest):
            group = [self.children[name] for name in stage if name in self.children]
            for child in group:
                child.ask_to_stop()
            deadline = time.monotonic() + _STOP_SECONDS
            for child in group:
                child.wait(max(0, deadline - time.monotonic()))
                del self.children[child.spec.name]  # only now: a second Ctrl-C kills it till then
        while self.servers:
            self.servers.pop().stop()

    def _check_processes(self) -> None:
        for server in self.servers:
            if not server.is_running():
                raise ProcessDiedError(f"{server.name} has ended; see {server.log}")
        for child in list(self.children.values()):
            if child.has_ended():
                self._bury(child)

    def _bury(self, child: Child) -> None:
        name = child.spec.name
        if self._stop.is_set():  # a second signal kills everything; that is no accident
            return
        if not (self._watching and child.spec.restarts and self._may_restart(name)):
            raise ProcessDiedError(child.obituary())
        say(name, f"{child.fate()}; starting it again")
        child.kill_group()  # its own children may still hold the port
        self.start(child.spec)
        self._on_change()

    def _may_restart(self, name: str) -> bool:
        times = self._restarted.setdefault(name, deque(maxlen=_RESTARTS))
        now = time.monotonic()
        too_often = len(times) == _RESTARTS and now - times[0] < _RESTART_WINDOW_SECONDS
        times.append(now)
        return not too_often

    def _communicate(self, communicate: Callable[..., tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
        while True:
            self.check()
            try:
                return communicate(timeout=0.1)
            except TimeoutExpired:
                continue

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            for child in list(self.children.values()):
                child.kill_group()
        self._stop.set()
