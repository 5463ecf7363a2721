import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from booking_service.db import transaction
from booking_service.errors import MailUnavailable, MessageRefused
from booking_service.local.ports import wait_until
from booking_service.models import (
    Actor,
    Case,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Plan,
    Refund,
    RefundStatus,
    Tender,
    Topic,
)
from booking_service.services import (
    bookings,
    checkout,
    choices,
    memberships,
    notifications,
    promises,
)
from booking_service.services import refunds as refunding
from booking_service.services.agreements import Ground
from booking_service.services.letters import PostOffice
from booking_service.services.memberships import Tendered
from tests.factories import (
    PRIYA,
    all_of,
    at_stripe,
    booking,
    change,
    converted,
    free_slot,
    in_treatment,
    lost_time,
    no_show,
    paid,
    plan,
    refunds,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded")

LEASE = timedelta(seconds=60)
FAILS_LATER = "4000000000005126"
HEALTH = re.compile(
    r"chiro|spin|adjust|exam|treat|health|doctor|dr\.|pain|back pain|corrective|wellness|care",
    re.IGNORECASE,
)


class SlowMail:
    """A mail server that answers when it is told to, or is down."""

    def __init__(self) -> None:
        self.letters = []
        self.is_down = False
        self.refusal = None
        self.meanwhile = lambda: None

    def send(self, letter) -> None:
        if self.is_down:
            raise MailUnavailable("ConnectionRefusedError")
        if self.refusal is not None:
            raise MessageRefused(self.refusal)
        self.meanwhile()
        self.letters.append(letter)


@pytest.fixture
def server(app, monkeypatch) -> SlowMail:
    slow = SlowMail()
    monkeypatch.setitem(app.extensions, "mailer", slow)
    return slow


@pytest.fixture
def post_office(app, server) -> PostOffice:
    def render(template, facts):
        return app.jinja_env.get_template(template).render(**facts)

    return PostOffice(server, None, render, app.extensions["links"], LEASE)


def sent(mail) -> SimpleNamespace:
    """The only letter, which has all three forms."""
    [letter] = mail.letters
    assert letter.to == "dana@example.com"
    assert letter.reply_to == "hello@alder.example"
    assert not HEALTH.search(letter.subject)
    assert not re.search("dana|whitfield", letter.subject, re.IGNORECASE)
    assert "\n" not in letter.subject
    return letter


def missing(letter, *facts: str) -> list[str]:
    """Which facts the text or the HTML does not hold."""
    flat = [" ".join(form.split()).replace("&#39;", "'") for form in (letter.text, letter.html)]
    return [fact for fact in facts for form in flat if fact not in form]


def notified() -> dict[Topic, NotificationStatus]:
    return {row.topic: row.status for row in all_of(Notification)}


def test_a_confirmation_says_when_where_how_much_and_what_is_promised(stripe, work, mail, app):
    visit = paid(stripe)
    work()

    letter = sent(mail)
    row = booking(visit.booking_id)
    url = app.extensions["links"].visit(row.id, 0)
    facts = ["Monday, November 23", "12:00", "ET", "$39.00", "Visa 4242", row.code, url]
    place = ["Alder Chiropractic", "214 Mill Street", "(518) 555-0142", "Dr. Maya Okafor"]
    assert missing(letter, "Dana Whitfield", *facts, *place, "if you become a member") == []
    assert letter.subject == "You're booked: Mon, Nov 23, 12:00 PM"


def test_a_confirmation_brings_the_visit_for_the_calendar(stripe, work, mail):
    visit = paid(stripe)
    work()

    [event] = Calendar.from_ical(sent(mail).calendar).walk("VEVENT")
    row = booking(visit.booking_id)
    assert (event.start, event.end) == (row.starts_at, row.ends_at)
    assert event["UID"] == f"{visit.booking_id}@first-visit"
    assert not HEALTH.search(event["SUMMARY"])
    assert not HEALTH.search(event["DESCRIPTION"])


def test_a_member_hears_of_the_refund_and_the_membership_in_one_mail(stripe, work, mail):
    visit = converted(stripe)
    work()

    receipt, letter = mail.letters
    membership = ["Corrective, 4 visits a month", "$149.00"]
    assert missing(letter, "$39.00", "Visa 4242", "Nov 23", *membership) == []
    assert letter.subject == "Welcome. Your $39.00 is on its way back"
    assert (receipt.calendar is None, letter.calendar is None) == (False, True)
    assert notified() == {
        Topic.BOOKING_CONFIRMED: NotificationStatus.SENT,
        Topic.AGREEMENT_TO_SIGN: NotificationStatus.SKIPPED,
        Topic.REFUND_SENT: NotificationStatus.SENT,
    }
    assert visit.payment.card == "Visa 4242"


def test_a_member_without_a_refund_is_welcomed(stripe, work, mail):
    visit = converted(stripe)
    with transaction() as session:
        promises.money_returned(session, visit.payment.id)
    work()

    letter = mail.letters[-1]
    assert missing(letter, "Corrective, 4 visits a month", "$149.00", "(518) 555-0142") == []
    assert not HEALTH.search(letter.subject)
    assert "$39" not in letter.text + letter.html
    assert refunds() == []


def test_who_paid_twice_is_told_why_one_goes_back(stripe, work, server, gateway):
    for payment in (at_stripe(), at_stripe()):
        stripe.pay(payment.stripe_checkout_session_id)
        checkout.confirm(payment.stripe_checkout_session_id, gateway)
    work()

    letter = server.letters[-1]
    told = "You paid twice for one visit. You are booked once"
    assert missing(letter, "$39.00", "Visa 4242", told) == []
    assert letter.subject == "Your $39.00 is on its way back"
    assert "membership" not in letter.text.lower()


def test_who_lost_a_time_is_told_first_where_the_money_is_and_until_when(
    stripe, work, server, gateway, app
):
    late, _ = lost_time(stripe, gateway)
    work()

    letter = next(one for one in server.letters if one.to == "dana@example.com")
    url = app.extensions["links"].visit(late.booking_id, 0)
    told = ["was taken", "$39.00", "Visa 4242", "Monday, November 23", url]
    until = "by itself on Tuesday, November 24 at 12:00 PM (ET)"
    assert missing(letter, *told, until) == []
    assert letter.subject == "Your time was gone: choose another, or have your $39.00 back"
    assert not HEALTH.search(letter.subject)
    choices.send_back(late.booking_id)
    work()
    back = server.letters[-1]
    assert missing(back, "It did not become a visit, and you are not booked.", "Visa 4242") == []
    assert back.subject == "Your $39.00 is on its way back"


def test_a_choice_made_before_the_mail_left_is_not_asked_for(stripe, work, mail, gateway):
    late, _ = lost_time(stripe, gateway)
    choices.send_back(late.booking_id)
    work()

    assert notified()[Topic.SLOT_LOST] is NotificationStatus.SKIPPED


@pytest.mark.parametrize("actor", [Actor.patient(), PRIYA], ids=["kept", "returned"])
def test_a_cancelled_visit_says_first_where_the_money_is(stripe, work, mail, actor):
    visit = paid(stripe, slot=free_slot(5))
    work()
    mail.letters.clear()

    bookings.cancel(visit.booking_id, actor)
    work()

    letter = mail.letters[0]
    kept = "our $39.00 was kept"
    back = "our $39.00 is going back to Visa 4242."
    assert missing(letter, back if actor is PRIYA else kept, "Monday, November 23") == []
    [event] = Calendar.from_ical(letter.calendar).walk("VEVENT")
    assert Calendar.from_ical(letter.calendar)["METHOD"] == "CANCEL"
    assert (event["STATUS"], event["SEQUENCE"]) == ("CANCELLED", 1)
    assert event["UID"] == f"{visit.booking_id}@first-visit"


def test_a_cancelled_visit_is_not_told_of_when_it_is_none(stripe, post_office, server):
    visit = paid(stripe)

    notifications.send(Topic.BOOKING_CANCELLED, visit.booking_id, post_office)

    assert server.letters == []


def test_each_move_is_told_with_the_old_and_the_new_time(stripe, work, mail):
    visit = paid(stripe, slot=free_slot(5))
    work()
    mail.letters.clear()
    was = []

    for nth in (300, 330):
        was.append(booking(visit.booking_id).starts_at)
        slot = free_slot(nth)
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)
        work()

    zone = ZoneInfo("America/New_York")
    for number, letter in enumerate(mail.letters, 1):
        before = was[number - 1].astimezone(zone)
        assert missing(letter, f"{before:%A, %B} {before.day}", "$39.00", "Nothing is paid") == []
        [event] = Calendar.from_ical(letter.calendar).walk("VEVENT")
        assert event["SEQUENCE"] == number
    assert event.start == booking(visit.booking_id).starts_at
    assert len(mail.letters) == 2
    assert mail.letters[0].message_id != mail.letters[1].message_id


