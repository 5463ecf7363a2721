"""What beat rings for: each sweep runs as a task, on an empty house and twice."""

import pytest

SWEEPS = [
    *("checkout.sweep", "choices.sweep", "holds.sweep", "notifications.remind"),
    *("promises.sweep", "waitlist.sweep", "webhooks.sweep"),
]


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_may_run_twice_and_find_nothing(seeded, celery, name):
    for _ in range(2):
        assert celery.tasks[name].run() is None


def test_every_minute_sweep_waits_in_the_periodic_queue(celery):
    schedule = celery.conf.beat_schedule.values()

    found = {entry["task"]: (entry["schedule"], entry["options"]["queue"]) for entry in schedule}

    every_minute = [name for name in SWEEPS if name != "holds.sweep"]
    assert {name: found[name] for name in every_minute} == dict.fromkeys(
        every_minute, (60.0, "periodic")
    )
