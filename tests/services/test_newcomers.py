"""Somebody without a visit waits for a time: it is kept for them, and they are soon forgotten."""

from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy.exc import IntegrityError

from booking_service.db import transaction
from booking_service.errors import Invalid
from booking_service.languages import Language
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    FreedTime,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Practice,
    Topic,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.queries import availability, state
from booking_service.queries import waitlist as waiting
from booking_service.services import (
    bookings,
    checkout,
    holds,
    newcomers,
    orders,
    patients,
    visit_steps,
    waitlist,
)
from tests.factories import (
    HALF_AN_HOUR,
    PRIYA,
    all_of,
    booking,
    change,
    close_all,
    details,
    free_slot,
    hold,
    later,
    only_time,
    open_again,
    paid,
    payment_of,
    slot_in,
    visit_of,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded")

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
NIA, OMAR = "nia@example.com", "omar@example.com"


@pytest.fixture
def early(stripe):
    """The visit whose time becomes free: in 26 hours."""
    return visit_of("Robin Hale", stripe, slot=slot_in(26))


@pytest.fixture
def wait(noon):
    """Leave an address when nothing is free, behind the others."""

    def ask(email: str = NIA, language: Language = Language.EN):
        newcomers.ask(email, language, None)
        [entry] = [entry for entry in all_of(WaitlistEntry) if entry.email == email]
        at = noon - HALF_AN_HOUR + len(all_of(WaitlistEntry)) * SECOND
        change(WaitlistEntry, entry.id, created_at=at)
        return entry.id

    return ask


@pytest.fixture
def told(work, mail):
    """Do all work that is due, and say which addresses heard of a time."""

    def addresses() -> list[str]:
        mail.letters.clear()
        work()
        return [x.to for x in mail.letters if x.subject.startswith("A time has opened")]

    return addresses


@pytest.fixture
def sweep(celery, told):
    """Ring for the sweep, do what is due, and say who heard of a time."""

    def ring() -> list[str]:
        celery.tasks["waitlist.sweep"].run()
        return told()

    return ring


@pytest.fixture
def lapse(travel, gateway):
    """Let the time pass for which something is held."""

    def until(at) -> None:
        travel(at)
        holds.sweep(gateway)

    return until


def free(visit) -> None:
    bookings.cancel(visit.booking_id, PRIYA)


def entry_of(entry_id) -> WaitlistEntry:
    [entry] = [entry for entry in all_of(WaitlistEntry) if entry.id == entry_id]
    return entry


def held() -> list[Booking]:
    return [b for b in all_of(Booking) if b.status is BookingStatus.HELD]


def pay(stripe, gateway, held: Booking, email: str = NIA, name: str = "Nia Cole") -> None:
    """Go the way of everybody who holds a time."""
    begin(held, email, name)
    session_id = payment_of(held.id).stripe_checkout_session_id
    assert stripe.pay(session_id).status_code == 200
    checkout.confirm(session_id, gateway)


def begin(held: Booking, email: str = NIA, name: str = "Nia Cole") -> None:
    """Come as far as Stripe's page."""
    extensions = current_app.extensions
    lifetimes = extensions["settings"]
    patients.set_details(held.id, details(name=name, email=email), lifetimes.hold)
    consent = orders.Consent(1, Language.EN, "203.0.113.9", "a browser", save_card=False)
    checkout.start(held.id, consent, extensions["gateway"], extensions["links"], lifetimes.checkout)


def test_an_address_is_kept_once_and_clean():
    for typed in (" Nia@Example.COM ", "nia@example.com"):
        newcomers.ask(typed, Language.ES, None)

    [entry] = all_of(WaitlistEntry)
    assert (entry.email, entry.locale, entry.booking_id) == (NIA, Language.ES, None)
    assert [row.action for row in all_of(AuditRow) if row.subject_id == entry.id] == [
        "waitlist.joined"
    ]


def test_what_is_no_address_is_refused():
    with pytest.raises(Invalid) as refused:
        newcomers.ask("nia@", Language.EN, None)

    assert [error.field for error in refused.value.errors] == ["email"]
    assert all_of(WaitlistEntry) == []


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({}, "somebody_waits"),
        ({"email": NIA, "locale": Language.EN, "booking": True}, "somebody_waits"),
        ({"email": NIA, "locale": Language.EN, "ended": True}, "address_forgotten"),
        ({"email": NIA}, "language_known"),
        ({"email": NIA, "locale": Language.EN, "saw_first": True}, "saw_a_span"),
    ],
)
def test_the_database_refuses_an_entry_that_makes_no_sense(early, noon, facts, rule):
    marks = {"booking": early.booking_id, "ended": noon, "saw_first": noon}
    columns = {"booking": "booking_id", "ended": "ended_at", "saw_first": "saw_first_at"}
    row = {columns.get(name, name): marks.get(name, fact) for name, fact in facts.items()}

    with pytest.raises(IntegrityError, match=rule), transaction() as session:
        session.add(WaitlistEntry(created_at=noon, **row))


