"""Reminders by mail: which visits, when, and what is decided when they are sent."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking_service.errors import MailUnavailable
from booking_service.models import (
    Actor,
    Booking,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Practice,
    Reminder,
    Topic,
)
from booking_service.services import bookings, reminders, visit_steps
from tests.factories import PRIYA, all_of, booking, change, paid, slot_in

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

HEALTH = re.compile(r"chiro|spin|adjust|exam|treat|health|doctor|dr\.|pain|care", re.IGNORECASE)


@pytest.fixture
def visit(noon, stripe, work, mail):
    """A visit the day after tomorrow, of which the patient has the confirmation."""
    made = paid(stripe, slot=slot_in(48))
    work()
    mail.letters.clear()
    return booking(made.booking_id)


@pytest.fixture
def before(travel, visit):
    """Travel to so long before the visit."""

    def go(**span) -> None:
        travel(visit.starts_at - timedelta(**span))

    return go


@pytest.fixture
def remind(work):
    """Sweep, and do the work that follows; return how many reminders were owed."""

    def do() -> int:
        owed = reminders.sweep()
        work()
        return owed

    return do


def told() -> dict[Topic, NotificationStatus]:
    rows = [row for row in all_of(Notification) if row.topic is not Topic.BOOKING_CONFIRMED]
    return {row.topic: row.status for row in rows}


def missing(letter, *facts: str) -> list[str]:
    """Which facts the text or the HTML does not hold."""
    flat = [" ".join(form.split()) for form in (letter.text, letter.html)]
    return [fact for fact in facts for form in flat if fact not in form]


def test_each_reminder_is_sent_when_its_time_has_come_and_once(visit, before, remind, mail):
    owed = []
    for span in ({"hours": 24, "seconds": 1}, {"hours": 24}, {"hours": 23}, {"hours": 2}, {}):
        before(**span)
        owed.append(remind())

    assert owed == [0, 1, 0, 1, 0]
    assert len(mail.letters) == 2
    assert told() == {
        Topic.VISIT_REMINDER: NotificationStatus.SENT,
        Topic.VISIT_SOON: NotificationStatus.SENT,
    }


def test_the_day_before_says_when_where_and_whether_it_can_still_be_changed(
    visit, before, remind, mail, app
):
    before(hours=24)
    remind()

    [letter] = mail.letters
    url = app.extensions["links"].visit(visit.id, 0)
    facts = ["Wednesday, November 25", "12:00 PM", "ET", "214 Mill Street", visit.code, url]
    over = "The time to cancel for a full refund is over. If something came up, call us at"
    assert missing(letter, *facts, "Parking behind the building", over) == []
    assert letter.subject == "Tomorrow at 12:00 PM"
    assert not HEALTH.search(letter.subject)
    assert letter.calendar is None


def test_until_the_cut_off_a_reminder_says_until_when_it_is_free_to_cancel(
    visit, before, remind, mail
):
    practice = all_of(Practice)[0]
    change(Practice, practice.id, cutoff_hours=12)
    before(hours=24)
    remind()

    free = "Cancelled by Wednesday, November 25 at 12:00 AM, it is refunded in full."
    assert missing(mail.letters[0], free) == []


def test_two_hours_before_says_when_where_and_whom_to_call(visit, before, remind, mail):
    before(hours=2)
    remind()

    [letter] = mail.letters
    place = ["See you today at 12:00 PM", "214 Mill Street", "unning late? Call", "(518) 555-0142"]
    assert missing(letter, *place) == []
    assert letter.subject == "Today at 12:00 PM"


def test_a_practice_reminds_as_early_as_it_wants(visit, before, remind):
    practice = all_of(Practice)[0]
    change(Practice, practice.id, first_reminder_hours=36, last_reminder_hours=3)
    owed = []
    for hours in (37, 36, 4, 3):
        before(hours=hours)
        owed.append(remind())

    assert owed == [0, 1, 0, 1]


def test_who_booked_less_than_four_hours_ago_is_not_reminded_yet(noon, travel, stripe, remind):
    paid(stripe, slot=slot_in(20))
    owed = []
    for hours in (0, 3.9, 4):
        travel(noon + timedelta(hours=hours))
        owed.append(remind())

    assert owed == [0, 0, 1]


@pytest.mark.parametrize(("ahead", "owed"), [(9, 0), (11, 1)])
def test_the_first_reminder_is_left_out_when_the_last_follows_within_four_hours(
    noon, travel, stripe, remind, ahead, owed
):
    paid(stripe, slot=slot_in(ahead))
    travel(noon + timedelta(hours=4))

    assert remind() == owed


def test_a_visit_about_to_begin_that_was_just_booked_is_not_reminded_of(stripe, remind):
    paid(stripe, slot=slot_in(1))

    assert remind() == 0


def test_a_moved_visit_is_reminded_of_at_its_new_time_only(visit, before, remind, work, mail):
    before(hours=24)
    reminders.sweep()
    slot = slot_in(72)
    bookings.reschedule(visit.id, slot.practitioner_id, slot.starts_at, PRIYA)
    work()

    [letter] = mail.letters
    assert letter.subject.startswith("Moved to")
    assert told()[Topic.VISIT_REMINDER] is NotificationStatus.SKIPPED


def test_a_moved_visit_gets_a_reminder_of_its_own(visit, before, remind, travel, mail):
    before(hours=24)
    remind()
    slot = slot_in(72)
    bookings.reschedule(visit.id, slot.practitioner_id, slot.starts_at, PRIYA)
    remind()
    travel(slot.starts_at - timedelta(hours=24))
    remind()

    assert [letter.subject.split(",")[0] for letter in mail.letters] == [
        *("Tomorrow at 12:00 PM", "Moved to Fri", "Tomorrow at 12:00 PM")
    ]
    assert [row.moves for row in all_of(Reminder)] == [0, 1]


def test_who_just_heard_of_a_new_time_is_not_reminded_of_it_yet(visit, before, remind, travel):
    before(hours=30)
    slot = slot_in(20)
    bookings.reschedule(visit.id, slot.practitioner_id, slot.starts_at, PRIYA)
    owed = []
    for hours in (20, 16):
        travel(slot.starts_at - timedelta(hours=hours))
        owed.append(remind())

    assert owed == [0, 1]


@pytest.mark.parametrize("actor", [Actor.patient(), PRIYA])
def test_a_visit_cancelled_between_sweep_and_sending_is_not_reminded_of(
    visit, before, work, mail, actor
):
    before(hours=24)
    reminders.sweep()
    bookings.cancel(visit.id, actor)
    work()

    assert "Tomorrow" not in "".join(letter.subject for letter in mail.letters)
    assert told()[Topic.VISIT_REMINDER] is NotificationStatus.SKIPPED


@pytest.mark.parametrize(
    ("owed_at", "sent_at", "status"),
    [
        (24, 2.1, NotificationStatus.SENT),
        (24, 2, NotificationStatus.SKIPPED),
        (2, 0.1, NotificationStatus.SENT),
        (2, 0, NotificationStatus.SKIPPED),
    ],
)
def test_a_reminder_that_comes_too_late_is_not_sent(
    visit, before, work, mail, owed_at, sent_at, status
):
    before(hours=owed_at)
    reminders.sweep()
    before(hours=sent_at)
    work()

    assert list(told().values()) == [status]
    assert len(mail.letters) == (status is NotificationStatus.SENT)


def test_a_reminder_sent_late_does_not_say_tomorrow(visit, before, work, mail):
    before(hours=24)
    reminders.sweep()
    before(hours=11)
    work()

    assert mail.letters[0].subject == "Today at 12:00 PM"


def test_nobody_who_is_here_is_reminded(visit, before, remind):
    before(hours=2)
    visit_steps.arrive(visit.id, PRIYA)

    assert remind() == 0


def test_on_the_day_the_clocks_go_back_24_hours_before_may_be_the_same_day(
    travel, stripe, seeded, work, mail, remind
):
    """Half past eleven at night on a day of 25 hours: the reminder leaves at half past midnight."""
    made = paid(stripe)
    work()
    mail.letters.clear()
    zone = ZoneInfo("America/New_York")
    starts_at = datetime(2026, 11, 1, 23, 30, tzinfo=zone).astimezone(UTC)
    week_before = starts_at - timedelta(days=7)
    facts = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
    change(Booking, made.booking_id, confirmed_at=week_before, **facts)
    travel(starts_at - timedelta(hours=24))
    remind()

    [letter] = mail.letters
    assert letter.subject == "Today at 11:30 PM"
    assert "Your visit is today, Sunday, November 1 at 11:30 PM" in letter.text


def test_while_mail_is_down_a_reminder_waits_and_then_goes_once(
    visit, before, remind, app, monkeypatch, travel, mail
):
    before(hours=24)

    def down(_letter) -> None:
        raise MailUnavailable("ConnectionRefusedError")

    with monkeypatch.context() as patch:
        patch.setattr(app.extensions["mailer"], "send", down)
        remind()
    [owed] = [m for m in all_of(OutboxMessage) if m.topic is Topic.VISIT_REMINDER]
    travel(owed.not_before)
    remind()

    assert len(mail.letters) == 1
    assert [(n.sent_count, n.status) for n in all_of(Notification)][-1] == (
        1,
        NotificationStatus.SENT,
    )
