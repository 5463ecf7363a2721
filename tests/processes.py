"""The service's real processes, started as production starts them, and killed as fate does."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import requests

from booking_service.local import procfile
from booking_service.local.children import Child, Spec
from booking_service.local.ports import free_port, is_open, wait_until

ROOT = Path(__file__).resolve().parent.parent
_STOPS_WITHIN = 40  # seconds; a worker may finish what it does for 30


class Service:
    """The service's processes, each by its line of the Procfile; some may run more than once."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {
            "BIND": "127.0.0.1",
            "PORT": str(self.port),
            "BEAT_SCHEDULE": str(folder / "beat"),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        self.environment = {**os.environ, **own, **environment}
        self.commands = procfile.commands(ROOT / "Procfile", self.environment)
        self.running: dict[str, list[Child]] = {name: [] for name in self.commands}

    def start(self, *names: str) -> None:
        """Start one more process of each name."""
        for name in names:
            spec = Spec(name, self.commands[name], self.environment, ROOT)
            self.running[name].append(Child.start(spec))

    def start_web(self) -> None:
        """Start the web and wait until it answers."""
        self.start("web")
        wait_until(lambda: is_open(self.port), "the web to answer", 60)
        requests.get(f"{self.url}/healthz", timeout=30).raise_for_status()

    def ensure(self, *names: str) -> None:
        """Start what does not run."""
        self.start(*(name for name in names if not self.running[name]))

    def revive(self, name: str) -> None:
        """Start again what has died, as every supervisor does.

        Celery's worker gives up now and then when its broker goes away ("Unrecoverable error").
        """
        dead = [child for child in self.running[name] if child.process.poll() is not None]
        for child in dead:
            self.running[name].remove(child)
            self.start(name)

    def kill(self, name: str) -> None:
        """Cut the power of a process and all it started."""
        for child in self.running[name]:
            child.kill_group()
            child.process.wait()
        self.running[name].clear()

    def kill_children(self, name: str) -> list[int]:
        """Kill what a process has started, and only that; return who died."""
        [child] = self.running[name]
        dead = children_of(child.pid)
        for pid in dead:
            os.kill(pid, signal.SIGKILL)
        return dead

    def stop(self, name: str) -> None:
        """Ask politely, as a deployment does."""
        for child in self.running[name]:
            child.ask_to_stop()
        for child in self.running[name]:
            child.wait(_STOPS_WITHIN)
        self.running[name].clear()

    def kill_all(self) -> None:
        """End everything at once: there is nothing left to finish."""
        for name in self.running:
            self.kill(name)


def children_of(pid: int) -> list[int]:
    """Return the processes a process has started and that live."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]
