"""The whole service as `./run demo` starts it, and a browser."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from booking_service.local.ports import free_port, wait_until
from tests.conftest import WEBHOOK_DISORDER

_TIMERS = {"UNDO_SECONDS": "3", "HOLD_SWEEP_SECONDS": "1", "SESSION_IDLE_SECONDS": "600"}


@pytest.fixture(scope="session")
def demo(var: Path) -> Iterator[SimpleNamespace]:
    """What `demo.json` says, while the demo runs."""
    folder = var / "demo"
    command = [sys.executable, "-m", "booking_service.local.demo"]
    with (var / "demo.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--var", str(folder), "--port", str(free_port())],
            env={**os.environ, **_TIMERS},
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError((var / "demo.log").read_text()[-4000:])
        return (folder / "demo.json").exists()

    try:
        wait_until(ready, "the demo to be ready", timeout_seconds=120)
        told = SimpleNamespace(**json.loads((folder / "demo.json").read_text()))
        disorder = {"webhook_disorder": WEBHOOK_DISORDER}
        requests.post(f"{told.stripe}/_sim/settings", json=disorder).raise_for_status()
        yield told
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture
def inbox(demo: SimpleNamespace):
    """The mails somebody got, newest last, once there are as many as expected."""

    def of(address: str, count: int) -> list[dict]:
        def there() -> list[dict] | None:
            box = requests.get(f"{demo.mail}/api/messages").json()
            mine = sorted((m for m in box if address in m["to"]), key=lambda m: m["at"])
            return mine if len(mine) >= count else None

        mails = wait_until(there, f"{count} mails to {address}", timeout_seconds=30)
        assert len(mails) == count
        return mails

    return of
