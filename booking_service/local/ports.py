"""Free ports, and waiting for something to come true."""

import errno
import random
import socket
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

# Below the range from which Linux picks ports of outgoing connections (32768 and up), so that no
# client connection can take a port between our asking and the server's binding.
_RANGE: Final = range(20_000, 32_000)
_given: set[int] = set()


def refusal(port: int) -> str | None:
    """Why no server could listen on 127.0.0.1 at this port now; None when one could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another program"
            return f"cannot be used: {error.strerror}"
    return None


def is_open(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1 at this port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port(preferred: int | None = None) -> int:
    """Pick a port nobody listens on: the preferred one, else any. Never the same one twice.

    Raises:
        RuntimeError: no port was free in a thousand tries.
    """
    tries = [preferred] if preferred else []
    # Not a secret: the choice is random only so that parallel runs seldom try the same port.
    tries += random.SystemRandom().sample(_RANGE, 1_000)
    for port in tries:
        if port not in _given and refusal(port) is None:
            _given.add(port)
            return port
    raise RuntimeError(f"no free port between {_RANGE.start} and {_RANGE.stop}")


def wait_until(condition: Callable[[], T], what: str, timeout_seconds: float = 20) -> T:
    """Ask again and again until the answer is true, and return that answer.

    Args:
        condition: may raise, to give up early (the thing waited for has died).
        what: what is awaited, for the message: "postgres to accept connections".
        timeout_seconds: how long to keep asking.

    Raises:
        TimeoutError: the answer was still no when the time was up.
    """
    deadline = time.monotonic() + timeout_seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_seconds:g} s for {what}")
        time.sleep(0.02)
    return answer
