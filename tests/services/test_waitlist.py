"""An earlier time is offered to one person at a time, and nobody is moved who does not want it."""

from datetime import timedelta

import pytest

from booking_service.errors import NotAllowed, TooLate
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    FreedTime,
    Notification,
    NotificationStatus,
    Practice,
    Promise,
    PromiseStatus,
    Topic,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.queries import waitlist as waiting
from booking_service.services import bookings, holds, waitlist
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    free_slot,
    hold,
    paid,
    refunds,
    slot_in,
    visit_of,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded")

PATIENT = Actor.patient()
SECOND = timedelta(seconds=1)
HALF_AN_HOUR = timedelta(minutes=30)


@pytest.fixture
def early(stripe):
    """The visit whose time becomes free: in 26 hours."""
    return paid(stripe, slot=slot_in(26), name="Robin Hale", email="robin@example.com")


@pytest.fixture
def wait(stripe, noon):
    """Make somebody with a visit in so many hours wait for an earlier time, behind the others."""

    def make(person: str, hours: float = 72):
        visit = visit_of(person, stripe, slot=slot_in(hours))
        waitlist.join(visit.booking_id)
        entries = all_of(WaitlistEntry)
        [entry] = [entry for entry in entries if entry.booking_id == visit.booking_id]
        change(WaitlistEntry, entry.id, created_at=noon - HALF_AN_HOUR + len(entries) * SECOND)
        return visit

    return make


@pytest.fixture
def offers(work, mail):
    """Do all work that is due, and say which addresses heard of an earlier time."""

    def told() -> list[str]:
        mail.letters.clear()
        work()
        return [letter.to for letter in news(mail)]

    return told


def news(mail) -> list:
    """The letters about an earlier time."""
    return [x for x in mail.letters if x.subject.startswith("A time has opened")]


def free(visit) -> tuple:
    """Cancel a visit, and return the time it had."""
    slot = booking(visit.booking_id)
    bookings.cancel(visit.booking_id, PRIYA)
    return slot.practitioner_id, slot.starts_at


def time_of(visit) -> tuple:
    slot = booking(visit.booking_id)
    return slot.practitioner_id, slot.starts_at


def held() -> list[tuple]:
    return [
        (b.practitioner_id, b.starts_at) for b in all_of(Booking) if b.status is BookingStatus.HELD
    ]


def lapse(travel, gateway, at) -> None:
    travel(at)
    holds.sweep(gateway)


def test_a_freed_time_is_kept_for_whoever_waits_longest(early, wait, offers, noon, mail):
    ana, ben = wait("Ana Ruiz"), wait("Ben Oduya", 73)

    time = free(early)

    assert offers() == ["ana@example.com"]
    assert held() == [time]
    opening = waiting.opening(ana.booking_id)
    assert (opening.practitioner_id, opening.starts_at) == time
    assert opening.until == noon + HALF_AN_HOUR
    assert waiting.opening(ben.booking_id) is None
    [letter] = news(mail)
    assert letter.subject == "A time has opened: Tue, Nov 24, 2:00 PM"
    for form in (letter.text, " ".join(letter.html.split())):
        assert "12:30 PM" in form
        assert "Hello Ana Ruiz" in form


def test_whoever_takes_it_has_the_time_and_nothing_is_paid_again(early, wait, offers, stripe):
    ana = wait("Ana Ruiz")
    was, time = time_of(ana), free(early)
    offers()
    asked = len(stripe.log())

    for _ in range(2):
        waitlist.take(ana.booking_id, *time)
    told = offers()

    assert (time_of(ana), told, held()) == (time, [], [])
    moved = booking(ana.booking_id)
    assert (moved.status, moved.moves) == (BookingStatus.CONFIRMED, 1)
    promise = next(p for p in all_of(Promise) if p.booking_id == ana.booking_id)
    assert promise.status is PromiseStatus.OPEN
    assert {r.payment_id for r in refunds()} == {early.payment.id}
    assert [entry for entry in stripe.log()[asked:] if "checkout" in entry["path"]] == []
    assert [(f.practitioner_id, f.starts_at) for f in all_of(FreedTime)] == [time, was]
    assert not waiting.waits(ana.booking_id)