def test_only_the_last_of_two_moves_in_a_row_is_told(stripe, work, mail):
    visit = paid(stripe, slot=free_slot(5))
    work()
    mail.letters.clear()
    for nth in (300, 330):
        slot = free_slot(nth)
        bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)

    work()

    assert len(mail.letters) == 1


def test_a_refund_that_bounced_is_told_with_what_happens_now(stripe, work, mail, gateway):
    converted(stripe, card=FAILS_LATER)
    work()
    [refund] = refunds()
    stripe.advance(60)
    wait_until(lambda: stripe.refunds()[0]["status"] == "failed", "the refund to bounce")
    refunding.apply_news(refund.stripe_refund_id, gateway)
    work()

    letter = mail.letters[-1]
    assert missing(letter, "$39.00", "Visa 5126", "the money is still yours.") == [
        "the money is still yours."
    ]  # the text begins the sentence with a capital letter
    assert "The money is still yours." in letter.text
    assert letter.subject == "We couldn't return $39.00 to your card"
    assert notified()[Topic.REFUND_FAILED] is NotificationStatus.SENT


def test_a_name_with_signs_of_html_stays_a_name(stripe, work, mail):
    paid(stripe, name='Dana <b>"Whit" & Co')
    work()

    letter = sent(mail)
    assert 'Hello Dana <b>"Whit" & Co,' in letter.text
    assert "Hello Dana &lt;b&gt;&#34;Whit&#34; &amp; Co," in letter.html


