"""The mails of a follow-up: what its plan includes, and no word of a first visit's money."""

import re
from datetime import timedelta

import pytest
from icalendar import Calendar

from booking_service.languages import Language
from booking_service.models import Actor, Membership, MembershipStatus, Patient, Practice
from booking_service.services import bookings, reminders, visit_steps
from tests import factories
from tests.factories import PRIYA, all_of, booking, change, follow_up, follow_up_slot

PATIENT = Actor.patient()
MONEY = re.compile(r"\$|refund|first visit|first-visit|promise|pay", re.IGNORECASE)


@pytest.fixture
def dana(seeded, noon, stripe, work, mail):
    """A member whose mails of joining have been read."""
    made = factories.member(stripe)
    work()
    mail.letters.clear()
    return made


@pytest.fixture
def mailed(mail, work):
    """Do what is due, and return the only letter that left for it."""

    def only():
        work()
        [letter] = mail.letters
        mail.letters.clear()
        return letter

    return only


def plain(letter) -> str:
    """Both forms of a letter, with tags taken out."""
    return " ".join((letter.text + re.sub(r"<[^>]+>", " ", letter.html)).split())


def event(letter):
    [found] = Calendar.from_ical(letter.calendar).walk("VEVENT")
    return found


def test_what_is_booked_says_how_many_visits_are_left(dana, mailed):
    follow_up(dana, 3)

    letter = mailed()

    assert re.fullmatch(r"You're booked: Thu, Nov 26, \d+:\d\d [AP]M", letter.subject)
    assert (
        plain(letter).count(
            "Included in your Corrective plan. 3 of 4 visits left this month, until Tue, Dec 22."
        )
        == 2
    )
    assert "about 20 minutes" in letter.text
    assert "it doesn't count as a visit of your plan" in letter.text
    assert not MONEY.search(plain(letter))
    assert event(letter)["SUMMARY"] == "Visit"


def test_a_visit_of_another_month_names_that_month(dana, mailed):
    change(Practice, all_of(Practice)[0].id, horizon_days=60)
    follow_up(dana, 31)

    letter = mailed()

    assert "3 of 4 visits left from Wed, Dec 23 to Fri, Jan 22, 2027." in plain(letter)


def test_a_move_says_that_the_plan_includes_it(dana, mailed):
    visit = follow_up(dana, 3)
    mailed()
    to = follow_up_slot(4)

    bookings.reschedule(visit, to.practitioner_id, to.starts_at, PATIENT)

    letter = mailed()
    assert "It is included in your Corrective plan. 3 of 4 visits left" in plain(letter)
    assert not MONEY.search(plain(letter))
    assert event(letter)["SEQUENCE"] == 1


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (3, "Your Corrective plan has this visit again. 4 of 4 visits left this month"),
        (0.5, "It counts as a visit of your Corrective plan: it was cancelled less than 24 hours"),
    ],
)
def test_cancelling_says_whether_the_plan_has_the_visit_again(dana, mailed, days, words):
    visit = follow_up(dana, days)
    mailed()

    bookings.cancel(visit, PATIENT)

    letter = mailed()
    assert plain(letter).count(words) == 2
    assert not MONEY.search(plain(letter))
    assert event(letter)["STATUS"] == "CANCELLED"


def test_a_follow_up_is_reminded_of_like_any_visit(dana, mailed, travel):
    visit = booking(follow_up(dana, 3))
    mailed()

    travel(visit.starts_at - timedelta(hours=24))
    reminders.sweep()
    letter = mailed()
    assert letter.subject.startswith("Tomorrow at ")
    assert "If you cancel now, it still counts as a visit of your plan." in plain(letter)
    assert not MONEY.search(plain(letter))

    travel(visit.starts_at - timedelta(hours=2))
    reminders.sweep()
    assert not MONEY.search(plain(mailed()))


def test_reminded_before_the_cut_off_the_mail_says_until_when_it_does_not_count(
    dana, mailed, travel
):
    change(Practice, all_of(Practice)[0].id, first_reminder_hours=48)
    visit = booking(follow_up(dana, 3))
    mailed()
    travel(visit.starts_at - timedelta(hours=40))

    reminders.sweep()

    assert re.search(
        r"Cancelled by Wednesday, November 25 at .*, it doesn.t count", plain(mailed())
    )


def test_a_missed_visit_is_told_of_whatever_else_is_booked(dana, mail, mailed, work, travel):
    visit = booking(follow_up(dana, 2))
    follow_up(dana, 5)
    work()
    mail.letters.clear()
    travel(visit.starts_at + timedelta(minutes=10))

    visit_steps.mark_no_show(visit.id, PRIYA)
    travel(visit.starts_at + timedelta(days=1, hours=12))

    letter = mailed()
    assert "It counts as a visit of your Corrective plan." in plain(letter)
    assert "2 of 4 visits left" in plain(letter)
    assert "/book?" not in letter.text
    assert not MONEY.search(plain(letter))


def test_after_the_end_of_a_membership_a_cancelled_visit_is_told_of_all_the_same(dana, mailed):
    visit = follow_up(dana, 3)
    mailed()
    change(
        Membership,
        dana.membership_id,
        status=MembershipStatus.CANCELLED,
        ended_at=booking(visit).starts_at - timedelta(days=1),
    )

    bookings.cancel(visit, PRIYA)

    assert "Your visit is cancelled" in mailed().text


def test_the_mails_speak_spanish(seeded, noon, stripe, work, mail):
    dana = factories.member(stripe)
    change(Patient, booking(dana.booking_id).patient_id, locale=Language.ES)
    work()
    mail.letters.clear()
    visit = follow_up(dana, 3)
    work()
    bookings.cancel(visit, PATIENT)
    work()

    booked, cancelled = mail.letters
    assert "Incluida en su plan Corrective." in booked.text
    assert "Visitas que le quedan este mes: 3 de 4, hasta el mar, 22 dic." in plain(booked)
    assert "Su plan Corrective vuelve a tener esta visita." in cancelled.text
    assert event(booked)["SUMMARY"] == "Visita"
