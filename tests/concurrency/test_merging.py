"""Two records are merged while something happens to a visit of one of them."""

from datetime import timedelta

import pytest

from booking_service.db import db
from booking_service.models import BookingStatus, Membership, Patient, RefundReason, Tender
from booking_service.services import bookings, memberships, people, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.concurrency.crowd import at_once
from tests.factories import PRIYA, all_of, booking, free_slot, paid, plan, refunds

UNDO = timedelta(seconds=10)


@pytest.fixture
def two(app, seeded, noon, stripe):
    visits = [
        paid(stripe, slot=free_slot(nth * 2), name=f"Dana {nth}", email=f"{nth}@example.com")
        for nth in range(2)
    ]
    ids = [booking(visit.booking_id).patient_id for visit in visits]
    db.session.rollback()
    return visits, ids


@pytest.mark.parametrize("round_", range(5))
def test_merged_each_into_the_other_at_once_one_counts(app, two, round_):
    visits, ids = two

    def merge(number: int) -> str:
        people.merge(ids[number], ids[1 - number], PRIYA)
        return "merged"

    outcomes = at_once(app, 2, merge)

    assert sorted(map(str, outcomes)) == [
        "One of these records was merged with another one. Look again.",
        "merged",
    ]
    [kept] = {booking(visit.booking_id).patient_id for visit in visits}
    assert [one.id for one in all_of(Patient) if one.merged_into_id is None] == [kept]


@pytest.mark.parametrize("round_", range(5))
def test_a_visit_cancelled_while_its_records_are_merged_is_both(app, two, round_):
    visits, ids = two
    changes = [
        lambda: people.merge(ids[0], ids[1], PRIYA),
        lambda: bookings.cancel(visits[1].booking_id, PRIYA),
    ]

    assert at_once(app, 2, lambda number: changes[number]()) == [None, None]
    cancelled = booking(visits[1].booking_id)
    assert (cancelled.status, cancelled.patient_id) == (BookingStatus.CANCELLED, ids[0])
    assert [refund.reason for refund in refunds()] == [RefundReason.CANCELLATION]


@pytest.mark.parametrize("round_", range(10))
def test_one_person_becomes_a_member_once_while_two_records_are_merged(app, two, round_):
    """The other visit's desk waits for the record that counts, and gets the first's result."""
    visits, ids = two
    for visit in visits:
        visit_steps.arrive(visit.booking_id, PRIYA)
        visit_steps.begin_treatment(visit.booking_id, PRIYA)
    plan_id = plan().id
    db.session.rollback()

    def act(number: int) -> object:
        if number == len(visits):
            return people.merge(ids[0], ids[1], PRIYA)
        card = Tendered(Tender.SAVED_CARD)
        return memberships.convert(
            visits[number].booking_id, plan_id, card, PRIYA, UNDO, agreement=Ground.PAPER
        )

    *converted, merged = at_once(app, 3, act)

    assert [type(outcome) for outcome in converted] == [tuple, tuple]
    theirs = {one.id: one.patient_id for one in all_of(Membership)}
    if merged is None:
        assert list(theirs.values()) == [ids[0]]
        assert {id_ for id_, _ in converted} == set(theirs)
    else:
        assert str(merged).startswith("Both have a membership")
        assert sorted(theirs.values()) == sorted(ids)
