"""Workers who find a time for somebody without a visit, at once: one time, one person, one mail."""

from threading import Barrier

import pytest

from booking_service.db import db
from booking_service.languages import Language
from booking_service.models import (
    Booking,
    BookingStatus,
    FreedTime,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.queries import availability
from booking_service.services import bookings, newcomers, waitlist
from tests.concurrency.crowd import at_once, plain_read, without_constraint
from tests.factories import PRIYA, all_of, close_all, open_again, slot_in, visit_of

pytestmark = pytest.mark.usefixtures("noon", "seeded")

WORKERS = 3


@pytest.fixture
def freed(stripe):
    """A time that somebody left, and two who wait for it: a visit's patient, and a newcomer."""
    early = visit_of("Robin Hale", stripe, slot=slot_in(26))
    waitlist.join(visit_of("Ana Ruiz", stripe, slot=slot_in(72)).booking_id)
    newcomers.ask("nia@example.com", Language.EN, None)
    bookings.cancel(early.booking_id, PRIYA)
    [time] = all_of(FreedTime)
    db.session.rollback()
    return time.id


@pytest.fixture
def opened():
    """Free times that two newcomers have not heard of, each practitioner's and when."""
    close_all()
    for name in ("nia", "omar"):
        newcomers.ask(f"{name}@example.com", Language.EN, None)
    open_again()
    free = [(slot.practitioner_id, slot.starts_at) for slot in availability.everything()]
    db.session.rollback()
    return free


def open_offers() -> list[WaitlistOffer]:
    return [offer for offer in all_of(WaitlistOffer) if offer.ended_at is None]


def held() -> list[Booking]:
    return [b for b in all_of(Booking) if b.status is BookingStatus.HELD]


def test_a_time_is_offered_to_a_newcomer_or_a_patient_and_never_to_both(app, freed):
    said = at_once(app, WORKERS, lambda _: waitlist.offer(freed))

    assert said == [None] * WORKERS
    assert len(open_offers()) == len(held()) == 1


def test_without_the_constraint_both_would_be_offered_it(app, freed):
    with without_constraint("bookings", "ex_bookings_no_overlap"):
        at_once(app, WORKERS, lambda _: waitlist.offer(freed))

        assert len(open_offers()) == 2


def test_sweeps_side_by_side_offer_each_newcomer_one_time(app, opened):
    said = at_once(app, WORKERS, lambda _: waitlist.sweep(opened))

    assert said == [None] * WORKERS
    assert len(open_offers()) == len(held()) == 2


@pytest.fixture
def chosen_twice(app, opened, monkeypatch):
    """Sweep twice without the lock; the second when the first has chosen. Return what they said."""
    begin, end = Barrier(2), Barrier(2)
    monkeypatch.setattr(waitlist, "locked", plain_read)
    choose, first = newcomers.first_news, iter([True])

    def pausing(*facts):
        found = choose(*facts)
        if next(first, False):
            begin.wait(5)
            end.wait(5)
        return found

    monkeypatch.setattr(newcomers, "first_news", pausing)

    def press(number: int) -> None:
        if number:
            begin.wait(5)
            waitlist.sweep(opened[1:])  # another time, which no hold of the first protects
            end.wait(5)
        else:
            waitlist.sweep(opened)

    return lambda: at_once(app, 2, press)


def test_without_the_lock_the_index_refuses_a_second_offer(chosen_twice):
    """The next ring of the sweep finds whoever was left out."""
    said = chosen_twice()

    assert [type(one).__name__ for one in said] == ["IntegrityError", "NoneType"]
    assert len(open_offers()) == 2


def test_without_lock_and_index_one_newcomer_would_be_written_to_twice(chosen_twice):
    with without_constraint("waitlist_offers", "uq_waitlist_offers_one_open"):
        chosen_twice()

        assert len(open_offers()) == 3


def test_an_address_left_twice_at_once_waits_once(app, noon):
    said = at_once(
        app, WORKERS, lambda _: newcomers.ask("nia@example.com", Language.EN, (noon, noon))
    )

    assert said == [None] * WORKERS
    assert len(all_of(WaitlistEntry)) == 1


def test_stopped_as_a_time_is_found_nothing_waits_for_ever(app, freed):
    [nia] = [entry.id for entry in all_of(WaitlistEntry) if entry.email]
    db.session.rollback()

    said = at_once(app, 2, lambda number: newcomers.stop(nia) if number else waitlist.offer(freed))

    assert said == [None, None]
    [entry] = [entry for entry in all_of(WaitlistEntry) if entry.id == nia]
    assert (entry.ended_at is None, entry.email) == (False, None)
    assert len(open_offers()) == 1  # Ana's, or the newcomer's last