def test_a_freed_time_is_kept_for_a_newcomer_and_told_of(early, wait, told, noon, mail):
    entry_id = wait()
    slot = booking(early.booking_id)

    free(early)

    assert told() == [NIA]
    [kept] = held()
    assert (kept.practitioner_id, kept.starts_at) == (slot.practitioner_id, slot.starts_at)
    assert (kept.patient_id, kept.hold_expires_at) == (None, noon + HALF_AN_HOUR)
    assert waiting.kept_for(kept.id) == waiting.Newcomer(Language.EN, NIA)
    [letter] = [x for x in mail.letters if x.to == NIA]
    assert letter.subject == "A time has opened: Tue, Nov 24, 2:00 PM"
    links = current_app.extensions["links"]
    for form in (letter.text, " ".join(letter.html.split())):
        assert "A time has opened: Tuesday, November 24 at 2:00 PM" in form
        assert "kept for you until 12:30 PM (ET)" in form
        assert "Your first visit costs $39.00. You pay as you book; nothing has been" in form
        assert links.review(kept.id) in form
        assert links.stop_waiting(entry_id) in form
        assert "None" not in form


def test_one_line_for_all_who_wait(early, wait, told, lapse, noon, stripe):
    visit = visit_of("Ana Ruiz", stripe, slot=slot_in(72))
    wait(NIA)
    waitlist.join(visit.booking_id)
    [entry] = [e for e in all_of(WaitlistEntry) if e.booking_id == visit.booking_id]
    change(WaitlistEntry, entry.id, created_at=noon - HALF_AN_HOUR + 2 * SECOND)
    wait(OMAR)
    free(early)

    assert told() == [NIA]
    lapse(noon + HALF_AN_HOUR)
    assert told() == ["ana@example.com"]
    lapse(noon + 2 * HALF_AN_HOUR)
    assert told() == [OMAR]
    lapse(noon + 3 * HALF_AN_HOUR)
    assert (told(), held()) == ([], [])


def test_whoever_pays_has_the_visit_and_is_forgotten(early, wait, told, stripe, gateway):
    entry_id = wait()
    free(early)
    told()
    [kept] = held()

    pay(stripe, gateway, kept)

    assert booking(kept.id).status is BookingStatus.CONFIRMED
    [offer] = all_of(WaitlistOffer)
    assert (offer.is_taken, offer.ended_at is None) == (True, False)
    entry = entry_of(entry_id)
    assert (entry.ended_at is None, entry.email) == (False, None)


def test_paid_under_another_address_the_waiting_ends_all_the_same(
    early, wait, told, stripe, gateway
):
    entry_id = wait()
    free(early)
    told()

    pay(stripe, gateway, held()[0], email="nia.cole@example.com")

    assert entry_of(entry_id).email is None


def test_paid_late_while_the_time_is_free_ends_the_waiting(
    early, wait, told, stripe, gateway, lapse, noon
):
    entry_id = wait()
    free(early)
    told()
    [kept] = held()
    begin(kept)
    page = payment_of(kept.id).stripe_checkout_session_id
    stripe.pay(page)
    change(Booking, kept.id, hold_expires_at=noon)

    lapse(noon + SECOND)

    assert booking(kept.id).status is BookingStatus.CONFIRMED
    assert entry_of(entry_id).email is None


def test_a_time_lost_to_somebody_else_leaves_the_choice_to_who_paid(
    early, wait, told, stripe, gateway
):
    entry_id = wait()
    free(early)
    told()
    [kept] = held()
    begin(kept)
    change(Booking, kept.id, status=BookingStatus.EXPIRED)
    time = {"practitioner_id": kept.practitioner_id, "starts_at": kept.starts_at}
    paid(stripe, slot=free_slot()._replace(**time))

    stripe.pay(payment_of(kept.id).stripe_checkout_session_id)
    checkout.confirm(payment_of(kept.id).stripe_checkout_session_id, gateway)

    lost = booking(kept.id)
    assert (lost.status, lost.choose_until is None) == (BookingStatus.EXPIRED, False)
    assert entry_of(entry_id).email == NIA


