"""Follow-ups: booked without paying, as many as the plan includes, and given back or not."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import db, transaction, violated
from booking_service.errors import Invalid, NotAllowed, NotFound, SlotTaken, TooLate
from booking_service.languages import Language
from booking_service.models import (
    Actor,
    Attempt,
    AuditRow,
    Booking,
    BookingKind,
    BookingStatus,
    Membership,
    MembershipStatus,
    Notification,
    Payment,
    Practice,
    Promise,
)
from booking_service.queries import follow_ups as plans
from booking_service.services import (
    bookings,
    follow_ups,
    memberships,
    newcomers,
    patients,
    self_audit,
    visit_links,
    visit_steps,
    waitlist,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests import factories
from tests.factories import PRIYA, all_of, booking, change, follow_up, follow_up_slot, plan

PATIENT = Actor.patient()
pytestmark = pytest.mark.usefixtures("seeded", "noon")


@pytest.fixture
def dana(noon, seeded, stripe):
    """A member since this noon, whose first visit is over."""
    return factories.member(stripe)


def left(member, at: datetime | None = None) -> int:
    allowance = plans.member(member.booking_id).allowance
    return allowance.left(at or follow_up_slot(0.2).starts_at)


def test_a_follow_up_is_a_confirmed_visit_without_money(dana, stripe):
    asked = len(stripe.log())

    visit = booking(follow_up(dana))

    assert (visit.kind, visit.status) == (BookingKind.FOLLOW_UP, BookingStatus.CONFIRMED)
    assert visit.ends_at - visit.starts_at == timedelta(minutes=20)
    assert visit.membership_id == dana.membership_id
    assert [row.booking_id for row in all_of(Payment)] == [dana.booking_id]
    assert [row.booking_id for row in all_of(Promise)] == [dana.booking_id]
    assert len(stripe.log()) == asked


@pytest.mark.parametrize(
    ("constraint", "facts"),
    [
        ("ck_bookings_membership_of_follow_up", {"membership_id": None}),
        ("ck_bookings_membership_of_follow_up", {"kind": BookingKind.FIRST}),
        ("ck_bookings_follow_up_not_held", {"status": BookingStatus.EXPIRED}),
        ("ck_bookings_given_back_by_cancelling", {"given_back": True}),
    ],
)
def test_the_database_refuses_what_is_no_follow_up(dana, constraint, facts):
    visit = follow_up(dana)

    with pytest.raises(IntegrityError) as refusal:
        change(Booking, visit, **facts)

    assert violated(refusal.value) == constraint


def test_a_first_visit_is_never_given_back(dana):
    with pytest.raises(IntegrityError) as refusal:
        change(Booking, dana.booking_id, status=BookingStatus.CANCELLED, given_back=True)

    assert violated(refusal.value) == "ck_bookings_given_back_by_cancelling"


def test_a_follow_up_takes_some_time(dana):
    with pytest.raises(IntegrityError) as refusal:
        change(Practice, all_of(Practice)[0].id, follow_up_minutes=0)

    assert violated(refusal.value) == "ck_practices_follow_up_positive"


def test_follow_ups_are_many_and_the_first_visit_is_one(dana):
    first = booking(dana.booking_id)
    follow_up(dana, 2)
    follow_up(dana, 3)

    second = factories.hold(follow_up_slot(5))

    with pytest.raises(IntegrityError) as refusal:
        change(Booking, second, patient_id=first.patient_id, status=BookingStatus.CONFIRMED)

    assert violated(refusal.value) == "uq_bookings_one_first_visit"


def test_pressing_twice_is_one_visit(dana):
    slot = follow_up_slot()
    pressed = [
        follow_ups.book(dana.membership_id, slot.practitioner_id, slot.starts_at, PATIENT)
        for _ in range(2)
    ]

    assert pressed[0] == pressed[1]
    assert left(dana, slot.starts_at) == plan().visits_a_month - 1


def test_the_plan_includes_so_many_and_the_next_month_has_its_own(dana, noon):
    count = plan().visits_a_month
    for day in range(1, count + 1):
        follow_up(dana, day)

    with pytest.raises(NotAllowed, match=f"All {count} visits of that month"):
        follow_up(dana, 10)

    assert left(dana) == 0
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    next_month = booking(follow_up(dana, 31))
    assert left(dana, next_month.starts_at) == count - 1


def test_a_time_that_somebody_has_is_refused_and_counts_for_nobody(dana):
    slot = follow_up_slot()
    factories.hold(slot)

    with pytest.raises(SlotTaken, match="Choose another time"):
        follow_ups.book(dana.membership_id, slot.practitioner_id, slot.starts_at, PATIENT)

    assert left(dana, slot.starts_at) == plan().visits_a_month


def test_only_a_time_that_is_offered_can_be_booked(dana):
    slot = follow_up_slot()

    with pytest.raises(Invalid):
        off_the_grid = slot.starts_at + timedelta(minutes=1)
        follow_ups.book(dana.membership_id, slot.practitioner_id, off_the_grid, PATIENT)


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (MembershipStatus.PENDING, "begins when its first month is paid"),
        (MembershipStatus.PAST_DUE, "Once it is paid"),
        (MembershipStatus.CANCELLED, "has ended"),
        (MembershipStatus.ENDED, "has ended"),
        (MembershipStatus.UNDONE, "has ended"),
    ],
)
def test_only_an_active_membership_books(dana, status, why):
    change(Membership, dana.membership_id, status=status)

    with pytest.raises(NotAllowed, match=why):
        follow_up(dana)

    assert len(all_of(Booking)) == 1


def test_a_visit_may_be_before_the_end_that_is_known_and_not_after_it(dana, noon):
    change(Membership, dana.membership_id, ended_at=noon + timedelta(days=5))

    follow_up(dana, 4)
    with pytest.raises(NotAllowed, match="ends before that day"):
        follow_up(dana, 6)


def test_a_membership_nobody_has_books_nothing(dana):
    with pytest.raises(NotFound):
        follow_ups.book(dana.booking_id, dana.booking_id, follow_up_slot().starts_at, PRIYA)


@pytest.mark.parametrize(
    ("days", "actor", "by_patient", "is_back"),
    [
        (3, PATIENT, False, True),
        (0.5, PATIENT, False, False),
        (0.5, PRIYA, True, False),
        (0.5, PRIYA, False, True),
    ],
)
def test_cancelled_in_time_or_by_the_practice_the_plan_has_the_visit_again(
    dana, days, actor, by_patient, is_back
):
    visit = booking(follow_up(dana, days))

    bookings.cancel(visit.id, actor, by_patient=by_patient)
    bookings.cancel(visit.id, actor, by_patient=by_patient)

    assert booking(visit.id).given_back is is_back
    assert left(dana, visit.starts_at) == plan().visits_a_month - (not is_back)
    assert factories.refunds() == [r for r in factories.refunds() if r.reason == "membership"]
    [row] = [r for r in all_of(AuditRow) if r.action == "booking.cancelled"]
    assert row.after == {"visit": "goes_back" if is_back else "kept"}


def test_nobody_came_counts_and_keeps_nothing(dana, travel, work, mail):
    visit = booking(follow_up(dana, 2))
    work()
    mail.letters.clear()
    travel(visit.starts_at + timedelta(minutes=10))

    visit_steps.mark_no_show(visit.id, PRIYA)
    assert left(dana, visit.starts_at) == plan().visits_a_month - 1

    travel(visit.starts_at + timedelta(days=1, hours=12))
    work()
    [letter] = mail.letters
    assert "It counts as a visit of your Corrective plan." in letter.text
    assert "$" not in letter.text


def test_a_follow_up_takes_the_steps_of_a_visit_and_starts_no_membership(dana, travel):
    visit = booking(follow_up(dana, 2))
    travel(visit.starts_at)

    visit_steps.arrive(visit.id, PRIYA)
    visit_steps.begin_treatment(visit.id, PRIYA)
    with pytest.raises(NotAllowed, match="part of a membership"):
        memberships.convert(
            visit.id,
            plan().id,
            Tendered("recorded", "R"),
            PRIYA,
            timedelta(0),
            agreement=Ground.PAPER,
        )
    visit_steps.complete(visit.id, PRIYA)

    assert booking(visit.id).status is BookingStatus.COMPLETED
    assert len(all_of(Promise)) == len(all_of(Membership)) == 1


def test_a_follow_up_of_an_ended_membership_starts_none_either(dana, travel):
    visit = booking(follow_up(dana, 2))
    change(Membership, dana.membership_id, status=MembershipStatus.ENDED, ended_at=visit.starts_at)
    travel(visit.starts_at)
    visit_steps.arrive(visit.id, PRIYA)

    with pytest.raises(NotAllowed, match="part of a membership"):
        memberships.convert(
            visit.id,
            plan().id,
            Tendered("recorded", "R"),
            PRIYA,
            timedelta(0),
            agreement=Ground.PAPER,
        )


def test_a_follow_up_moves_at_its_own_length_and_counts_where_it_is(dana, noon):
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    visit = booking(follow_up(dana, 3))
    was = visit.starts_at
    to = follow_up_slot(31)

    bookings.reschedule(visit.id, to.practitioner_id, to.starts_at, PATIENT)

    moved = booking(visit.id)
    assert (moved.starts_at, moved.ends_at) == (to.starts_at, to.starts_at + timedelta(minutes=20))
    count = plan().visits_a_month
    assert (left(dana, was), left(dana, moved.starts_at)) == (count, count - 1)


def test_the_last_visit_of_a_month_may_move_inside_it_and_none_into_a_full_one(dana, noon):
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    visits = [follow_up(dana, day) for day in range(1, plan().visits_a_month + 1)]
    other = follow_up(dana, 31)
    to = follow_up_slot(12)

    bookings.reschedule(visits[-1], to.practitioner_id, to.starts_at, PATIENT)
    again = follow_up_slot(14)
    with pytest.raises(NotAllowed, match="of that month"):
        bookings.reschedule(other, again.practitioner_id, again.starts_at, PRIYA)

    assert booking(visits[-1]).starts_at == to.starts_at
    assert booking(other).starts_at >= noon + timedelta(days=31)


def test_a_patient_moves_a_follow_up_twice_and_not_late(dana):
    visit = follow_up(dana, 3)
    for day in (4, 5):
        to = follow_up_slot(day)
        bookings.reschedule(visit, to.practitioner_id, to.starts_at, PATIENT)
    late, to = follow_up(dana, 0.5), follow_up_slot(6)

    with pytest.raises(NotAllowed, match="moved twice already"):
        bookings.reschedule(visit, to.practitioner_id, to.starts_at, PATIENT)
    with pytest.raises(TooLate):
        bookings.reschedule(late, to.practitioner_id, to.starts_at, PATIENT)


def test_a_follow_up_waits_for_no_earlier_time(dana):
    with pytest.raises(NotAllowed, match="move this visit"):
        waitlist.join(follow_up(dana, 3))


def test_a_newcomer_with_a_members_address_waits_on(dana, travel, noon):
    """Whoever waits for a first visit may have given the address of a member of the family."""
    newcomers.ask("dana@example.com", Language.EN, None)
    travel(noon + timedelta(minutes=1))

    follow_up(dana, 3)

    assert newcomers.sweep() == 0


def test_a_freed_follow_up_is_offered_to_a_first_visit_only_where_it_fits(dana, work):
    """The time it leaves is shorter than what a first visit takes: the constraint decides."""
    visit = booking(follow_up(dana, 3))
    bookings.cancel(visit.id, PRIYA)

    work()

    assert {row.status for row in all_of(Booking)} == {
        BookingStatus.COMPLETED,
        BookingStatus.CANCELLED,
    }


def test_the_links_of_an_address_are_those_of_follow_ups_too(dana, work, mail):
    follow_up(dana, 3)
    work()
    mail.letters.clear()

    visit_links.ask("dana@example.com")
    work()

    [letter] = mail.letters
    assert letter.text.count("/v/") == 2


def test_the_link_of_a_follow_up_is_sent_again_and_replaced(dana, work, mail):
    visit = follow_up(dana, 3)
    work()
    mail.letters.clear()

    visit_links.send_again(visit, PRIYA)
    visit_links.replace(visit, PRIYA)
    work()

    assert booking(visit).link_version == 1
    assert len(mail.letters) == 2


def test_who_booked_for_the_patient_is_told_of_follow_ups(noon, stripe, work, mail):
    child = factories.member(stripe, booked_by="Robin Whitfield")
    follow_up(child)
    work()

    assert mail.letters[-1].text.startswith("Hello Robin Whitfield,")


def test_somebody_with_a_visit_to_come_is_not_forgotten(dana):
    visit = follow_up(dana, 3)
    change(Membership, dana.membership_id, status=MembershipStatus.ENDED)
    with transaction() as session:
        patient = session.get_one(Booking, visit).patient_id

    with pytest.raises(NotAllowed, match="a visit is still to come"):
        patients.erase(patient, PRIYA)


def test_nothing_of_follow_ups_is_in_doubt_and_one_with_a_payment_is(dana, work, mail):
    visit = follow_up(dana, 3)
    bookings.cancel(follow_up(dana, 0.5), PATIENT)
    work()
    with transaction() as session:
        assert self_audit.doubts(session) == {}

    db.session.rollback()
    change(Payment, dana.payment.id, booking_id=visit)

    with transaction() as session:
        assert self_audit.doubts(session)[dana.payment.id] == "follow_up_with_money"


def test_nothing_but_mails_follows_from_a_follow_up(dana, work, mail):
    work()
    before = len(all_of(Attempt))

    visit = follow_up(dana, 3)
    done = work()

    assert done == ["notifications.booking_confirmed"]
    assert len(all_of(Attempt)) == before
    [told] = [row for row in all_of(Notification) if row.booking_id == visit]
    assert told.sent_count == 1


@pytest.mark.parametrize(
    ("column", "days", "why"), [("paused_at", 0, "is paused"), ("cancels_at", 3, "ends before")]
)
def test_a_pause_or_a_coming_end_books_no_visit_after_it(dana, noon, column, days, why):
    change(Membership, dana.membership_id, **{column: noon + timedelta(days=days)})

    with pytest.raises(NotAllowed, match=why):
        follow_up(dana, 7)
