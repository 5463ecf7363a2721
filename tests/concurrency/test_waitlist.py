"""Two workers with one time, and a patient who decides as the time runs out: one outcome each."""

from threading import Barrier

import pytest
from sqlalchemy import text

from booking_service.db import db
from booking_service.errors import SlotTaken, TooLate
from booking_service.local.ports import wait_until
from booking_service.models import (
    Booking,
    BookingStatus,
    FreedTime,
    OutboxMessage,
    Topic,
    WaitlistOffer,
)
from booking_service.services import bookings, holds, times, waitlist
from tests.concurrency.crowd import at_once, plain_read, without_constraint
from tests.factories import HALF_AN_HOUR, PRIYA, all_of, booking, slot_in, visit_of

WORKERS = 3


@pytest.fixture
def early(seeded, stripe):
    return visit_of("Robin Hale", stripe, slot=slot_in(26))


@pytest.fixture
def ana(seeded, stripe, early):
    made = visit_of("Ana Ruiz", stripe, slot=slot_in(72))
    waitlist.join(made.booking_id)
    return made


@pytest.fixture
def ben(stripe, ana):
    made = visit_of("Ben Oduya", stripe, slot=slot_in(80))
    waitlist.join(made.booking_id)
    return made


@pytest.fixture
def slowly(monkeypatch):
    """Take out the locks, and let somebody else finish while the first has come to a point."""

    def at(name: str) -> tuple[Barrier, Barrier]:
        begin, end = Barrier(2), Barrier(2)
        monkeypatch.setattr(waitlist, "locked", plain_read)
        step = getattr(waitlist, name)
        first = iter([True])

        def pausing(*facts):
            found = step(*facts)
            if next(first, False):
                begin.wait(5)
                end.wait(5)
            return found

        monkeypatch.setattr(waitlist, name, pausing)
        return begin, end

    return at


def freed(*visits) -> list:
    """Cancel visits, and return the times they leave."""
    for visit in visits:
        bookings.cancel(visit.booking_id, PRIYA)
    ids = [time.id for time in all_of(FreedTime)]
    db.session.rollback()
    return ids


def offers() -> list[WaitlistOffer]:
    return [offer for offer in all_of(WaitlistOffer) if offer.ended_at is None]


def time_of(visit) -> tuple:
    found = booking(visit.booking_id)
    return found.practitioner_id, found.starts_at


def owed(freed_id) -> int:
    """How often somebody is to be found for a time."""
    return len(
        [
            m
            for m in all_of(OutboxMessage)
            if (m.topic, m.subject_id) == (Topic.TIME_FREED, freed_id)
        ]
    )


def test_workers_with_one_time_offer_it_to_one_person(app, early, ana, ben):
    [time] = freed(early)

    said = at_once(app, WORKERS, lambda _: waitlist.offer(time))

    assert said == [None] * WORKERS
    assert len(offers()) == 1


def test_without_the_constraint_one_time_would_be_offered_to_two(app, early, ana, ben):
    [time] = freed(early)
    with without_constraint("bookings", "ex_bookings_no_overlap"):
        at_once(app, WORKERS, lambda _: waitlist.offer(time))

        assert len(offers()) == 2


def two_times(stripe, early) -> list:
    return freed(early, visit_of("Joy Park", stripe, slot=slot_in(28)))


def test_workers_with_two_times_offer_one_person_one(app, early, ana, stripe):
    times = two_times(stripe, early)

    said = at_once(app, 2, lambda number: waitlist.offer(times[number]))

    assert said == [None, None]
    assert len(offers()) == 1


def both_chosen(app, times, begin, end) -> list:
    """Offer both times: the second while the first has chosen whom to ask."""

    def press(number: int) -> None:
        if number:
            begin.wait(5)
            waitlist.offer(times[1])
            end.wait(5)
        else:
            waitlist.offer(times[0])

    return at_once(app, 2, press)


def test_without_the_lock_the_index_refuses_a_second_offer(app, early, ana, stripe, slowly):
    """The outbox tries that one again, and finds nobody."""
    times = two_times(stripe, early)

    said = both_chosen(app, times, *slowly("_first_in_line"))

    assert [type(one).__name__ for one in said] == ["IntegrityError", "NoneType"]
    assert len(offers()) == 1