def test_giving_details_never_shortens_what_was_promised(early, wait, told, noon):
    wait()
    free(early)
    told()
    [kept] = held()

    patients.set_details(kept.id, details(email=NIA), timedelta(minutes=10))
    holds.extend(kept.id, timedelta(minutes=10))

    assert booking(kept.id).hold_expires_at == noon + HALF_AN_HOUR


def test_details_given_late_lengthen_it_as_they_do_for_everybody(early, wait, told, noon, travel):
    wait()
    free(early)
    told()
    [kept] = held()
    travel(noon + timedelta(minutes=25))

    patients.set_details(kept.id, details(email=NIA), timedelta(minutes=10))

    assert booking(kept.id).hold_expires_at == noon + timedelta(minutes=35)


def test_an_offer_that_was_not_taken_is_followed_by_none_for_a_day(
    early, wait, told, lapse, travel, noon, stripe
):
    wait()
    other = visit_of("Joy Park", stripe, slot=slot_in(50))
    third = visit_of("Ben Oduya", stripe, slot=slot_in(55))
    free(early)
    told()
    lapse(noon + HALF_AN_HOUR)

    travel(noon + DAY - SECOND)
    free(other)
    assert told() == []
    travel(noon + DAY)
    free(third)
    assert told() == [NIA]


def test_three_offers_not_taken_are_enough(wait, sweep, lapse, noon):
    close_all()
    entry_id = wait()
    open_again()
    for day in range(3):
        lapse(noon + day * DAY)
        assert sweep() == [NIA]
        lapse(noon + day * DAY + HALF_AN_HOUR)

    lapse(noon + 3 * DAY)
    assert sweep() == []
    entry = entry_of(entry_id)
    assert (entry.ended_at, entry.email) == (noon + 3 * DAY, None)
    kept = [(b.practitioner_id, b.starts_at) for b in all_of(Booking)]
    assert len(set(kept)) == 3


def test_sixty_days_are_enough(wait, sweep, travel, noon):
    close_all()
    entry_id = wait()
    asked_at = entry_of(entry_id).created_at
    travel(asked_at + 60 * DAY - SECOND)
    sweep()
    assert entry_of(entry_id).email == NIA

    travel(asked_at + 60 * DAY)
    sweep()

    entry = entry_of(entry_id)
    assert (entry.email, entry.ended_at) == (None, asked_at + 60 * DAY)


def test_whoever_booked_meanwhile_is_asked_nothing_more(early, wait, told, sweep, stripe):
    entry_id = wait()
    visit_of("Nia Cole", stripe, slot=slot_in(40))

    free(early)

    assert (told(), sweep()) == ([], [])
    assert entry_of(entry_id).email is None


def test_a_parents_own_visit_of_before_ends_no_waiting(early, told, sweep, travel, noon, stripe):
    visit_of("Nia Cole", stripe, slot=slot_in(40))
    travel(noon + SECOND)
    newcomers.ask(NIA, Language.EN, None)

    free(early)

    assert told() == [NIA]


def test_times_that_open_are_offered_the_soonest_first_one_to_each(wait, sweep):
    close_all()
    wait(NIA), wait(OMAR)
    assert sweep() == []
    open_again()
    first = availability.soonest(2)

    assert sorted(sweep()) == [NIA, OMAR]

    assert sorted((b.practitioner_id, b.starts_at) for b in held()) == sorted(
        (slot.practitioner_id, slot.starts_at) for slot in first
    )
    assert sweep() == []
    assert [offer.freed_time_id for offer in all_of(WaitlistOffer)] == [None, None]
    assert all_of(FreedTime) == []


def test_a_time_that_opened_and_was_not_taken_is_offered_on_by_the_sweep(
    wait, sweep, lapse, noon, stripe
):
    slot = slot_in(26)
    only_time(slot)
    holder = hold(slot)
    wait(NIA), wait(OMAR)
    assert sweep() == []
    change(Booking, holder, status=BookingStatus.EXPIRED)

    assert sweep() == [NIA]
    lapse(noon + HALF_AN_HOUR)
    assert sweep() == [OMAR]
    lapse(noon + 2 * HALF_AN_HOUR)
    assert sweep() == []


