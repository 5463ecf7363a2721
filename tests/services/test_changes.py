"""Cancelling and moving a paid visit: who may, until when, and where the money is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.errors import Invalid, NotAllowed, NotFound, SlotTaken, TooLate
from booking_service.models import (
    Actor,
    AuditRow,
    Booking,
    BookingStatus,
    OutboxMessage,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.queries import state
from booking_service.services import bookings
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    free_slot,
    hold,
    in_treatment,
    paid,
    refunds,
)

pytestmark = pytest.mark.usefixtures("seeded", "mail")

PATIENT = Actor.patient()
CUTOFF = timedelta(hours=24)
SECOND = timedelta(seconds=1)


@pytest.fixture
def visit(noon, stripe):
    """A paid visit three days from now."""
    made = paid(stripe)
    starts_at = noon + timedelta(days=3)
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
    change(Booking, made.booking_id, **times)
    made.starts_at = starts_at
    return made


def of_promise() -> list[PromiseStatus]:
    return [promise.status for promise in all_of(Promise)]


def test_cancelled_before_the_cut_off_all_of_it_goes_back_once(visit, travel, stripe, work):
    travel(visit.starts_at - CUTOFF - SECOND)

    for _ in range(2):
        bookings.cancel(visit.booking_id, PATIENT)
        work()

    [refund] = refunds()
    assert booking(visit.booking_id).status is BookingStatus.CANCELLED
    assert booking(visit.booking_id).cancelled_at == visit.starts_at - CUTOFF - SECOND
    assert (refund.reason, refund.status) == (RefundReason.CANCELLATION, RefundStatus.SUCCEEDED)
    assert (refund.amount_cents, refund.requested_by) == (3900, "Patient")
    assert of_promise() == [PromiseStatus.VOID]
    assert len(stripe.refunds()) == 1
    assert state.state()["ledger"]["accounts"].get("refund_liability", 0) == 0
    rows = [row for row in all_of(AuditRow) if row.action == "booking.cancelled"]
    assert [(row.subject_id, row.after) for row in rows] == [
        (visit.booking_id, {"money": "goes_back"})
    ]


def test_cancelled_by_the_patient_after_the_cut_off_the_money_is_kept(visit, travel, stripe, work):
    travel(visit.starts_at - CUTOFF)

    for _ in range(2):
        bookings.cancel(visit.booking_id, PATIENT)
        work()

    assert booking(visit.booking_id).status is BookingStatus.CANCELLED
    assert (refunds(), stripe.refunds()) == ([], [])
    assert of_promise() == [PromiseStatus.LAPSED]
    assert state.state()["ledger"]["accounts"]["first_visit_revenue"] == -3900


def test_cancelled_by_the_practice_all_of_it_always_goes_back(visit, travel, work):
    travel(visit.starts_at - SECOND)

    bookings.cancel(visit.booking_id, PRIYA)
    work()

    [refund] = refunds()
    assert (refund.reason, refund.requested_by) == (RefundReason.CANCELLATION, "Priya Shah")
    assert of_promise() == [PromiseStatus.VOID]


def test_a_cancelled_time_is_free_again(noon, stripe):
    slot = free_slot(9)
    visit = paid(stripe, slot=slot)

    bookings.cancel(visit.booking_id, PATIENT)

    assert hold(slot)


@pytest.mark.parametrize("actor", [PATIENT, PRIYA], ids=["patient", "practice"])
def test_a_visit_that_has_begun_can_be_neither_cancelled_nor_moved(visit, travel, actor):
    slot = free_slot(20)
    travel(visit.starts_at)

    with pytest.raises(TooLate):
        bookings.cancel(visit.booking_id, actor)
    with pytest.raises(TooLate):
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, actor)

    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED
    assert of_promise() == [PromiseStatus.OPEN]


def test_a_patient_who_is_here_has_a_visit_that_has_begun(noon, stripe):
    visit = in_treatment(stripe)

    with pytest.raises(TooLate):
        bookings.cancel(visit.booking_id, PRIYA)

    assert refunds() == []


def test_what_nobody_paid_for_is_no_visit(seeded, noon, visit):
    slot = free_slot(20)
    for status in (BookingStatus.HELD, BookingStatus.EXPIRED):
        change(Booking, visit.booking_id, status=status)
        with pytest.raises(NotAllowed, match="no visit yet"):
            bookings.cancel(visit.booking_id, PATIENT)
    change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    with pytest.raises(NotAllowed, match="cancelled"):
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)
    with pytest.raises(NotFound):
        bookings.cancel(uuid4(), PATIENT)


def test_the_promise_moves_with_the_visit_and_nothing_is_paid_again(visit, noon, travel, stripe):
    old, new = booking(visit.booking_id), free_slot(40)

    for _ in range(2):
        bookings.reschedule(visit.booking_id, new.practitioner_id, new.starts_at, PATIENT)

    moved = booking(visit.booking_id)
    assert (moved.id, moved.code, moved.status) == (old.id, old.code, BookingStatus.CONFIRMED)
    assert (moved.starts_at, moved.ends_at) == (new.starts_at, new.ends_at)
    assert (moved.practitioner_id, moved.moves) == (new.practitioner_id, 1)
    assert [(p.booking_id, p.status) for p in all_of(Promise)] == [(old.id, PromiseStatus.OPEN)]
    assert len(stripe.listed("payment_intents")) == 1
    [change_] = [row for row in all_of(AuditRow) if row.action == "booking.moved"]
    assert change_.after == {
        "was": visit.starts_at.isoformat(),
        "to": new.starts_at.isoformat(),
        "moves": 1,
    }
    mails = [row.subject_id for row in all_of(OutboxMessage) if row.topic is Topic.BOOKING_MOVED]
    assert mails == [change_.id]


def test_the_patient_moves_a_visit_twice_and_then_calls(visit):
    for nth in (500, 560):
        slot = free_slot(nth)
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)
    slot = free_slot(620)

    with pytest.raises(NotAllowed, match=r"moved twice already\. Please call us") as refused:
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)

    assert refused.value.code == "not_allowed"
    bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)
    assert booking(visit.booking_id).moves == 3


def test_after_the_cut_off_only_the_practice_moves_a_visit(visit, travel):
    travel(visit.starts_at - CUTOFF)
    slot = free_slot(20)

    with pytest.raises(TooLate, match=r"less than 24 hours"):
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)

    bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)
    assert booking(visit.booking_id).starts_at == slot.starts_at


def test_a_time_that_is_taken_leaves_the_visit_where_it_was(visit, stripe):
    slot = free_slot(20)
    hold(slot)

    with pytest.raises(SlotTaken, match="Your visit has not been moved"):
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)

    assert booking(visit.booking_id).starts_at == visit.starts_at
    assert booking(visit.booking_id).moves == 0


def test_a_visit_moves_to_times_that_are_offered_only(visit, noon):
    slot = free_slot(20)
    refused = [
        (slot.practitioner_id, noon - timedelta(hours=1)),
        (slot.practitioner_id, slot.starts_at + timedelta(minutes=1)),
        (slot.practitioner_id, noon + timedelta(days=365)),
        (uuid4(), slot.starts_at),
    ]

    for practitioner_id, starts_at in refused:
        with pytest.raises(Invalid):
            bookings.reschedule(visit.booking_id, practitioner_id, starts_at, PATIENT)

    assert booking(visit.booking_id).starts_at == visit.starts_at
