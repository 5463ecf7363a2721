"""Two records of one person: merged with everything kept, and separated again."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.errors import NotAllowed, NotANewPatient, NotFound
from booking_service.models import (
    AuditRow,
    Membership,
    MembershipStatus,
    Patient,
    Promise,
    PromiseStatus,
    Refund,
    RefundStatus,
    Tender,
)
from booking_service.services import bookings, memberships, patients, people
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests import factories
from tests.factories import (
    HALF_AN_HOUR,
    PRIYA,
    all_of,
    at_stripe,
    booking,
    change,
    converted,
    details,
    free_slot,
    hold,
    in_treatment,
    paid,
    plan,
)

DANA = {"name": "Dana Whitfield", "email": "dana@example.com"}
AGAIN = {"name": "Dana Whitfield-Hale", "email": "dana.hale@example.com", "phone": "518 555 0199"}

THIRD = {"name": "D. Hale", "email": "d@example.com", "phone": "518 555 0111"}


@pytest.fixture
def two(seeded, stripe):
    """The same person booked twice, under two names: the offer was used twice."""
    return [paid(stripe, slot=free_slot(nth * 3), **who) for nth, who in enumerate((DANA, AGAIN))]


def person(visit):
    return booking(visit.booking_id).patient_id


def settle() -> None:
    for refund in all_of(Refund):
        change(Refund, refund.id, status=RefundStatus.SUCCEEDED)


def record(id_) -> Patient:
    return next(one for one in all_of(Patient) if one.id == id_)


def test_every_visit_goes_to_the_record_that_counts(two):
    kept, other = map(person, two)

    people.merge(kept, other, PRIYA)

    assert [person(visit) for visit in two] == [kept, kept]
    assert booking(two[1].booking_id).merged_from_id == other
    assert [one.status for one in all_of(Promise)] == [PromiseStatus.OPEN] * 2
    assert record(other).merged_into_id == kept


def test_merging_twice_is_once(two):
    kept, other = map(person, two)

    people.merge(kept, other, PRIYA)
    people.merge(kept, other, PRIYA)

    assert [row.action for row in all_of(AuditRow)].count("patient.merge") == 1


def test_whoever_comes_under_the_old_name_is_known(two):
    people.merge(*map(person, two), PRIYA)

    for who in (DANA, AGAIN):
        held = hold(free_slot(9 + len(who)))
        with pytest.raises(NotANewPatient):
            patients.set_details(held, details(**who), HALF_AN_HOUR)


def test_one_whose_visits_were_cancelled_books_as_the_record_that_counts(two):
    kept, other = map(person, two)
    people.merge(kept, other, PRIYA)
    for visit in two:
        bookings.cancel(visit.booking_id, PRIYA)

    again = at_stripe(free_slot(9), **AGAIN)

    assert booking(again.booking_id).patient_id == kept


def test_a_membership_goes_along_with_its_visit(seeded, noon, stripe):
    member = converted(stripe, slot=free_slot(), **AGAIN)
    other = paid(stripe, slot=free_slot(6), **DANA)

    people.merge(person(other), person(member), PRIYA)

    [membership] = all_of(Membership)
    assert membership.patient_id == person(other)


def test_two_who_are_members_are_not_merged(seeded, noon, stripe):
    members = [
        converted(stripe, slot=free_slot(nth * 6), **who) for nth, who in enumerate((DANA, AGAIN))
    ]

    with pytest.raises(NotAllowed, match="Both have a membership"):
        people.merge(*map(person, members), PRIYA)

    change(Membership, members[1].membership_id, status=MembershipStatus.UNDONE)
    people.merge(*map(person, members), PRIYA)


def test_separating_gives_everything_back(two):
    kept, other = map(person, two)
    people.merge(kept, other, PRIYA)

    people.separate(other, PRIYA)
    people.separate(other, PRIYA)

    assert [person(visit) for visit in two] == [kept, other]
    assert booking(two[1].booking_id).merged_from_id is None
    assert record(other).merged_into_id is None
    assert [row.action for row in all_of(AuditRow)].count("patient.separate") == 1


def test_a_membership_started_meanwhile_stays_with_its_visit(seeded, noon, stripe):
    visit = in_treatment(stripe, slot=free_slot(), **AGAIN)
    other = paid(stripe, slot=free_slot(6), **DANA)
    was = person(visit)
    people.merge(person(other), was, PRIYA)
    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
    )

    people.separate(was, PRIYA)

    [membership] = all_of(Membership)
    assert membership.patient_id == person(visit) == was


def test_a_follow_up_booked_meanwhile_goes_back_with_its_membership(seeded, noon, stripe, work):
    member = factories.member(stripe, slot=free_slot(), **AGAIN)
    other = paid(stripe, slot=free_slot(6), **DANA)
    was = person(member)
    people.merge(person(other), was, PRIYA)
    follow_up = factories.follow_up(member, 7)
    assert booking(follow_up).patient_id == person(other)

    people.separate(was, PRIYA)

    assert booking(follow_up).patient_id == was


def test_a_record_that_has_some_of_another_can_be_merged_on(two, stripe, seeded):
    third = paid(stripe, slot=free_slot(12), **THIRD)
    first, second, last = person(two[0]), person(two[1]), person(third)

    people.merge(first, second, PRIYA)
    people.merge(last, first, PRIYA)

    assert {person(visit) for visit in (*two, third)} == {last}
    assert record(second).merged_into_id == last
    people.separate(second, PRIYA)
    assert person(two[1]) == second
    assert person(two[0]) == last


@pytest.mark.parametrize("way", ["forward", "back"])
def test_a_record_is_merged_once(two, stripe, seeded, way):
    third = paid(stripe, slot=free_slot(12), **THIRD)
    kept, other = map(person, two)
    people.merge(kept, other, PRIYA)
    pair = (person(third), other) if way == "forward" else (other, person(third))

    with pytest.raises(NotAllowed, match="merged with another"):
        people.merge(*pair, PRIYA)


def test_nobody_is_merged_with_themselves_or_with_nobody(two):
    for other in (person(two[0]), uuid4()):
        with pytest.raises(NotFound):
            people.merge(person(two[0]), other, PRIYA)
    with pytest.raises(NotFound):
        people.separate(uuid4(), PRIYA)


def test_whoever_is_forgotten_is_forgotten_under_every_name(two):
    kept, other = map(person, two)
    people.merge(kept, other, PRIYA)
    for visit in two:
        bookings.cancel(visit.booking_id, PRIYA)
    settle()

    patients.erase(other, PRIYA)

    assert {one.name for one in all_of(Patient)} == {"Erased"}
    assert all(one.erased_at for one in all_of(Patient))
    with pytest.raises(NotAllowed, match="forgotten"):
        people.separate(other, PRIYA)


def test_nobody_is_merged_with_somebody_who_was_forgotten(two):
    kept, other = map(person, two)
    bookings.cancel(two[1].booking_id, PRIYA)
    settle()
    patients.erase(other, PRIYA)

    with pytest.raises(NotAllowed, match="forgotten"):
        people.merge(kept, other, PRIYA)
