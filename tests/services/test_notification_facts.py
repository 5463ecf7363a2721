"""What a missed visit's mail says, and when it is not sent."""

from datetime import timedelta

import pytest

from booking_service.models import (
    Booking,
    BookingStatus,
    Notification,
    NotificationStatus,
    Topic,
)
from booking_service.services import disputes, goodwill, resolutions, visit_steps
from tests.case_makers import ANA, BEN
from tests.factories import PRIYA, all_of, change, free_slot, paid

pytestmark = pytest.mark.usefixtures("noon", "seeded")

MORNING = timedelta(hours=21)  # from noon to nine


def missing(letter, *facts: str) -> list[str]:
    """Which facts the text or the HTML does not hold."""
    flat = [" ".join(form.split()) for form in (letter.text, letter.html)]
    return [fact for fact in facts for form in flat if fact not in form]


def told() -> NotificationStatus:
    [row] = [row for row in all_of(Notification) if row.topic is Topic.VISIT_MISSED]
    return row.status


@pytest.fixture
def missed(noon, travel, stripe, work, mail):
    """A visit nobody came to; the time is as long after it was noted as the test says."""
    visit = paid(stripe)
    work()
    mail.letters.clear()
    travel(noon + timedelta(minutes=10))
    visit_steps.mark_no_show(visit.booking_id, PRIYA)
    return visit


def test_who_missed_a_visit_hears_of_it_the_next_morning_and_not_before(
    noon, travel, missed, work, mail
):
    travel(noon + MORNING - timedelta(seconds=1))
    work()
    assert mail.letters == []
    travel(noon + MORNING)
    work()

    [letter] = mail.letters
    facts = ["Monday, November 23 at 12:00 PM", "/book?src=missed-visit", "is paid for again"]
    kept = "our $39.00 was kept"
    assert missing(letter, *facts, kept, "as the first-visit terms say", "(518) 555-0142") == []
    assert letter.subject == "Your visit on Mon, Nov 23"


def test_who_got_the_money_of_a_missed_visit_back_is_told_so(noon, travel, missed, work, mail):
    resolutions.approve_goodwill(goodwill.ask(missed.payment.id, None, "Was ill", ANA), BEN)
    travel(noon + MORNING)
    work()

    letter = next(one for one in mail.letters if one.subject == "Your visit on Mon, Nov 23")
    assert missing(letter, "our $39.00 is not kept:", "it went back, or is on its way.") == []


def test_while_a_bank_looks_at_it_nothing_is_said_about_the_money(
    noon, travel, missed, work, mail, stripe, gateway
):
    opened = stripe.dispute(missed.payment.stripe_payment_intent_id)
    disputes.apply_news(opened["id"], gateway)
    travel(noon + MORNING)
    work()

    letter = mail.letters[-1]
    assert missing(letter, "A question about your $39.00? Call us") == []
    assert "kept" not in letter.text + letter.html


def test_who_has_booked_again_is_not_asked_to(noon, travel, missed, work, mail, stripe):
    paid(stripe, slot=free_slot(300))
    work()
    travel(noon + MORNING)
    work()

    assert told() is NotificationStatus.SKIPPED


def test_a_no_show_that_was_taken_back_is_not_told_of(noon, travel, missed, work):
    change(Booking, missed.booking_id, status=BookingStatus.CONFIRMED, no_show_at=None)
    travel(noon + MORNING)
    work()

    assert told() is NotificationStatus.SKIPPED