def test_a_confirmation_is_not_sent_when_the_visit_is_not_to_come_any_more(stripe, work, mail):
    visit = paid(stripe)
    no_show(visit)
    work()

    assert mail.letters == []
    assert notified() == {Topic.BOOKING_CONFIRMED: NotificationStatus.SKIPPED}


@pytest.mark.parametrize(
    ("topic", "status"),
    [
        (Topic.REFUND_SENT, RefundStatus.FAILED),
        (Topic.REFUND_SENT, RefundStatus.REQUESTED),
        (Topic.REFUND_FAILED, RefundStatus.SUCCEEDED),
    ],
)
def test_a_mail_about_a_refund_is_not_sent_when_it_is_not_true_any_more(
    stripe, work, post_office, topic, status
):
    converted(stripe)
    work()
    [refund] = refunds()
    change(Refund, refund.id, status=status)
    already = len(post_office.mailer.letters)
    with transaction() as session:
        session.query(Notification).delete()

    notifications.send(topic, refund.id, post_office)

    assert len(post_office.mailer.letters) == already
    assert notified() == {topic: NotificationStatus.SKIPPED}


def test_while_the_mail_server_is_down_a_mail_waits_and_then_goes_once(
    travel, stripe, work, server
):
    server.is_down = True
    paid(stripe)
    work()
    assert notified() == {Topic.BOOKING_CONFIRMED: NotificationStatus.SENDING}
    [owed] = all_of(OutboxMessage)
    assert (owed.done_at, owed.last_error) == (None, "MailUnavailable")

    server.is_down = False
    travel(owed.not_before)
    work()
    travel(owed.not_before + LEASE)
    work()

    [row] = all_of(Notification)
    assert len(server.letters) == 1
    assert (row.status, row.sent_count) == (NotificationStatus.SENT, 1)
    assert row.sent_at == owed.not_before


def test_two_workers_send_one_letter(app, stripe, server, post_office):
    visit = paid(stripe)
    refused = []

    def second_worker() -> None:
        with app.app_context(), pytest.raises(MailUnavailable) as busy:
            notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)
        refused.append(busy.value)

    def meanwhile() -> None:
        server.meanwhile = lambda: None  # for this letter only
        with ThreadPoolExecutor(1) as pool:
            pool.submit(second_worker).result()

    server.meanwhile = meanwhile
    notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)
    notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)

    assert len(refused) == 1
    assert len(server.letters) == 1
    assert [(row.status, row.sent_count) for row in all_of(Notification)] == [
        (NotificationStatus.SENT, 1)
    ]


def test_a_worker_that_died_while_sending_is_followed_by_a_copy_after_a_lease(
    noon, travel, stripe, server, post_office
):
    visit = paid(stripe)

    def die() -> None:
        server.letters.append("left, and nobody wrote it down")
        raise KeyboardInterrupt

    server.meanwhile = die
    with pytest.raises(KeyboardInterrupt):
        notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)
    server.meanwhile = lambda: None
    travel(noon + LEASE - timedelta(seconds=1))
    with pytest.raises(MailUnavailable):
        notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)
    travel(noon + LEASE)
    notifications.send(Topic.BOOKING_CONFIRMED, visit.booking_id, post_office)

    [row] = all_of(Notification)
    assert (row.status, row.sent_count) == (NotificationStatus.SENT, 2)
    assert server.letters[1].message_id == f"<{row.id}@alder.example>"


@pytest.mark.parametrize("name", ["Wellness", "Corrective", "Family"])
def test_no_plans_name_gets_into_a_subject(stripe, server, post_office, name):
    visit = in_treatment(stripe)
    plan_id = next(row.id for row in all_of(Plan) if row.name == name)
    tendered = Tendered(Tender.RECORDED, "T-7")
    id_, _ = memberships.convert(
        visit.booking_id, plan_id, tendered, PRIYA, timedelta(0), agreement=Ground.PAPER
    )

    notifications.send(Topic.MEMBERSHIP_STARTED, id_, post_office)

    [letter] = server.letters
    assert name not in letter.subject
    assert name in letter.text
    assert plan(name).id == plan_id


def test_a_mail_that_came_back_is_known_and_not_tried_again(noon, travel, stripe, work, server):
    server.refusal = "550"
    visit = paid(stripe)
    work()
    server.refusal = None
    travel(noon + timedelta(days=1))
    work()

    assert server.letters == []
    [row] = all_of(Notification)
    assert (row.status, row.failure_code, row.sent_count) == (NotificationStatus.BOUNCED, "550", 0)
    assert row.booking_id == visit.booking_id
    assert [m.done_at is None for m in all_of(OutboxMessage)] == [False]
    assert all_of(Case) == []