def test_the_time_somebody_leaves_for_an_earlier_one_is_offered_on(early, wait, offers):
    ana, ben = wait("Ana Ruiz", 72), wait("Ben Oduya", 96)
    was, time = time_of(ana), free(early)
    offers()

    waitlist.take(ana.booking_id, *time)

    assert offers() == ["ben@example.com"]
    opening = waiting.opening(ben.booking_id)
    assert (opening.practitioner_id, opening.starts_at) == was


def test_a_move_by_offer_is_none_of_the_patients_two_moves(early, wait, offers):
    ana = wait("Ana Ruiz")
    time = free(early)
    offers()
    waitlist.take(ana.booking_id, *time)

    for hours in (100, 120):
        slot = slot_in(hours)
        bookings.reschedule(ana.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)

    slot = slot_in(140)
    with pytest.raises(NotAllowed, match="moved twice"):
        bookings.reschedule(ana.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)


def test_not_taken_in_time_it_goes_to_the_next_and_to_nobody_twice(
    early, wait, offers, noon, travel, gateway
):
    ana, ben = wait("Ana Ruiz"), wait("Ben Oduya", 73)
    time = free(early)
    offers()

    lapse(travel, gateway, noon + HALF_AN_HOUR)
    assert offers() == ["ben@example.com"]
    assert waiting.opening(ana.booking_id) is None
    lapse(travel, gateway, noon + 2 * HALF_AN_HOUR)

    assert (offers(), held()) == ([], [])
    assert [offer.is_taken for offer in all_of(WaitlistOffer)] == [False, False]
    assert waiting.waits(ben.booking_id)
    free_again = slot_in(25)  # an hour has passed
    assert (free_again.practitioner_id, free_again.starts_at) == time


def test_a_time_that_is_declined_goes_to_the_next(early, wait, offers):
    ana, _ = wait("Ana Ruiz"), wait("Ben Oduya", 73)
    was = time_of(ana)
    free(early)
    offers()

    for _ in range(2):
        waitlist.decline(ana.booking_id)

    assert offers() == ["ben@example.com"]
    assert (time_of(ana), waiting.waits(ana.booking_id)) == (was, True)


def test_who_does_not_want_to_hear_of_it_any_more_does_not(early, wait, offers):
    ana, ben = wait("Ana Ruiz"), wait("Ben Oduya", 73)
    for _ in range(2):
        waitlist.leave(ana.booking_id)
    free(early)
    assert offers() == ["ben@example.com"]

    waitlist.leave(ben.booking_id)

    assert (offers(), held()) == ([], [])


def test_who_asks_again_waits_behind_the_others(early, wait, offers):
    ana = wait("Ana Ruiz")
    wait("Ben Oduya", 73)
    waitlist.leave(ana.booking_id)
    for _ in range(2):
        waitlist.join(ana.booking_id)

    free(early)

    assert offers() == ["ben@example.com"]
    assert len(all_of(WaitlistEntry)) == 2


def test_a_visit_cancelled_meanwhile_lets_the_time_go_to_the_next(early, wait, offers):
    ana, ben = wait("Ana Ruiz"), wait("Ben Oduya", 71)
    time = free(early)
    offers()

    bookings.cancel(ana.booking_id, PATIENT)

    assert offers() == ["ben@example.com"]
    with pytest.raises(NotAllowed):
        waitlist.take(ana.booking_id, *time)
    opening = waiting.opening(ben.booking_id)
    assert (opening.practitioner_id, opening.starts_at) == time


def test_a_visit_moved_away_frees_its_time_for_others_only(early, wait, offers):
    waitlist.join(early.booking_id)
    wait("Ana Ruiz")
    slot = slot_in(200)

    bookings.reschedule(early.booking_id, slot.practitioner_id, slot.starts_at, PATIENT)

    assert offers() == ["ana@example.com"]


def test_nobody_is_offered_a_later_time(early, wait, offers):
    wait("Ana Ruiz", 25)

    free(early)

    assert (offers(), held()) == ([], [])


