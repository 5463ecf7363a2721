"""What the desk reads: a day's visits, one patient's visit, one membership."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.clock import local_day, utc_now
from booking_service.errors import NotFound
from booking_service.models import (
    BookingStatus,
    ChargeStatus,
    MembershipStatus,
    Notification,
    NotificationStatus,
    RefundStatus,
)
from booking_service.queries import availability, front_desk, patient_pages
from booking_service.queries.front_desk import DeskState, Proof
from booking_service.services import bookings, memberships, visit_steps
from booking_service.services.agreements import Ground
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    converted,
    hold,
    in_treatment,
    paid,
    plan,
)

pytestmark = pytest.mark.usefixtures("seeded")


def day_of(booking_id):
    row = booking(booking_id)
    return front_desk.day(local_day(row.starts_at, patient_pages.practice().zone))


def met(booking_id):
    return {check.proof for check in front_desk.visit(booking_id).eligibility if check.is_met}


def tomorrows_slots():
    """One day's free times: three practitioners at each."""
    zone = patient_pages.practice().zone
    tomorrow = local_day(utc_now(), zone) + timedelta(days=1)
    return availability.free_days(tomorrow, 1)[0].slots


def test_a_day_lists_paid_visits_by_time_and_no_holds(stripe):
    slots = tomorrows_slots()
    held, sooner = slots[:2]
    later = next(slot for slot in slots if slot.starts_at >= sooner.ends_at)
    second = paid(stripe, slot=later, name="Owen Sato", email="owen@example.com")
    first = paid(stripe, slot=sooner)
    hold(held)

    board = day_of(first.booking_id)

    assert [visit.booking_id for visit in board.visits] == [first.booking_id, second.booking_id]
    assert [visit.state for visit in board.visits] == [DeskState.EXPECTED, DeskState.EXPECTED]
    assert (board.first_visits, board.became_members, board.refunded_cents) == (2, 0, 0)


def test_a_visit_is_not_on_the_day_before_or_after(stripe):
    visit = paid(stripe)
    day = day_of(visit.booking_id).date

    around = [front_desk.day(day + timedelta(days=n)).visits for n in (-1, 1)]

    assert around == [[], []]


def test_the_tally_counts_who_joined_and_what_went_back(stripe, work, mail):
    visit = converted(stripe)
    work()

    board = day_of(visit.booking_id)

    assert [one.state for one in board.visits] == [DeskState.MEMBER]
    assert (board.first_visits, board.became_members, board.refunded_cents) == (1, 1, 3900)


def test_each_step_meets_one_more_condition(stripe):
    visit = paid(stripe).booking_id
    before = met(visit)
    visit_steps.arrive(visit, PRIYA)
    here = met(visit)
    visit_steps.begin_treatment(visit, PRIYA)

    assert before == {Proof.PAID, Proof.NOT_REFUNDED}
    assert here == before | {Proof.ARRIVED}
    assert met(visit) == set(Proof)


def test_only_a_patient_in_treatment_can_join(stripe):
    visit = paid(stripe).booking_id
    could = []
    for step in (visit_steps.arrive, visit_steps.begin_treatment, visit_steps.complete):
        step(visit, PRIYA)
        could.append(front_desk.visit(visit).can_join)

    assert could == [False, True, False]


def test_the_next_day_arriving_yesterday_is_not_arriving_today(stripe, travel):
    visit = in_treatment(stripe).booking_id

    travel(booking(visit).starts_at + timedelta(days=1))

    assert met(visit) == set(Proof) - {Proof.ARRIVED}


def test_a_card_nobody_agreed_to_keep_is_not_offered(stripe):
    kept = paid(stripe)
    not_kept = paid(stripe, save_card=False, name="Owen Sato", email="owen@example.com")

    assert front_desk.visit(kept.booking_id).has_saved_card
    assert not front_desk.visit(not_kept.booking_id).has_saved_card


def test_a_membership_is_read_with_its_refund(stripe, work, mail):
    visit = converted(stripe)
    before = front_desk.membership(visit.membership_id)
    work()

    after = front_desk.membership(visit.membership_id)

    assert (before.status, before.charge_status) == ("pending", ChargeStatus.SCHEDULED)
    assert before.refund is None
    assert (after.status, after.charge_status) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert (after.refund.status, after.refund.amount_cents) == (RefundStatus.SUCCEEDED, 3900)
    assert after.mailed_at is not None


def test_a_membership_that_was_taken_back_is_not_shown(stripe):
    visit = in_treatment(stripe)
    tendered = memberships.Tendered(memberships.Tender.SAVED_CARD)
    membership_id, _ = memberships.convert(
        visit.booking_id, plan().id, tendered, PRIYA, timedelta(minutes=1), agreement=Ground.PAPER
    )
    shown = front_desk.visit(visit.booking_id).membership
    memberships.undo(membership_id, PRIYA)

    assert shown.id == membership_id
    assert front_desk.visit(visit.booking_id).membership is None
    assert front_desk.visit(visit.booking_id).can_join


def test_what_does_not_exist_is_not_found(stripe):
    with pytest.raises(NotFound):
        front_desk.visit(uuid4())
    with pytest.raises(NotFound):
        front_desk.visit(hold())
    with pytest.raises(NotFound):
        front_desk.membership(uuid4())


def test_the_next_day_with_visits_is_the_nearest_one_somebody_is_expected_on(stripe):
    visit = paid(stripe)
    day = day_of(visit.booking_id).date

    assert front_desk.next_day_with_visits(day - timedelta(days=3)) == day
    assert front_desk.next_day_with_visits(day) is None
    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED


def test_the_desk_sees_that_the_newest_mail_came_back(stripe, work, mail):
    visit = paid(stripe)
    work()
    seen = [front_desk.visit(visit.booking_id).has_mail_come_back]
    [row] = all_of(Notification)
    change(Notification, row.id, status=NotificationStatus.BOUNCED)
    seen.append(front_desk.visit(visit.booking_id).has_mail_come_back)
    bookings.cancel(visit.booking_id, PRIYA)
    work()
    seen.append(front_desk.visit(visit.booking_id).has_mail_come_back)

    assert seen == [False, True, False]
