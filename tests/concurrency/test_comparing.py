"""Two workers with one comparison: the second is told that it is under way."""

from contextlib import nullcontext
from threading import Event

import pytest

from booking_service.db import db
from booking_service.errors import ComparisonUnderWay
from booking_service.models import Discrepancy, ReconciliationRun
from booking_service.services import reconciliation
from tests.concurrency.crowd import at_once
from tests.factories import PRIYA, all_of
from tests.services.test_reconciliation import entry


@pytest.fixture
def two_workers(app, seeded, noon, gateway, monkeypatch):
    """The second begins while the first looks, and the first goes on when the second is through."""
    entry("re_gone", 700)
    run_id = reconciliation.ask(PRIYA)
    looking, second_is_through, look = Event(), Event(), reconciliation._look

    def look_slowly(gateway):
        if not looking.is_set():
            looking.set()
            second_is_through.wait(20)
        return look(gateway)

    monkeypatch.setattr(reconciliation, "_look", look_slowly)

    def work(number: int) -> None:
        if number == 0:
            reconciliation.run_asked(run_id, gateway)
            return
        looking.wait(20)
        try:
            reconciliation.run_asked(run_id, gateway)
        finally:
            second_is_through.set()

    def both() -> tuple[list, list[int]]:
        db.session.rollback()
        said = [type(one) for one in at_once(app, 2, work)]
        return said, [row.our_cents for row in all_of(Discrepancy)]

    return both


def test_two_workers_compare_once(two_workers):
    said, lines = two_workers()

    assert said == [type(None), ComparisonUnderWay]
    assert lines == [700]
    assert [run.residue_cents for run in all_of(ReconciliationRun)] == [700]


def test_without_the_advisory_lock_each_difference_would_be_listed_twice(two_workers, monkeypatch):
    monkeypatch.setattr(reconciliation, "_alone", nullcontext)

    said, lines = two_workers()

    assert said == [type(None), type(None)]
    assert lines == [700, 700]
