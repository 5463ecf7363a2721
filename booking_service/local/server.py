"""What the embedded servers have in common: start, answer, stop, and no leftovers."""

from abc import ABC, abstractmethod
from pathlib import Path
from signal import SIGKILL
from subprocess import STDOUT, Popen, TimeoutExpired
from typing import ClassVar, Final, Self

from booking_service.local.ownership import Owner, running_with, spawn, stop_leftover
from booking_service.local.ports import wait_until

LOG_TAIL_CHARACTERS: Final = 2_000


class ServerFailedError(RuntimeError):
    """An embedded server did not start; the message carries the end of its log."""


class Server(ABC):
    """One server process and its data folder. Use it as a context manager, or start and stop it.

    Start it from a thread that lives as long as the server should: on Linux the server is told to
    end when the thread that started it does.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[int]
    last_signal: ClassVar[int] = SIGKILL

    def __init__(self, var: Path, port: int, *, fast_unsafe: bool = False) -> None:
        self.var = var.resolve()
        self.port = port
        self.fast_unsafe = fast_unsafe  # for tests: a power cut may lose data
        self.log = self.var / f"{self.name}.log"
        self._process: Popen[bytes] | None = None

    @property
    @abstractmethod
    def data(self) -> Path:
        """The folder that holds the data and nothing else."""

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, as the service's environment spells it."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The server's command line."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server takes work."""

    @abstractmethod
    def _pid_file(self) -> Path:
        """Where the server itself writes its process id."""

    @abstractmethod
    def _prepare(self, owner: Owner) -> None:
        """Make what must exist before the first start."""

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            RuntimeError: it is not running.
        """
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process.pid

    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Stop a leftover of an earlier run, start, and return when the server takes work.

        Raises:
            ServerFailedError: it ended, or did not answer in time.
        """
        self.stop_leftover()
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = Owner.of(self.data)
        self._prepare(owner)
        with self.log.open("ab") as log:
            self._process = spawn(
                self._command(), self.stop_signal, owner=owner, stdout=log, stderr=STDOUT
            )
        try:
            wait_until(self._up_or_dead, f"{self.name} to answer on port {self.port}")
        except TimeoutError as error:
            self.stop()
            raise ServerFailedError(f"{error}\n{self._log_tail()}") from error
        return self

    def stop(self, timeout_seconds: float = 15) -> None:
        """Ask the server to end, and kill it when it has not after the timeout."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(self.stop_signal)
        try:
            process.wait(timeout_seconds)
        except TimeoutExpired:
            process.send_signal(self.last_signal)
            process.wait(timeout_seconds)

    def stop_leftover(self) -> None:
        """Stop the server that a killed supervisor left running on our data folder, if any."""
        try:
            pid = int(self._pid_file().read_text().split()[0])
        except (FileNotFoundError, IndexError, ValueError):
            return
        if running_with(pid, str(self.data)):
            stop_leftover(pid, str(self.data), self.stop_signal)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        """Stop, whatever happened inside."""
        self.stop()

    def _up_or_dead(self) -> bool:
        if not self.is_running():
            code = self._process.returncode if self._process else None
            raise ServerFailedError(f"{self.name} ended with code {code}\n{self._log_tail()}")
        return self._answers()

    def _log_tail(self) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text[-LOG_TAIL_CHARACTERS:]