def test_a_time_that_is_too_soon_by_now_is_offered_to_nobody(early, wait, offers, travel):
    wait("Ana Ruiz")
    [practice] = all_of(Practice)
    change(Practice, practice.id, lead_minutes=120)
    _, starts_at = free(early)
    travel(starts_at - timedelta(minutes=120) + SECOND)

    assert (offers(), held()) == ([], [])


def test_a_time_that_somebody_booked_first_is_offered_to_nobody(early, wait, offers):
    ana = wait("Ana Ruiz")
    free(early)
    hold(slot_in(26))

    assert offers() == []
    assert waiting.opening(ana.booking_id) is None


def test_two_times_at_once_are_offered_to_two_people(early, wait, offers, stripe):
    other = visit_of("Joy Park", stripe, slot=slot_in(28))
    wait("Ana Ruiz"), wait("Ben Oduya", 73)
    for visit in (early, other):
        free(visit)

    assert sorted(offers()) == ["ana@example.com", "ben@example.com"]
    assert len(held()) == 2


def test_work_that_is_done_twice_offers_once(early, wait, offers):
    wait("Ana Ruiz"), wait("Ben Oduya", 73)
    free(early)
    offers()

    for freed in all_of(FreedTime):
        waitlist.offer(freed.id)

    assert offers() == []
    assert len(all_of(WaitlistOffer)) == 1


@pytest.mark.parametrize("late", [timedelta(0), SECOND])
def test_the_last_second_is_the_patients_and_the_next_is_not(
    early, wait, offers, noon, travel, late
):
    ana = wait("Ana Ruiz")
    was, time = time_of(ana), free(early)
    offers()
    travel(noon + HALF_AN_HOUR - SECOND + late)

    if late:
        with pytest.raises(TooLate, match="not held for you any more"):
            waitlist.take(ana.booking_id, *time)
    else:
        waitlist.take(ana.booking_id, *time)

    assert time_of(ana) == (was if late else time)


def test_only_the_time_that_was_offered_can_be_taken(early, wait, offers):
    ana = wait("Ana Ruiz")
    was = time_of(ana)
    free(early)
    offers()
    slot = free_slot(3)

    with pytest.raises(TooLate):
        waitlist.take(ana.booking_id, slot.practitioner_id, slot.starts_at)

    assert time_of(ana) == was


def test_without_an_offer_nothing_is_taken(early, wait):
    ana = wait("Ana Ruiz")

    with pytest.raises(TooLate):
        waitlist.take(ana.booking_id, *time_of(early))


@pytest.mark.parametrize("status", sorted(set(BookingStatus) - {BookingStatus.CONFIRMED}))
def test_only_a_visit_to_come_can_get_an_earlier_time(early, status):
    change(Booking, early.booking_id, status=status)

    with pytest.raises(NotAllowed):
        waitlist.join(early.booking_id)


def test_a_visit_that_has_begun_gets_no_earlier_time(early, travel):
    travel(booking(early.booking_id).starts_at)

    with pytest.raises(NotAllowed):
        waitlist.join(early.booking_id)


def test_an_offer_that_is_over_is_not_told_of(early, wait, work):
    ana = wait("Ana Ruiz")
    work()
    free(early)
    [freed] = all_of(FreedTime)
    waitlist.offer(freed.id)
    waitlist.decline(ana.booking_id)
    work()

    told = [n.status for n in all_of(Notification) if n.topic is Topic.TIME_OFFERED]
    assert told == [NotificationStatus.SKIPPED]


@pytest.mark.parametrize(("hours", "is_said"), [(20, True), (26, False)])
def test_a_time_too_near_to_cancel_for_a_refund_says_so(wait, offers, mail, stripe, hours, is_said):
    near = visit_of("Joy Park", stripe, slot=slot_in(hours))
    wait("Ana Ruiz")
    free(near)
    offers()

    [letter] = news(mail)
    for form in (letter.text, letter.html):
        assert ("less than 24 hours away" in form) == is_said
