"""How fast and how large the simulator is: `python -m tests.benchmarks.simulator`.

Measures requests a second over HTTP with many objects stored, the memory of the process, and what
one check against the contract costs. Nothing here is a test: the numbers depend on the machine. On
one that has other things to do, the processor's time for a request says more than the rate.
"""

import http.client
import json
import os
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median, quantiles
from threading import Thread
from time import perf_counter
from urllib.parse import urlencode

from booking_service.simulator import create_simulator
from booking_service.simulator.checks import misfits, read_params
from booking_service.simulator.contract import contract_of
from booking_service.simulator.forms import decode
from booking_service.simulator.operations import HANDLERS

_HEADERS = {
    "Authorization": "Bearer sk_test_benchmark",
    "Stripe-Version": "2026-10-28.endive",
    "Content-Type": "application/x-www-form-urlencoded",
}
_SESSION = {
    "mode": "payment",
    "success_url": "http://clinic.test/done",
    "cancel_url": "http://clinic.test/back",
    "metadata[booking_id]": "018f4d7e-0000-7000-8000-000000000000",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "3900",
    "line_items[0][price_data][product_data][name]": "First visit",
}
_CUSTOMER = {"email": "a@example.com", "metadata[a]": "b"}
_REPEATS = 2000


class Caller:
    """One kept connection to the simulator."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, form: dict | None = None) -> dict:
        """Send one request, and fail unless it is answered 200."""
        body = urlencode(form) if form else None
        self._connection.request(method, path, body, _HEADERS)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(text.decode())
        return json.loads(text)


def main() -> None:
    options = ArgumentParser(description=__doc__)
    options.add_argument("--objects", type=int, default=10_000)
    options.add_argument("--seconds", type=float, default=5)
    options.add_argument("--callers", type=int, default=4)
    wanted = options.parse_args()
    words = [sys.executable, "-m", "booking_service.simulator", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(re.search(r":(\d+)$", process.stdout.readline().strip())[1])
            stored = fill(port, wanted.objects)
            say("objects stored", stored)
            say("memory of the process with those, MB", f"{resident(process.pid):.1f}")
            for name, work in MIXES.items():
                say(f"requests/s, {name}", load(process.pid, port, work, wanted))
            say("memory of the process after all that, MB", f"{resident(process.pid):.1f}")
        finally:
            process.terminate()
    check_cost()


def fill(port: int, objects: int) -> int:
    """Make customers (each with its event) until so many objects are stored."""
    caller = Caller(port)
    for _ in range(objects // 2):
        caller.ask("POST", "/v1/customers", _CUSTOMER)
    return objects


def create_customer(caller: Caller, _seen: list[str]) -> None:
    caller.ask("POST", "/v1/customers", _CUSTOMER)


def create_session(caller: Caller, seen: list[str]) -> None:
    seen.append(caller.ask("POST", "/v1/checkout/sessions", _SESSION)["id"])


def read_one(caller: Caller, seen: list[str]) -> None:
    if not seen:
        create_session(caller, seen)
    caller.ask("GET", f"/v1/checkout/sessions/{seen[-1]}")


def mixed(caller: Caller, seen: list[str]) -> None:
    """Do as the service does: open a page, look at it, list refunds; the count is requests."""
    create_session(caller, seen)
    for _ in range(3):
        read_one(caller, seen)


MIXES = {
    "reading a session": (read_one, 1),
    "making a customer": (create_customer, 1),
    "making a session": (create_session, 1),
    "three reads for each session made": (mixed, 4),
}


def load(pid: int, port: int, work, wanted: Namespace) -> str:
    """Return requests a second, what they took of the processor, and how long they took."""
    do, counts_for = work
    seconds, used = wanted.seconds, processor_seconds(pid)
    took: list[float] = []

    def run() -> None:
        caller, seen, end = Caller(port), [], perf_counter() + seconds
        while (started := perf_counter()) < end:
            do(caller, seen)
            took.append((perf_counter() - started) / counts_for)

    threads = [Thread(target=run) for _ in range(wanted.callers)]
    started = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = len(took) * counts_for
    rate, slow = count / (perf_counter() - started), quantiles(took, n=100)[98] * 1000
    each = (processor_seconds(pid) - used) / count * 1000
    times = f"median {median(took) * 1000:.1f} ms, 99 % within {slow:.1f} ms"
    return f"{rate:.0f} ({each:.2f} ms of the processor each; {times})"


def processor_seconds(pid: int) -> float:
    """Return what a process has used of the processor, by itself and for its system calls."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Return the memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def check_cost() -> None:
    """Say what it costs to check one request and one answer, in milliseconds."""
    contract = contract_of(frozenset(HANDLERS))
    operation = contract.operations["post", "/v1/checkout/sessions"]
    tree = decode(_SESSION.items())
    answer = _an_answer()
    for name, check in (
        ("request", lambda: read_params(contract, operation.params, tree)),
        ("answer", lambda: misfits(contract, operation.answer, answer)),
    ):
        check()
        started = perf_counter()
        for _ in range(_REPEATS):
            check()
        say(f"check of one {name}, ms", f"{(perf_counter() - started) / _REPEATS * 1000:.3f}")


def _an_answer() -> dict:
    app = create_simulator()
    made = app.test_client().post("/v1/checkout/sessions", data=_SESSION, headers=_HEADERS)
    app.extensions["simulator"].close()
    return made.get_json()


def say(what: str, how_much: object) -> None:
    sys.stdout.write(f"{what:45} {how_much}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
