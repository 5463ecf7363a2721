"""Which processes make up the demo, what they are told, and what is told to the person."""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, Final

from booking_service.local import procfile
from booking_service.local.children import Spec
from booking_service.local.embedded import Postgres, Valkey
from booking_service.local.health import PING, answers
from booking_service.local.ownership import spawn
from booking_service.local.ports import free_port, is_open
from booking_service.local.supervise import Supervisor
from booking_service.local.var import keep_secrets, reset, write_private
from booking_service.local.welcome import print_welcome

SERVICE: Final = ("web", "worker", "relay", "beat")
# Doors first, so that nothing new comes in; the outside world last.
_STOP_ORDER: Final = (("web", "relay", "beat"), ("worker",), ("stripe", "mail"))


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    root: Path  # of the project, where the Procfile is
    var: Path
    port: int
    reset: bool = False


class Demo:
    """One run of the demo."""

    def __init__(self, options: Options, caller: Mapping[str, str]) -> None:
        self.options = options
        self.caller = {name: value for name, value in caller.items() if value}
        self.supervisor = Supervisor(on_change=self._write_down)
        self.env: dict[str, str] = {}
        self.seeded: dict[str, Any] = {}
        self.web = f"http://127.0.0.1:{options.port}"
        self.mail: str | None = None
        self._ping: Popen[bytes] | None = None  # runs until the worker has answered
        self._outside: dict[str, int] = {}  # the ports of what stands for the outside world

    @property
    def _json(self) -> Path:
        return self.options.var / "demo.json"

    def run(self, started: float) -> None:
        """Start everything, tell the person, and watch until asked to stop.

        Args:
            started: when the program started, by the monotonic clock.

        Raises:
            ProcessDiedError: a process ended that must not.
            ServerFailedError: an embedded server did not start.
            StopRequestedError: we were asked to stop before all of it ran.
        """
        self.supervisor.catch_signals()
        self._json.unlink(missing_ok=True)  # of a killed demo
        try:
            self._start_servers()
            self._start_outside()
            self._booking("migrate", "db", "upgrade")
            self._start_service()
            # While the processes load; none of them needs the demo practice to start.
            days_ahead = ("--days", "28", "--all-hours")
            self.seeded = json.loads(self._booking("seed", "seed", "demo", "--json", *days_ahead))
            self._wait_until_all_answer()
            self._write_down()
            print_welcome(self._content(), time.monotonic() - started)
            self.supervisor.watch()
        finally:
            self._json.unlink(missing_ok=True)
            if self._ping is not None:
                self._ping.kill()
                self._ping.wait()
            self.supervisor.stop(_STOP_ORDER)

    def _start_servers(self) -> None:
        var = self.options.var
        postgres, valkey = Postgres(var, free_port()), Valkey(var, free_port())
        if self.options.reset:
            postgres.stop_leftover()
            valkey.stop_leftover()
            reset(var)
        secrets = keep_secrets(var)
        bin_folder = str(Path(sys.executable).parent)
        self.env = {
            "MAIL_FROM": "First Visit <frontdesk@first-visit.example>",
            "LOG_FORMAT": "text",
            "REMAP_SIGTERM": "SIGQUIT",  # Celery: stop within its soft shutdown time, not any time
            **secrets,
            **self.caller,
            "PUBLIC_BASE_URL": self.web,
            "BIND": "127.0.0.1",
            "PORT": str(self.options.port),
            "BEAT_SCHEDULE": str(var / "beat-schedule"),
            "PATH": os.pathsep.join([bin_folder, self.caller.get("PATH", os.defpath)]),
            "PYTHONUNBUFFERED": "1",
        }
        if "DATABASE_URL" not in self.caller:
            self.supervisor.serve(postgres)
            self.env["DATABASE_URL"] = postgres.url
        if "REDIS_URL" not in self.caller:
            self.supervisor.serve(valkey)
            self.env["REDIS_URL"] = valkey.url

    def _start_outside(self) -> None:
        """Start what stands for the outside world: the pretend Stripe and the mail catcher."""
        var, port = self.options.var, self.options.port
        if "STRIPE_API_KEY" not in self.caller:
            stripe_port = free_port(port + 1)
            self.env["STRIPE_API_BASE"] = f"http://127.0.0.1:{stripe_port}"
            secret = self.env["STRIPE_WEBHOOK_SECRETS"].split(",")[0]
            self._start_module(
                "stripe",
                stripe_port,
                "booking_service.simulator",
                *("--port", str(stripe_port), "--state", str(var / "stripe.sqlite")),
                *("--webhook-url", f"{self.web}/webhooks/stripe", "--webhook-secret", secret),
                *("--rate-limit", "live"),
            )
        if "SMTP_URL" not in self.caller:
            mail_port, smtp_port = free_port(port + 2), free_port()
            self.mail = f"http://127.0.0.1:{mail_port}"
            self.env["SMTP_URL"] = f"smtp://127.0.0.1:{smtp_port}"
            self._start_module(
                "mail",
                smtp_port,
                "booking_service.local.mailcatcher",
                *("--smtp-port", str(smtp_port), "--port", str(mail_port)),
                *("--folder", str(var / "mail")),
            )
            if "SMS_URL" not in self.caller:
                token = hashlib.sha256(f"sms {self.env['SECRET_KEY']}".encode()).hexdigest()[:32]
                self.env["SMS_URL"] = (
                    f"twilio+http://ACdemo:{token}@127.0.0.1:{mail_port}/?from=+15185550100"
                )

    def _booking(self, name: str, *words: str) -> str:
        """Run one `booking` command, and return what it printed."""
        command = str(Path(sys.executable).parent / "booking")
        return self.supervisor.run(self._spec(name, (command, *words)))

    def _start_service(self) -> None:
        commands = procfile.commands(self.options.root / "Procfile", self.env)
        for name in SERVICE:
            self.supervisor.start(self._spec(name, commands[name], restarts=True))
        self._ping = spawn(
            (sys.executable, "-c", PING),
            signal.SIGKILL,
            env=self.env,
            cwd=self.options.root,
            stdout=DEVNULL,
            stderr=DEVNULL,
        )

    def _wait_until_all_answer(self) -> None:
        wait_for = self.supervisor.wait_for
        wait_for(lambda: answers(f"{self.web}/readyz"), "web to be ready")
        wait_for(self._beat_has_begun, "beat to open its schedule")
        wait_for(lambda: self._ping is not None and self._ping.poll() == 0, "the worker to answer")
        for who, port in self._outside.items():
            wait_for(partial(is_open, port), f"{who} to listen on port {port}")
        # By now the relay has lived as long as all the others took; one that cannot start is dead.

    def _beat_has_begun(self) -> bool:
        schedule = Path(self.env["BEAT_SCHEDULE"])
        begun = self.supervisor.children["beat"].started_at
        files = schedule.parent.glob(f"{schedule.name}*")  # some formats add an ending of their own
        return any(file.stat().st_mtime >= begun for file in files)

    def _start_module(self, name: str, port: int, module: str, *words: str) -> None:
        self.supervisor.start(self._spec(name, (sys.executable, "-m", module, *words)))
        self._outside[name] = port

    def _spec(self, name: str, command: tuple[str, ...], *, restarts: bool = False) -> Spec:
        return Spec(name, command, self.env, self.options.root, restarts)

    def _write_down(self) -> None:
        write_private(self._json, self._content())

    def _content(self) -> dict[str, Any]:
        pids = {name: self.supervisor.children[name].pid for name in SERVICE}
        pids |= {server.name: server.pid for server in self.supervisor.servers}
        return describe(self.web, self.mail, self.env, self.seeded, pids)


def describe(
    web: str,
    mail: str | None,
    env: Mapping[str, str],
    seeded: Mapping[str, Any],
    pids: Mapping[str, int],
) -> dict[str, Any]:
    """Say what programs need to know of a run: the content of demo.json.

    Args:
        web: where the service answers.
        mail: where the inbox is; None when mails go to a server of the caller's.
        env: what the processes were told.
        seeded: what `booking seed demo --json` printed.
        pids: the processes by name.
    """
    return {
        "web": web,
        "stripe": env.get("STRIPE_API_BASE", "https://api.stripe.com"),
        "mail": mail,
        "database_url": env["DATABASE_URL"],
        "redis_url": env["REDIS_URL"],
        "stripe_webhook_secret": env["STRIPE_WEBHOOK_SECRETS"].split(",")[0],
        "staff": seeded["staff"],
        "api_tokens": seeded["api_tokens"],
        "processes": dict(pids),
    }
