"""The simulator as the demo runs it: a process of its own, with a file."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

from tests.simulator.harness import SECRET, Sim, eventually


@contextmanager
def process(*options):
    words = [sys.executable, "-m", "booking_service.simulator", "--port", "0", *map(str, options)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        line = run.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        assert found, line + run.stderr.read()
        try:
            yield Sim(found[0])
        finally:
            run.terminate()
            said = run.communicate(timeout=15)
    assert run.returncode == 0
    assert said == ("", "")


def test_what_happened_survives_a_restart(tmp_path, endpoint):
    state = tmp_path / "stripe.sqlite"
    hook = ("--webhook-url", endpoint.url, "--webhook-secret", SECRET)
    endpoint.answers = [500] * 50
    with process("--state", state, *hook) as sim:
        session = sim.paid("4000000000007726")
        params = {"payment_intent": session.payment_intent}
        made = sim.stripe.v1.refunds.create(params, {"idempotency_key": "k"})
        sim.advance(100)
        eventually(lambda: sim.stripe.v1.refunds.retrieve(made.id).status == "succeeded")
        waiting = sim.open_session()

    endpoint.answers.clear()
    with process("--state", state, *hook) as sim:
        again = sim.stripe.v1.refunds.create(params, {"idempotency_key": "k"})
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert again.id == made.id
        assert sim.get("/_sim/clock")["offset"] == 100
        assert sim.pay(waiting.id).status_code == 200
        sim.advance(600)
        listed = sim.stripe.v1.events.list
        eventually(lambda: not listed({"delivery_success": False}).data)


def test_no_card_number_is_kept(tmp_path):
    state = tmp_path / "stripe.sqlite"
    with process("--state", state) as sim:
        sim.with_saved_card("4242 4242 4242 4242")
        sim.pay(sim.open_session().id, "4000000000000002")
        log = str(sim.get("/_sim/log"))

    with closing(sqlite3.connect(state)) as file:
        kept = "\n".join(file.iterdump()) + log
    assert '"last4":"4242"' in kept
    assert "4242424242424242" not in kept.replace(" ", "")
    assert "4000000000000002" not in kept.replace(" ", "")


def test_the_fee_can_be_chosen():
    with process("--fee-percent", "1.5", "--fee-fixed-cents", "25") as sim:
        sim.paid()

        assert sim.stripe.v1.balance_transactions.list().data[0].fee == 84
