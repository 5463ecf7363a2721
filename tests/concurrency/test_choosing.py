"""Choosing another time, the sweep, and "send it back" at the same instant: exactly one wins."""

from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace

import pytest

from booking_service import clock
from booking_service.db import db
from booking_service.errors import NotAllowed
from booking_service.models import Booking, BookingStatus, Payment, Refund
from booking_service.services import bookings, choices
from tests.concurrency.crowd import at_once, plain_read
from tests.factories import all_of, booking, change, free_slot, lost_time, refunds


@pytest.fixture
def lost(seeded, stripe, gateway):
    """The ids only: a row belongs to one thread's session, and several would read it anew."""
    payment = lost_time(stripe, gateway)[0]
    return SimpleNamespace(booking_id=payment.booking_id, payment_id=payment.id)


def press_together(app, lost) -> list:
    """Choose, press the button, and let the sweep run, whose clock is a moment ahead."""
    slot = free_slot(9)
    # The web's clock and the sweep's may differ; so the deadline is now, or nearly.
    change(Booking, lost.booking_id, choose_until=clock.utc_now() + timedelta(milliseconds=20))

    def one(number: int) -> str:
        if number == 0:
            choices.choose(lost.booking_id, slot.practitioner_id, slot.starts_at)
            return "chosen"
        if number == 1:
            choices.send_back(lost.booking_id)
            return "button"
        choices.sweep()
        return "swept"

    db.session.rollback()
    return at_once(app, 3, one)


@pytest.mark.parametrize("round_number", range(6))
def test_a_lost_time_ends_in_a_visit_or_in_a_refund_never_both_never_neither(
    app, lost, round_number
):
    chosen, button, _ = press_together(app, lost)

    is_booked = booking(lost.booking_id).status is BookingStatus.CONFIRMED
    assert len(refunds()) == (0 if is_booked else 1)
    assert booking(lost.booking_id).choose_until is None
    assert (chosen == "chosen") is is_booked
    assert isinstance(button, NotAllowed) is is_booked


def test_without_the_lock_the_visit_would_be_booked_and_the_money_sent_back(app, lost, monkeypatch):
    both_read = Barrier(2)

    def read_together(session, booking_id):
        found = plain_read(session, Booking, booking_id)
        both_read.wait(5)
        return found

    monkeypatch.setattr(bookings, "with_patient", read_together)
    monkeypatch.setattr(
        choices, "_payment", lambda session, _: plain_read(session, Payment, lost.payment_id)
    )
    slot = free_slot(9)

    def one(number: int) -> str:
        if number == 0:
            choices.choose(lost.booking_id, slot.practitioner_id, slot.starts_at)
            return "chosen"
        choices.send_back(lost.booking_id)
        return "button"

    db.session.rollback()
    outcomes = at_once(app, 2, one)

    assert outcomes == ["chosen", "button"]
    assert booking(lost.booking_id).status is BookingStatus.CONFIRMED
    assert len(all_of(Refund)) == 1
