"""The last reminder by text message: to whom, what it says, and what follows when it fails."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.errors import MessageRefused, TextUnavailable
from booking_service.gateways.sms import STOPPED, TextNews
from booking_service.models import (
    AuditRow,
    Booking,
    Channel,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Patient,
    TextStop,
    Topic,
)
from booking_service.services import people, reminders, visit_steps
from booking_service.services import texts as texting
from booking_service.services.texts import Keyword
from tests.factories import PRIYA, all_of, booking, change, paid, slot_in

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

DANA = "+15185550178"
S = NotificationStatus
GSM_7 = re.compile(r"[A-Za-z0-9 \n@£$¥_!\"#%&'()*+,./:;<=>?-]*")


@pytest.fixture
def visit(noon, stripe, work, mail, travel):
    """A visit of somebody who agreed to texts; it is two hours before it."""
    made = paid(stripe, slot=slot_in(48), texts=True)
    work()
    mail.letters.clear()
    row = booking(made.booking_id)
    travel(row.starts_at - timedelta(hours=2))
    return row


@pytest.fixture
def remind(work):
    """Sweep, and do the work that follows."""

    def do() -> None:
        reminders.sweep()
        work()

    return do


def soon() -> dict[Channel, NotificationStatus]:
    rows = [row for row in all_of(Notification) if row.topic is Topic.VISIT_SOON]
    return {row.channel: row.status for row in rows}


def text_row() -> Notification:
    [row] = [row for row in all_of(Notification) if row.channel is Channel.SMS]
    return row


def bring(status: NotificationStatus, code: str | None = None) -> None:
    texting.take_news(TextNews(text_row().id, status, code))


def test_who_agreed_is_reminded_by_text_and_not_by_mail(visit, remind, mail, texts):
    remind()
    remind()

    [text] = texts.sent
    assert text.to == DANA
    assert text.body == (
        "Alder: see you 12:00 PM today, 214 Mill Street, Suite 2. "
        "Running late? Call (518) 555-0142. Reply STOP to end"
    )
    assert len(text.body) <= 160
    assert GSM_7.fullmatch(text.body)
    assert mail.letters == []
    assert soon() == {Channel.SMS: S.QUEUED}
    assert text_row().sent_count == 1


def test_consent_is_kept_with_its_time_and_the_version_of_the_words(noon, visit):
    assert (visit.texts_agreed_at, visit.texts_agreed_version) == (noon, 2)


def test_with_texts_off_the_reminder_goes_by_mail(visit, remind, mail):
    remind()

    assert len(mail.letters) == 1
    assert soon() == {Channel.EMAIL: S.SENT}


@pytest.mark.parametrize(
    "facts", [{"texts_agreed_at": None}, {"phone": "+18005551212"}], ids=["no consent", "no mobile"]
)
def test_without_consent_or_a_mobile_the_reminder_goes_by_mail(visit, remind, mail, texts, facts):
    if "phone" in facts:
        change(Patient, visit.patient_id, **facts)
    else:
        change(Booking, visit.id, **facts)
    remind()

    assert (len(texts.sent), len(mail.letters)) == (0, 1)
    assert soon() == {Channel.EMAIL: S.SENT}


@pytest.mark.parametrize(("phone", "texted"), [("518 555 0178", 1), ("518 555 0199", 0)])
def test_consent_is_for_the_number_it_was_given_for(
    noon, visit, stripe, remind, mail, texts, travel, phone, texted
):
    """Merged into another record, whose number may be another phone, the text becomes a mail."""
    travel(noon)
    other = paid(stripe, slot=slot_in(96), name="D. W.", email="dw@example.com", phone=phone)
    people.merge(booking(other.booking_id).patient_id, visit.patient_id, PRIYA)
    travel(visit.starts_at - timedelta(hours=2))

    remind()

    assert (len(texts.sent), len([m for m in mail.letters if "Today" in m.subject])) == (
        texted,
        1 - texted,
    )


def test_stop_between_the_sweep_and_sending_ends_texts_and_leaves_mail(visit, work, mail, texts):
    reminders.sweep()
    assert texting.take_answer(DANA, " Stop. ") is Keyword.STOP
    work()

    assert (len(texts.sent), len(mail.letters)) == (0, 1)
    assert soon() == {Channel.EMAIL: S.SENT}


def test_stop_is_for_everybody_with_that_number_and_start_undoes_it(
    noon, visit, stripe, remind, texts, travel
):
    travel(noon)
    made = paid(stripe, slot=slot_in(49), texts=True, name="Lee Whitfield", email="lee@example.com")
    other = booking(made.booking_id)
    for _ in range(2):
        texting.take_answer(DANA, "STOP")

    assert [row.phone for row in all_of(TextStop)] == [DANA]
    stopped = [row.subject_id for row in all_of(AuditRow) if row.action == "texts.stopped"]
    assert sorted(stopped) == sorted([visit.patient_id, other.patient_id])
    travel(visit.starts_at - timedelta(hours=2))
    remind()
    assert texts.sent == []

    assert texting.take_answer(DANA, "start") is Keyword.START
    travel(other.starts_at - timedelta(hours=2))
    remind()
    assert [text.to for text in texts.sent] == [DANA]
    assert all_of(TextStop) == []


def test_start_is_no_consent_of_somebody_who_never_agreed(visit, remind, mail, texts):
    change(Booking, visit.id, texts_agreed_at=None)
    texting.take_answer(DANA, "START")
    remind()

    assert (len(texts.sent), len(mail.letters)) == (0, 1)


@pytest.mark.parametrize(
    ("body", "keyword"),
    [
        *((word, Keyword.STOP) for word in ("STOP", "stop all", "Unsubscribe!", "opt-out", "ALTO")),
        *((word, Keyword.HELP) for word in ("Help?", "info", "ayuda")),
        ("UNSTOP", Keyword.START),
        ("Please don't stop the music", None),
        ("", None),
        ("\N{THUMBS UP SIGN}", None),
    ],
)
def test_what_people_answer(visit, body, keyword):
    assert texting.take_answer(DANA, body) is keyword
    assert len(all_of(TextStop)) == (keyword is Keyword.STOP)


def test_what_became_of_a_text_is_kept_and_never_goes_back(visit, remind, texts):
    remind()
    seen = []
    for status in (S.SENT, S.QUEUED, S.DELIVERED, S.SENT, S.UNDELIVERED, S.DELIVERED):
        bring(status)
        seen.append(text_row().status)

    assert seen == [S.SENT, S.SENT, *[S.DELIVERED] * 4]


@pytest.mark.parametrize("status", [S.UNDELIVERED, S.FAILED])
def test_what_a_text_could_not_say_is_said_by_mail_once(visit, remind, work, mail, texts, status):
    remind()
    bring(S.SENT)
    for _ in range(2):
        bring(status, "30005")
        work()

    assert (len(texts.sent), len(mail.letters)) == (1, 1)
    assert soon() == {Channel.SMS: status, Channel.EMAIL: S.SENT}
    assert text_row().failure_code == "30005"
    owed = [m for m in all_of(OutboxMessage) if m.topic is Topic.VISIT_SOON]
    assert len(owed) == 2  # the text, and then the mail


def test_when_it_is_not_true_any_more_no_mail_follows_an_undelivered_text(
    visit, remind, work, mail, texts
):
    remind()
    visit_steps.arrive(visit.id, PRIYA)
    bring(S.UNDELIVERED, "30005")
    work()

    assert mail.letters == []
    assert soon() == {Channel.SMS: S.UNDELIVERED, Channel.EMAIL: S.SKIPPED}


def test_a_number_the_provider_refuses_gets_a_mail_at_once(visit, remind, mail, texts):
    texts.refusal = MessageRefused("21614")
    remind()

    assert len(mail.letters) == 1
    assert soon() == {Channel.SMS: S.FAILED, Channel.EMAIL: S.SENT}
    assert (text_row().failure_code, text_row().sent_count) == ("21614", 0)
    assert all_of(TextStop) == []


def test_a_number_that_said_stop_to_the_provider_has_said_it_to_us(visit, remind, mail, texts):
    texts.refusal = MessageRefused(STOPPED)
    remind()

    assert len(mail.letters) == 1
    assert [row.phone for row in all_of(TextStop)] == [DANA]


def test_while_the_provider_is_down_a_text_waits_and_half_way_a_mail_goes(
    visit, work, mail, texts, travel, remind
):
    texts.refusal = TextUnavailable("ConnectionError")
    remind()
    travel(visit.starts_at - timedelta(minutes=61))
    work()
    assert (soon(), mail.letters) == ({Channel.SMS: S.SENDING}, [])
    [owed] = [m for m in all_of(OutboxMessage) if m.topic is Topic.VISIT_SOON]
    assert owed.last_error == "TextUnavailable"

    travel(visit.starts_at - timedelta(minutes=30))
    work()

    assert len(mail.letters) == 1
    assert soon() == {Channel.SMS: S.FAILED, Channel.EMAIL: S.SENT}
    assert text_row().sent_count == 0


def test_after_the_provider_is_back_the_text_goes_once(visit, remind, work, mail, texts, travel):
    texts.refusal = TextUnavailable("ConnectionError")
    remind()
    texts.refusal = None
    [owed] = [m for m in all_of(OutboxMessage) if m.topic is Topic.VISIT_SOON]
    travel(owed.not_before)
    work()

    assert (len(texts.sent), len(mail.letters)) == (1, 0)
    assert (text_row().status, text_row().sent_count) == (S.QUEUED, 1)


def test_news_that_comes_before_we_have_written_down_that_it_left_is_not_lost(
    visit, remind, texts, monkeypatch, app
):
    send = app.extensions["texts"].send

    def quick(text) -> None:
        send(text)
        bring(S.DELIVERED)

    monkeypatch.setattr(app.extensions["texts"], "send", quick)
    remind()

    assert (text_row().status, text_row().sent_count) == (S.DELIVERED, 1)
    assert text_row().sent_at is not None


def test_a_worker_that_died_while_texting_is_followed_by_one_more_after_a_lease(
    visit, remind, work, texts, monkeypatch, app, travel, settings
):
    """Twilio does not know a copy when it sees one: this is the one way to get a text twice."""
    send = app.extensions["texts"].send

    def die(text) -> None:
        send(text)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(app.extensions["texts"], "send", die)
        with pytest.raises(KeyboardInterrupt):
            remind()
    work()
    assert len(texts.sent) == 1
    travel(visit.starts_at - timedelta(hours=2) + settings.lease)
    work()

    assert len(texts.sent) == 2
    assert (text_row().status, text_row().sent_count) == (S.QUEUED, 2)


def test_news_of_a_text_we_do_not_know_is_nothing(visit):
    texting.take_news(TextNews(uuid4(), S.UNDELIVERED, "30005"))

    assert [m for m in all_of(OutboxMessage) if m.topic is Topic.VISIT_SOON] == []


def test_other_messages_never_go_by_text(visit, texts):
    assert {row.channel for row in all_of(Notification)} == {Channel.EMAIL}
    assert texts.sent == []
