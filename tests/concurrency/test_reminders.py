"""Two sweeps, and two workers, that find the same visit at the same instant."""

from datetime import timedelta
from threading import Semaphore

import pytest
from sqlalchemy import false

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.errors import MessageUnavailable
from booking_service.models import (
    Booking,
    Channel,
    Notification,
    NotificationStatus,
    OutboxMessage,
    Reminder,
    Topic,
)
from booking_service.services import notifications, reminders
from booking_service.services import texts as texting
from booking_service.services.letters import PostOffice
from tests.concurrency.crowd import at_once, without_constraint
from tests.factories import all_of, change, paid, slot_in

SWEEPS = 4
DANA = "+15185550178"


@pytest.fixture
def visit(app, seeded, stripe, work, mail):
    """A visit in an hour and a half, told of long ago; its patient agreed to texts."""
    made = paid(stripe, slot=slot_in(48), texts=True)
    work()
    mail.letters.clear()
    now = utc_now()
    starts_at = now + timedelta(minutes=90)
    change(
        Booking,
        made.booking_id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=45),
        confirmed_at=now - timedelta(days=1),
    )
    db.session.rollback()
    return made


@pytest.fixture
def hurried(monkeypatch):
    """Sweeps that do not look at what is owed already, as if all had looked before any wrote."""
    monkeypatch.setattr(reminders, "_is_owed", lambda _topic: false())


def test_sweeps_at_once_owe_one_reminder(app, visit, hurried):
    owed = at_once(app, SWEEPS, lambda _: reminders.sweep())

    assert sorted(owed) == [0] * (SWEEPS - 1) + [1]
    assert len(all_of(Reminder)) == 1
    assert [m.topic for m in all_of(OutboxMessage) if m.done_at is None] == [Topic.VISIT_SOON]


def test_without_the_constraint_each_sweep_owes_one(app, visit, hurried):
    with without_constraint("reminders", "uq_reminders_booking_id"):
        owed = at_once(app, SWEEPS, lambda _: reminders.sweep())

        assert owed == [1] * SWEEPS


@pytest.fixture
def post_office(app, texts):
    """The ways out, and a pause in which the others come."""
    extensions = app.extensions

    def render(template, facts):
        return app.jinja_env.get_template(template).render(**facts)

    lease = timedelta(seconds=60)
    ways = (extensions["mailer"], extensions["texts"])
    return PostOffice(*ways, render, extensions["links"], lease)


def test_workers_at_once_text_once_and_send_no_mail(
    app, visit, post_office, texts, mail, monkeypatch
):
    """The one that texts is not done before the others have tried."""
    reminders.sweep()
    [reminder_id] = [reminder.id for reminder in all_of(Reminder)]
    db.session.rollback()
    others = Semaphore(0)
    real = post_office.texts.send

    def text(message) -> None:
        for _ in range(SWEEPS - 1):
            others.acquire(timeout=5)  # without the protection they text as well
        real(message)

    def send(_number: int) -> str:
        try:
            notifications.send(Topic.VISIT_SOON, reminder_id, post_office)
        except MessageUnavailable:
            others.release()
            return "refused"
        return "sent"

    monkeypatch.setattr(post_office.texts, "send", text)
    outcomes = at_once(app, SWEEPS, send)

    assert sorted(outcomes) == ["refused"] * (SWEEPS - 1) + ["sent"]
    assert (len(texts.sent), mail.letters) == (1, [])
    rows = [row for row in all_of(Notification) if row.topic is Topic.VISIT_SOON]
    assert [(row.channel, row.status, row.sent_count) for row in rows] == [
        (Channel.SMS, NotificationStatus.QUEUED, 1)
    ]


def test_a_stop_while_the_text_is_on_its_way_sends_no_mail_beside_it(
    app, visit, post_office, texts, mail, monkeypatch
):
    """The second worker would go by mail now; it must see that the first is at it."""
    reminders.sweep()
    [reminder] = all_of(Reminder)
    outcomes = []
    real = post_office.texts.send

    def send(text) -> None:
        texting.take_answer(DANA, "STOP")
        with pytest.raises(MessageUnavailable):
            notifications.send(Topic.VISIT_SOON, reminder.id, post_office)
        outcomes.append("refused")
        real(text)

    monkeypatch.setattr(post_office.texts, "send", send)
    notifications.send(Topic.VISIT_SOON, reminder.id, post_office)

    assert outcomes == ["refused"]
    assert (len(texts.sent), mail.letters) == (1, [])