def test_what_one_could_see_and_did_not_want_is_no_news(sweep, noon, travel):
    seen = availability.everything()
    newcomers.ask(NIA, Language.EN, (seen[0].starts_at, seen[-1].starts_at))
    assert sweep() == []

    travel(noon + DAY)  # another day can be booked
    assert sweep() == [NIA]

    [kept] = held()
    assert kept.starts_at > seen[-1].starts_at


def test_a_time_before_all_that_could_be_seen_is_news(sweep, noon):
    seen = availability.everything()
    newcomers.ask(NIA, Language.EN, (later(seen[0].starts_at, hours=5), seen[-1].starts_at))

    assert sweep() == [NIA]
    assert [b.starts_at for b in held()] == [seen[0].starts_at]


def test_a_time_somebody_left_is_news_wherever_it_is(early, told):
    seen = availability.everything()
    newcomers.ask(NIA, Language.EN, (seen[0].starts_at, seen[-1].starts_at))

    free(early)

    assert told() == [NIA]


@pytest.mark.parametrize(
    ("hours", "is_asked"), [(-4.01, False), (-4, True), (7.99, True), (8, False)]
)
def test_nobody_is_woken_by_a_day_that_opens(wait, sweep, noon, travel, hours, is_asked):
    close_all()
    wait()
    open_again()
    travel(noon + DAY + timedelta(hours=hours))

    assert sweep() == ([NIA] if is_asked else [])


def test_who_has_a_visit_hears_nothing_of_times_nobody_left(early, sweep):
    waitlist.join(early.booking_id)

    assert sweep() == []


def test_the_same_time_is_offered_to_nobody_twice(early, wait, told, lapse, travel, noon, stripe):
    wait()
    was = booking(early.booking_id)
    time = {"practitioner_id": was.practitioner_id, "starts_at": was.starts_at}
    free(early)
    told()
    lapse(noon + HALF_AN_HOUR)
    again = visit_of("Joy Park", stripe, slot=free_slot()._replace(**time))
    travel(noon + DAY)
    free(again)

    assert told() == []


def test_whoever_stops_gets_nothing_and_is_forgotten(early, wait, told):
    entry_id = wait()
    for _ in range(2):
        newcomers.stop(entry_id)

    free(early)

    assert (told(), held()) == ([], [])
    assert entry_of(entry_id).email is None


def test_stopped_before_the_mail_left_it_does_not_leave(early, wait, work):
    entry_id = wait()
    work()
    free(early)
    [freed] = all_of(FreedTime)
    waitlist.offer(freed.id)

    newcomers.stop(entry_id)
    work()

    statuses = [n.status for n in all_of(Notification) if n.topic is Topic.TIME_OFFERED]
    assert statuses == [NotificationStatus.SKIPPED]
    assert len(held()) == 1  # it may be about to be paid for


def test_asking_again_after_the_end_begins_anew(wait):
    first = wait()
    newcomers.stop(first)

    second = wait()

    assert entry_of(second).email == NIA
    assert second != first


def test_erasing_a_patient_ends_the_waiting_of_the_address(wait, stripe):
    wait(OMAR)
    visit = visit_of("Nia Cole", stripe)
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)
    entry_id = wait()

    patients.erase(booking(visit.booking_id).patient_id, PRIYA)

    assert entry_of(entry_id).email is None
    assert [e.email for e in all_of(WaitlistEntry) if e.ended_at is None] == [OMAR]


def test_nothing_personal_is_in_the_state_the_log_or_the_outbox(early, wait, told, caplog):
    wait()
    free(early)
    told()

    said = f"{state.state()} {caplog.text} {[row.after for row in all_of(AuditRow)]}"
    assert NIA not in said
    assert {m.subject_id for m in all_of(OutboxMessage) if m.topic is Topic.TIME_OFFERED} == {
        offer.id for offer in all_of(WaitlistOffer)
    }


def test_the_practice_says_for_how_long_and_paying_shortens_it_not(early, wait, told, noon):
    [practice] = all_of(Practice)
    change(Practice, practice.id, offer_minutes=45)
    wait()

    free(early)
    told()

    [kept] = held()
    assert kept.hold_expires_at == noon + timedelta(minutes=45)
    begin(kept)
    assert booking(kept.id).hold_expires_at == noon + timedelta(minutes=45)
