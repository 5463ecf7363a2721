"""The last visit of a plan's month, wanted twice at the same instant."""

from threading import Barrier

import pytest

from booking_service.db import db
from booking_service.errors import NotAllowed, SlotTaken
from booking_service.models import Booking, BookingKind, Membership, Patient, Practice
from booking_service.services import allowances, bookings, follow_ups, memberships, people
from tests import factories
from tests.concurrency.crowd import at_once, plain_read
from tests.factories import PRIYA, all_of, change, follow_up, follow_up_slot, plan

SIDE = 4


@pytest.fixture
def dana(seeded, noon, stripe):
    """A member with one visit left this month."""
    made = factories.member(stripe)
    for day in range(1, plan().visits_a_month):
        follow_up(made, day)
    return made


def booked() -> int:
    return sum(row.kind is BookingKind.FOLLOW_UP for row in all_of(Booking))


def book_at_once(app, dana, count: int) -> list:
    slots = [follow_up_slot(10 + number) for number in range(count)]
    db.session.rollback()

    def press(number: int) -> str:
        slot = slots[number]
        follow_ups.book(dana.membership_id, slot.practitioner_id, slot.starts_at, PRIYA)
        return "booked"

    return at_once(app, count, press)


def test_the_last_visit_of_a_month_is_booked_once(app, dana):
    outcomes = book_at_once(app, dana, SIDE)

    assert outcomes.count("booked") == 1
    assert [type(one) for one in outcomes if one != "booked"] == [NotAllowed] * (SIDE - 1)
    assert booked() == plan().visits_a_month


def test_without_the_locks_it_would_be_booked_twice(app, dana, monkeypatch):
    both_read = Barrier(2)

    def unlocked(session, model, id_):
        row = plain_read(session, model, id_)
        if model in (Patient, Membership):
            return row
        raise AssertionError(model)

    def counted(session, membership, besides=None, real=allowances._allowance):
        allowance = real(session, membership, besides)
        both_read.wait(5)
        return allowance

    for module in (allowances, memberships, people):
        monkeypatch.setattr(module, "locked", unlocked)
    monkeypatch.setattr(allowances, "_allowance", counted)

    assert book_at_once(app, dana, 2) == ["booked", "booked"]
    assert booked() == plan().visits_a_month + 1


def test_a_visit_moved_into_a_month_as_its_last_one_is_booked_leaves_it_at_that(app, dana):
    """Moving and booking wait for the same lock: one of them finds the month full."""
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    other = follow_up(dana, 31)
    slot, to = follow_up_slot(10), follow_up_slot(11)
    db.session.rollback()

    def press(number: int) -> str:
        if number:
            bookings.reschedule(other, to.practitioner_id, to.starts_at, PRIYA)
        else:
            follow_ups.book(dana.membership_id, slot.practitioner_id, slot.starts_at, PRIYA)
        return "done"

    outcomes = at_once(app, 2, press)

    assert outcomes.count("done") == 1
    assert sum(isinstance(one, NotAllowed) for one in outcomes) == 1


def test_one_time_goes_to_one_of_two_members(app, seeded, noon, stripe):
    people = [
        factories.member(
            stripe,
            name=f"Patient {n}",
            email=f"{n}@example.com",
            phone=f"518 555 010{n}",
            slot=factories.free_slot(n * 3),
        )
        for n in range(2)
    ]
    slot = follow_up_slot()
    db.session.rollback()

    def press(number: int) -> str:
        whose = people[number].membership_id
        follow_ups.book(whose, slot.practitioner_id, slot.starts_at, PRIYA)
        return "booked"

    outcomes = at_once(app, 2, press)

    assert {type(one) for one in outcomes} == {str, SlotTaken}
    assert booked() == 1


def test_a_double_tap_is_one_visit(app, dana):
    slot = follow_up_slot(10)
    db.session.rollback()

    outcomes = at_once(
        app,
        SIDE,
        lambda _: follow_ups.book(dana.membership_id, slot.practitioner_id, slot.starts_at, PRIYA),
    )

    assert len(set(outcomes)) == 1
    assert booked() == plan().visits_a_month
