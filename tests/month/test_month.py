"""A short month inside the tests; `./run month` plays long ones, from more seeds."""

import pytest

from tests.month.playing import play

SEED, PATIENTS, DAYS = 39, 50, 8


# Threads that act at the same instant have connections of the SDK's own, which end with them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_month_of_faults_loses_nothing_and_doubles_nothing(postgres):
    outcome = play(postgres.create_database("month"), SEED, PATIENTS, days=DAYS)

    figures = outcome.figures
    assert outcome.violations == [], outcome.violations
    assert [figures[name] for name in ("lost", "doubled", "in doubt", "residue")] == [0, 0, 0, 0]
    assert figures["conversions"] > PATIENTS // 4
    assert len(outcome.facts["follow_ups"]) > PATIENTS // 10
    assert figures["faults"] > 2 * PATIENTS
