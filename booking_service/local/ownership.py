"""Who a server runs as, when it must end, and which process is still ours."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from booking_service.local.ports import wait_until

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


@dataclass(frozen=True)
class Owner:
    """How to start a process that refuses to be root, as PostgreSQL does.

    `prefix` goes before the command line; `credentials` are keyword arguments of `Popen`.
    """

    prefix: tuple[str, ...] = ()
    credentials: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Find a way to run as somebody else than root, and give them the folder if need be.

        A user name space shows root's own files as those of user 1000, so nothing changes hands.
        Where that is forbidden (root inside a container, mostly) the folder goes to `nobody`.
        """
        if os.geteuid() != 0:
            return cls()
        unshare = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
        nobody = pwd.getpwnam("nobody")
        given_away = folder.stat().st_uid == nobody.pw_uid
        if not given_away and shutil.which("unshare") and ask([*unshare, "true"]).returncode == 0:
            return cls(prefix=unshare)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        credentials = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        return cls(credentials=credentials)


NOBODY_SPECIAL: Final = Owner()


def spawn(
    command: Sequence[str],
    stop_signal: int,
    *,
    owner: Owner = NOBODY_SPECIAL,
    **options: Any,  # noqa: ANN401 - handed on to Popen, which checks them
) -> subprocess.Popen[bytes]:
    """Start a long-lived process in a session of its own, which ends when we are killed.

    A session of its own, because Ctrl-C at the terminal must reach the supervisor alone, which then
    stops everything in order. Call it from a thread that outlives the process: Linux sends
    `stop_signal` when the thread ends that started it.
    """
    return subprocess.Popen(  # noqa: S603 - callers hand in our own command lines
        [*owner.prefix, *command],
        start_new_session=True,
        preexec_fn=_die_with_parent(stop_signal),  # noqa: PLW1509 - one system call, no locks
        **owner.credentials,
        **options,
    )


def ask(
    command: Sequence[str], *, owner: Owner = NOBODY_SPECIAL
) -> subprocess.CompletedProcess[str]:
    """Run a short command to its end, and return its code and all it printed."""
    return subprocess.run(  # noqa: S603 - callers hand in our own command lines
        [*owner.prefix, *command],
        capture_output=True,
        text=True,
        check=False,
        **owner.credentials,
    )


def _die_with_parent(stop_signal: int) -> Callable[[], None] | None:
    """Make what a child runs before its program, so that it ends when its parent is killed.

    Only Linux can do that; elsewhere a killed supervisor leaves its children to the next start.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded here: between fork and exec there must be no import
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, stop_signal)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


def running_with(pid: int, word: str) -> bool:
    """Whether a process lives that has this word in its command line.

    A process id alone proves nothing after a restart of the machine. A zombie has no command line.
    """
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            words = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        return word in words
    listed = ask(["ps", "-o", "command=", "-p", str(pid)])
    return word in listed.stdout.split()


def stop_leftover(pid: int, word: str, stop_signal: int, patience_seconds: float = 10) -> None:
    """Stop a process of an earlier run, gently and then not."""
    for number, patience in ((stop_signal, patience_seconds), (signal.SIGKILL, 5)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        with suppress(TimeoutError):
            wait_until(lambda: not running_with(pid, word), f"process {pid} to end", patience)
            return
