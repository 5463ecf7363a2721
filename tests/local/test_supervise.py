import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from booking_service.local.ports import wait_until

# A supervisor of two stand-ins: one that is restarted, and one that must not die.
SUPERVISOR = """
import json, os, sys
from pathlib import Path
from booking_service.local.children import Spec
from booking_service.local.supervise import ProcessDiedError, Supervisor

WAIT = "import time; print('here', flush=True); time.sleep(600)"
# Deaf to SIGTERM, with a child of its own.
DEAF = ("import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print('child', p.pid, flush=True); p.wait()")
FRAIL = "import sys; print('no luck', flush=True); sys.exit(3)"
PROGRAMS = {"wait": WAIT, "deaf": DEAF, "frail": FRAIL}


def report():
    pids = {name: child.pid for name, child in supervisor.children.items()}
    Path(sys.argv[1]).with_suffix(".new").write_text(json.dumps(pids))
    Path(sys.argv[1]).with_suffix(".new").replace(sys.argv[1])


supervisor = Supervisor(on_change=report)
supervisor.catch_signals()
code = 0
try:
    for word in sys.argv[2:]:
        name, program, restarts = word.split(":")
        spec = Spec(name, (sys.executable, "-c", PROGRAMS[program]), dict(os.environ), Path("/"),
                    restarts == "restarts")
        supervisor.start(spec)
    report()
    supervisor.watch()
except ProcessDiedError as error:
    print(f"died: {error}", flush=True)
    code = 1
finally:
    supervisor.stop([["worker"]])
sys.exit(code)
"""


@contextmanager
def supervising(tmp_path, *children):
    """Run a supervisor as a program of its own; yields it and a way to ask for its pids."""
    report = tmp_path / "pids.json"
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(report), *children],
        stdout=subprocess.PIPE,
        text=True,
    )

    def pids():
        return json.loads(report.read_text())

    with process:
        try:
            wait_until(report.exists, "the supervisor to start")
            yield process, pids
        finally:
            process.kill()
            for pid in pids().values():
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)


def is_alive(pid):
    """Whether a process runs; a zombie nobody has fetched yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_worker_is_replaced_and_the_new_pid_is_told(tmp_path):
    with supervising(tmp_path, "worker:wait:restarts", "beat:wait:restarts") as (process, pids):
        before = pids()

        os.kill(before["worker"], signal.SIGKILL)
        wait_until(lambda: pids()["worker"] != before["worker"], "a new worker")

        after = pids()
        lives = is_alive(after["worker"])
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)

    assert lives
    assert after["beat"] == before["beat"]
    assert process.returncode == 0
    assert "  worker | worker was killed by signal 9; starting it again\n" in output
    assert not any(is_alive(pid) for pid in (*before.values(), *after.values()))


def test_what_a_killed_worker_left_behind_is_killed_before_the_restart(tmp_path):
    with supervising(tmp_path, "worker:deaf:restarts") as (process, pids):
        line = process.stdout.readline()
        orphan = int(line.split()[-1])
        before = pids()["worker"]

        os.kill(before, signal.SIGKILL)
        wait_until(lambda: pids()["worker"] != before, "a new worker")

        wait_until(lambda: not is_alive(orphan), "the orphan to end")


def test_the_end_of_a_process_that_must_not_end_stops_everything(tmp_path):
    with supervising(tmp_path, "web:wait:restarts", "stripe:frail:stays") as (process, _pids):
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "died: stripe ended with code 3; its last lines:\n    no luck\n" in output


def test_a_worker_that_keeps_dying_is_given_up(tmp_path):
    with supervising(tmp_path, "worker:frail:restarts") as (process, _pids):
        output, _ = process.communicate(timeout=20)

    assert process.returncode == 1
    assert output.count("starting it again") == 5
    assert output.count("no luck") == 7  # six lives, and the obituary of the last


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_stops_every_process_of_the_tree(number, tmp_path):
    with supervising(tmp_path, "web:wait:restarts", "worker:wait:restarts") as (process, pids):
        children = pids()
        process.send_signal(number)
        process.communicate(timeout=5)

    assert process.returncode == 0
    assert not any(is_alive(pid) for pid in children.values())


def test_a_second_ctrl_c_kills_what_will_not_stop(tmp_path):
    with supervising(tmp_path, "worker:deaf:restarts") as (process, pids):
        grandchild = int(process.stdout.readline().split()[-1])
        worker = pids()["worker"]
        process.send_signal(signal.SIGINT)
        first_line_after = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=5)  # without the second it takes ten seconds

    assert first_line_after == "    demo | stopping; a second Ctrl-C kills what is left\n"
    assert process.returncode == 0
    assert not is_alive(worker)
    assert not is_alive(grandchild)