def test_without_lock_and_index_one_person_would_be_offered_two(app, early, ana, stripe, slowly):
    times = two_times(stripe, early)
    with without_constraint("waitlist_offers", "uq_waitlist_offers_one_open"):
        said = both_chosen(app, times, *slowly("_first_in_line"))

        assert (said, len(offers())) == ([None, None], 2)


@pytest.fixture
def offered(app, early, ana):
    """A time that is kept for Ana: its row, its hold, and when it is."""
    time = time_of(early)
    [freed_id] = freed(early)
    waitlist.offer(freed_id)
    [offer] = offers()
    db.session.rollback()
    return freed_id, offer.hold_id, time


def test_taken_as_the_sweep_lets_it_go_it_is_moved_or_passed_on(app, gateway, ana, offered):
    freed_id, hold_id, time = offered

    def press(number: int) -> None:
        if number:
            holds.release(hold_id, gateway)
        else:
            waitlist.take(ana.booking_id, *time)

    [taken, released] = at_once(app, 2, press)

    assert released is None
    has_moved = time_of(ana) == time
    assert isinstance(taken, TooLate) != has_moved
    assert owed(freed_id) == (1 if has_moved else 2)
    assert booking(hold_id).status is BookingStatus.EXPIRED


def test_without_the_lock_it_would_be_moved_and_passed_on(app, gateway, ana, offered, monkeypatch):
    freed_id, hold_id, time = offered
    begin, end = Barrier(2), Barrier(2)

    def unlocked(session, model, id_):
        row = plain_read(session, model, id_)
        begin.wait(5)
        end.wait(5)
        return row

    monkeypatch.setattr(waitlist, "locked", unlocked)

    def press(number: int) -> None:
        if number:
            begin.wait(5)
            holds.release(hold_id, gateway)
            end.wait(5)
        else:
            waitlist.take(ana.booking_id, *time)

    assert at_once(app, 2, press) == [None, None]
    assert (time_of(ana), owed(freed_id)) == (time, 2)


@pytest.fixture
def taken_as_another_taps(app, ana, offered, monkeypatch):
    """Ana takes the time; somebody taps it when her hold is let go and her visit is not there yet.

    Returns what the two heard.
    """
    _, _, (practitioner_id, starts_at) = offered
    move, begin = bookings.move, Barrier(2)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def is_somebody_waiting() -> bool:
        with db.engine.connect() as connection:
            return connection.scalar(waiting) > 0

    def move_late(*facts):
        begin.wait(5)
        wait_until(is_somebody_waiting, "somebody to tap the time")
        move(*facts)

    def press(number: int) -> None:
        if number:
            begin.wait(5)
            holds.place(practitioner_id, starts_at, HALF_AN_HOUR, None)
        else:
            waitlist.take(ana.booking_id, practitioner_id, starts_at)

    monkeypatch.setattr(bookings, "move", move_late)
    return lambda: at_once(app, 2, press)


def test_somebody_who_taps_it_meanwhile_waits_and_finds_it_taken(
    taken_as_another_taps, ana, offered
):
    [taken, tapped] = taken_as_another_taps()

    assert (taken, type(tapped)) == (None, SlotTaken)
    assert time_of(ana) == offered[2]


def test_without_the_queue_the_two_would_wait_for_each_other(taken_as_another_taps, monkeypatch):
    monkeypatch.setattr(times, "queue_up", lambda _session, _practitioner_id: True)

    said = taken_as_another_taps()

    assert "OperationalError" in [type(one).__name__ for one in said]


def test_a_visit_cancelled_as_it_is_offered_a_time_has_no_offer(app, early, ana):
    [time] = freed(early)

    def press(number: int) -> None:
        if number:
            bookings.cancel(ana.booking_id, PRIYA)
        else:
            waitlist.offer(time)

    assert at_once(app, 2, press) == [None, None]
    assert offers() == []
    assert [b for b in all_of(Booking) if b.status is BookingStatus.HELD] == []


def test_without_the_lock_a_cancelled_visit_would_be_offered_a_time(app, early, ana, slowly):
    [time] = freed(early)
    begin, end = slowly("_first_in_line")

    def press(number: int) -> None:
        if number:
            begin.wait(5)
            bookings.cancel(ana.booking_id, PRIYA)
            end.wait(5)
        else:
            waitlist.offer(time)

    assert at_once(app, 2, press) == [None, None]
    assert booking(ana.booking_id).status is BookingStatus.CANCELLED
    assert len(offers()) == 1
