"""Whether one process of the service works: the health checks of the containers.

    python -m booking_service.local.health web|worker|relay|beat

Exits 0 when it works, 1 when it does not, and says why in one line. Run it on the same machine (in
the same container) as the process.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

_SECONDS: Final = 5

# Asks the worker of this machine whether it takes work, until it says so. A program of its own,
# because nothing in this package may import Celery; and one that goes on asking, because loading
# Celery takes longer than any answer.
PING: Final = """
import socket
from celery import Celery
from booking_service.config import Settings
from workers.policy import policy
celery = Celery("ping")
celery.conf.update(policy(Settings.from_env()))
node = f"celery@{socket.gethostname()}"
while not celery.control.ping(destination=[node], timeout=0.5):
    pass
"""
_WAKES: Final = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)


def answers(url: str) -> bool:
    """Whether a page answers 200. Proxies are for the outside world and are not asked."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=_SECONDS) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - the code for "fine"
    except OSError:
        return False


def web(env: Mapping[str, str]) -> bool:
    """The web server answers, and finds its database in order."""
    return answers(f"http://127.0.0.1:{env.get('PORT') or 8000}/readyz")


def worker(env: Mapping[str, str]) -> bool:
    """The worker answers through the broker. A worker that cannot fork looks alive but does not."""
    ping = [sys.executable, "-c", PING]
    try:
        asked = subprocess.run(  # noqa: S603 - our own words
            ping, env=env, capture_output=True, check=False, timeout=4 * _SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def relay(_env: Mapping[str, str]) -> bool:
    """The relay's loop turns: at rest it sweeps every RELAY_INTERVAL_SECONDS."""
    return _turns("workers.relay")


def beat(_env: Mapping[str, str]) -> bool:
    """Beat's loop turns: its shortest interval is HOLD_SWEEP_SECONDS."""
    return _turns("beat")


def _turns(word: str) -> bool:
    """Whether the process with this word in its command line wakes up within some seconds.

    A loop that hangs in the network for ever never does. The kernel counts it, so the process
    needs no code for it.
    """
    process = _find(word)
    if process is None:
        return False
    before = _wakes(process)
    deadline = time.monotonic() + 3 * _SECONDS
    while time.monotonic() < deadline:
        if _wakes(process) != before:
            return True
        time.sleep(0.2)
    return False


def _find(word: str) -> Path | None:
    """Find the youngest such process: a container's init repeats the words of what it starts."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it ended while we looked
        if word in words and "booking_service.local.health" not in words:
            found.append(process)
    return max(found, key=lambda process: int(process.name), default=None)


def _wakes(process: Path) -> str | None:
    try:
        found = _WAKES.search((process / "status").read_text())
    except OSError:
        return None
    return found[1] if found else None


CHECKS: Final[Mapping[str, Callable[[Mapping[str, str]], bool]]] = {
    "web": web,
    "worker": worker,
    "relay": relay,
    "beat": beat,
}


def main(arguments: list[str]) -> int:
    """Run the check named by the one argument."""
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        sys.stderr.write(f"usage: health {'|'.join(CHECKS)}\n")
        return 2
    name = arguments[0]
    healthy = CHECKS[name](os.environ)
    sys.stdout.write(f"{name} {'works' if healthy else 'does not answer'}\n")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
