from collections import Counter
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from sqlalchemy.exc import TimeoutError as PoolTimeout

from booking_service.errors import SlotTaken
from booking_service.queries import availability
from booking_service.services import holds
from tests.concurrency.crowd import at_once, without_constraint
from tests.factories import HALF_AN_HOUR, free_slot, hold

GRID = timedelta(minutes=20)  # a visit is 45 minutes long: three starts in a row overlap


def kinds(outcomes) -> Counter:
    return Counter(type(outcome) for outcome in outcomes)


def hold_patiently(slot) -> UUID:
    """Ask again when all connections to the database are in use, as a browser's retry would."""
    while True:
        try:
            return hold(slot)
        except PoolTimeout:
            continue


def test_of_two_hundred_people_one_gets_the_time(app, seeded):
    slot = free_slot()

    outcomes = at_once(app, 200, lambda _: hold_patiently(slot))

    assert kinds(outcomes) == {UUID: 1, SlotTaken: 199}
    assert {
        (refusal.practitioner_id, refusal.starts_at)
        for refusal in outcomes
        if isinstance(refusal, SlotTaken)
    } == {(slot.practitioner_id, slot.starts_at)}


def test_whoever_was_too_slow_is_offered_three_times_that_are_free(app, seeded):
    slot = free_slot()
    at_once(app, 10, lambda _: hold(slot))

    offered = availability.alternatives(slot.practitioner_id, slot.starts_at)

    assert len(offered) == 3
    assert kinds(at_once(app, 3, lambda number: hold(offered[number]))) == {UUID: 3}


def test_of_overlapping_times_with_different_starts_one_is_given(app, seeded):
    slot = free_slot()
    starts = [slot.starts_at + step * GRID for step in range(3)]

    outcomes = at_once(
        app,
        30,
        lambda number: holds.place(slot.practitioner_id, starts[number % 3], HALF_AN_HOUR, None),
    )

    assert kinds(outcomes) == {UUID: 1, SlotTaken: 29}


def test_times_that_only_touch_are_both_given(app, seeded):
    practitioner_id = free_slot().practitioner_id
    free = availability.soonest(40, practitioner_id)
    first, second = next(
        (one, other) for one, other in pairwise(free[::3]) if one.ends_at <= other.starts_at
    )

    outcomes = at_once(app, 2, lambda number: hold((first, second)[number]))

    assert kinds(outcomes) == {UUID: 2}


def test_without_the_constraint_all_would_get_the_time(app, seeded):
    slot = free_slot()

    with without_constraint("bookings", "ex_bookings_no_overlap"):
        outcomes = at_once(app, 10, lambda _: hold(slot))

    assert kinds(outcomes) == {UUID: 10}
