"""Paid, and the time was gone: another time, or the money, and exactly one of the two."""

from datetime import timedelta

import pytest

from booking_service.db import transaction
from booking_service.errors import Invalid, NotAllowed, SlotTaken, TooLate
from booking_service.models import (
    AuditRow,
    BookingStatus,
    OutboxMessage,
    Payment,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.queries import state
from booking_service.services import bookings, checkout, choices, refunds
from tests.factories import PRIYA, all_of, booking, change, free_slot, lost_time, paid, payment_of
from tests.factories import refunds as all_refunds

pytestmark = pytest.mark.usefixtures("seeded", "mail")

A_DAY = timedelta(hours=24)


@pytest.fixture
def lost(noon, stripe, gateway) -> Payment:
    """Paid for a time that somebody else had by then."""
    return lost_time(stripe, gateway)[0]


def choose(payment: Payment, slot) -> None:
    choices.choose(payment.booking_id, slot.practitioner_id, slot.starts_at)


def of(payment: Payment) -> dict:
    """Where the money and its visit are."""
    promises = [p.status for p in all_of(Promise) if p.payment_id == payment.id]
    kept = booking(payment.booking_id)
    refunds = [(r.reason, r.status) for r in all_refunds()]
    return {
        "booking": kept.status,
        "choosing": kept.choose_until is not None,
        "promises": promises,
        "refunds": refunds,
    }


BOOKED = {
    "booking": BookingStatus.CONFIRMED,
    "choosing": False,
    "promises": [PromiseStatus.OPEN],
    "refunds": [],
}
BACK = {
    "booking": BookingStatus.EXPIRED,
    "choosing": False,
    "promises": [],
    "refunds": [(RefundReason.SLOT_LOST, RefundStatus.SUCCEEDED)],
}
WAITING = {
    "booking": BookingStatus.EXPIRED,
    "choosing": True,
    "promises": [],
    "refunds": [],
}


def test_the_patient_chooses_another_time_and_pays_nothing_again(lost, stripe, work):
    slot = free_slot(7)

    for _ in range(2):
        choose(lost, slot)
        work()

    kept = booking(lost.booking_id)
    assert of(lost) == BOOKED
    assert (kept.practitioner_id, kept.starts_at) == (slot.practitioner_id, slot.starts_at)
    assert (kept.ends_at, kept.moves) == (slot.ends_at, 0)
    assert len(stripe.listed("payment_intents")) == 2
    mails = [row for row in all_of(OutboxMessage) if row.subject_id == lost.booking_id]
    assert [row.topic for row in sorted(mails, key=lambda row: row.sequence)] == [
        Topic.SLOT_LOST,
        Topic.BOOKING_CONFIRMED,
    ]
    rows = [row for row in all_of(AuditRow) if row.subject_id == lost.booking_id]
    assert sorted((row.action, row.actor_kind) for row in rows) == [
        ("booking.confirm", "patient"),
        ("booking.hold", "patient"),
        ("booking.slot_lost", "system"),
        ("terms.accept", "patient"),
    ]


def test_a_time_that_is_taken_meanwhile_loses_nothing(lost, stripe):
    slot = free_slot(7)
    paid(stripe, slot=slot, name="Ana Ruiz", email="ana@example.com")
    before = booking(lost.booking_id).starts_at

    with pytest.raises(SlotTaken, match=r"Your \$39\.00 is still here"):
        choose(lost, slot)

    assert of(lost) == WAITING
    assert booking(lost.booking_id).starts_at == before
    choose(lost, free_slot(7))
    assert of(lost) == BOOKED


def test_only_a_time_that_is_offered_can_be_chosen(lost, noon):
    slot = free_slot(7)

    with pytest.raises(Invalid):
        choices.choose(lost.booking_id, slot.practitioner_id, noon - timedelta(hours=1))

    assert of(lost) == WAITING


def test_the_money_is_sent_back_once_when_the_patient_asks(lost, stripe, work):
    for _ in range(2):
        choices.send_back(lost.booking_id)
        work()

    assert of(lost) == BACK
    assert len(stripe.refunds()) == 1
    with pytest.raises(NotAllowed, match="nothing to choose"):
        choose(lost, free_slot(7))


def test_after_a_day_nothing_can_be_chosen_any_more(lost, noon, travel, work):
    travel(noon + A_DAY)

    with pytest.raises(TooLate, match=r"Your \$39\.00 goes back by itself"):
        choose(lost, free_slot(7))

    choices.send_back(lost.booking_id)
    work()
    assert of(lost) == BACK


def test_who_chose_a_time_cannot_have_the_money_as_well(lost, noon, travel, stripe):
    choose(lost, free_slot(7))

    with pytest.raises(NotAllowed, match="Cancel it first"):
        choices.send_back(lost.booking_id)
    travel(noon + A_DAY)
    choices.sweep()

    assert of(lost) == BOOKED
    assert stripe.refunds() == []


def test_a_dispute_meanwhile_means_the_money_is_not_here(lost, noon):
    change(Payment, lost.id, disputed_at=noon)

    with pytest.raises(NotAllowed, match="not with us any more"):
        choose(lost, free_slot(7))

    assert of(lost) == WAITING


def test_a_refund_decided_meanwhile_means_the_money_is_not_here(lost):
    with transaction() as session:
        refunds.request(session, lost.id, RefundReason.SLOT_LOST, "Sam Lee")

    with pytest.raises(NotAllowed, match="not with us any more"):
        choose(lost, free_slot(7))

    assert booking(lost.booking_id).status is BookingStatus.EXPIRED


def test_who_has_a_visit_by_now_can_only_have_the_money(lost, stripe, work):
    """Booked and paid once more, by somebody who did not wait for us."""
    again = paid_again(lost, stripe)

    with pytest.raises(NotAllowed, match="a first visit already"):
        choose(lost, free_slot(9))

    choices.send_back(lost.booking_id)
    work()
    assert of(lost) == BACK
    assert booking(again).status is BookingStatus.CONFIRMED


def paid_again(lost, stripe):
    other = paid(stripe, slot=free_slot(9))
    assert booking(other.booking_id).patient_id == booking(lost.booking_id).patient_id
    return other.booking_id


def test_a_chosen_visit_is_a_visit_like_any_other(lost, stripe, work):
    choose(lost, free_slot(7))

    bookings.cancel(lost.booking_id, PRIYA)
    work()

    [refund] = all_refunds()
    assert (refund.reason, refund.status) == (RefundReason.CANCELLATION, RefundStatus.SUCCEEDED)
    assert [p.status for p in all_of(Promise) if p.payment_id == lost.id] == [PromiseStatus.VOID]
    assert state.state()["ledger"]["accounts"]["refund_liability"] == -3900


def test_a_late_webhook_during_the_choice_changes_nothing(lost, gateway):
    until = booking(lost.booking_id).choose_until

    checkout.confirm(lost.stripe_checkout_session_id, gateway)

    assert of(lost) == WAITING
    assert booking(lost.booking_id).choose_until == until
    assert payment_of(lost.booking_id).amount_cents == 3900
