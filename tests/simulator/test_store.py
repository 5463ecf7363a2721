"""Files of earlier versions are read."""

import sqlite3

from booking_service.simulator.serving import running
from tests.simulator.harness import Sim


def test_a_file_without_the_columns_of_keys_is_brought_up_to_date(tmp_path):
    file = str(tmp_path / "state.sqlite")
    with running(state=file) as base:
        session = Sim(base).paid()
    with sqlite3.connect(file) as db:
        for index in ("of_intent", "of_customer", "of_charge", "of_invoice"):
            db.execute(f"DROP INDEX objects_{index}")
        for column in ("payment_intent", "customer", "charge", "invoice"):
            db.execute(f"ALTER TABLE objects DROP COLUMN {column}")

    with running(state=file) as base:
        v1 = Sim(base).stripe.v1
        found = v1.checkout.sessions.list({"payment_intent": session.payment_intent}).data
        refund = v1.refunds.create({"payment_intent": session.payment_intent})

    assert [one.id for one in found] == [session.id]
    assert refund.status == "succeeded"
