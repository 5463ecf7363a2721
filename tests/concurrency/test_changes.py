"""Two people who change one visit, or want one time, at the same instant."""

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import db
from booking_service.errors import NotANewPatient, SlotTaken
from booking_service.models import Actor, Booking, BookingStatus, PaymentTender
from booking_service.queries import availability
from booking_service.services import bookings, times, walk_ins
from booking_service.services.walk_ins import DeskPayment
from tests.concurrency.crowd import at_once
from tests.factories import PRIYA, all_of, booking, details, free_slot, hold, paid, refunds

CASH = DeskPayment(PaymentTender.CASH, "R-17", 1)


def test_two_visits_moved_to_one_time_at_once_one_moves(app, seeded, stripe):
    visits = [
        paid(stripe, slot=free_slot(400 + nth), name=f"Patient {nth}", email=f"{nth}@example.com")
        for nth in range(2)
    ]
    slot = free_slot(600)
    db.session.rollback()

    def move(number: int) -> str:
        id_ = visits[number].booking_id
        bookings.reschedule(id_, slot.practitioner_id, slot.starts_at, Actor.patient())
        return "moved"

    outcomes = at_once(app, 2, move)

    assert {type(outcome) for outcome in outcomes} == {str, SlotTaken}
    starts = [booking(visit.booking_id).starts_at for visit in visits]
    assert starts.count(slot.starts_at) == 1


def test_a_visit_cancelled_by_two_at_once_goes_back_once(app, seeded, stripe):
    visit = paid(stripe, slot=free_slot(400))
    db.session.rollback()

    def cancel(number: int) -> str:
        bookings.cancel(visit.booking_id, PRIYA if number else Actor.patient())
        return "cancelled"

    assert at_once(app, 2, cancel) == ["cancelled", "cancelled"]
    assert booking(visit.booking_id).status is BookingStatus.CANCELLED
    assert len(refunds()) == 1


def test_one_person_at_two_desks_at_once_is_booked_once(app, seeded):
    doctors = [person.id for person in availability.practitioners()]
    now = free_slot().starts_at
    db.session.rollback()

    def book(number: int) -> str:
        walk_ins.book((doctors[number], now), details(), CASH, PRIYA)
        return "booked"

    outcomes = at_once(app, 2, book)

    assert {type(outcome) for outcome in outcomes} == {str, NotANewPatient}
    assert len(all_of(Booking)) == 1


def test_a_refusal_of_a_rule_nobody_foresaw_is_not_taken_for_a_taken_time(
    app, seeded, stripe, monkeypatch
):
    """Only the two constraints that are meant to refuse are answers; anything else is a bug."""
    visit = paid(stripe, slot=free_slot(400))
    slot = free_slot(600)
    hold(slot)
    monkeypatch.setattr(times, "NO_OVERLAP", "another")
    doctor = availability.practitioners()[0].id
    [busy] = availability.soonest(1, doctor)
    hold(busy)
    someone = details(name="Ana Ruiz", email="ana@example.com", phone="518 555 0101")

    with pytest.raises(IntegrityError):
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)
    with pytest.raises(IntegrityError):
        walk_ins.book((doctor, busy.starts_at), someone, CASH, PRIYA)

    assert booking(visit.booking_id).starts_at != slot.starts_at
