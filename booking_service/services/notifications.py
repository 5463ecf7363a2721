"""Messages to patients: decided when sent, by mail or by text, each once."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import MailUnavailable, MessageRefused, MessageUnavailable
from booking_service.models import Channel, Notification, NotificationStatus, Topic
from booking_service.services import texts
from booking_service.services.letters import PostOffice
from booking_service.services.notification_facts import facts

log: Final = logging.getLogger(__name__)


def send(topic: Topic, subject_id: UUID, post_office: PostOffice) -> None:
    """Send the message of a topic about something, unless it went out or is not true any more.

    A worker that dies between sending and writing it down sends a second copy, a mail with the
    same Message-ID; no other accident does. What is refused for good is not tried again: a mail
    has bounced, and what a text should have said goes by mail.

    Raises:
        MessageUnavailable: it was not taken, or another worker is at it; try later.
    """
    with transaction() as session:
        channel = texts.channel(session, topic, subject_id, post_office)
        notification = _begin(session, topic, subject_id, channel, post_office.lease)
        if notification is None:
            return
        found = facts(session, topic, subject_id)
        if found is None:
            notification.move_to(NotificationStatus.SKIPPED)
            return
        notification.booking_id = found["booking"].id
        notification.sent_count += 1
        hand_over: Callable[[], None]
        if channel is Channel.SMS and post_office.texts is not None:
            text = post_office.text(topic, notification.id, found)
            hand_over = partial(post_office.texts.send, text)
        else:
            letter = post_office.letter(topic, notification.id, found)
            hand_over = partial(post_office.mailer.send, letter)
    try:
        hand_over()
    except MessageUnavailable:
        _give_back(notification.id, post_office.lease)
        raise
    except MessageRefused as refusal:
        _note_refusal(notification.id, refusal.reason)
        return
    _note_sent(notification.id)


def _begin(
    session: Session, topic: Topic, subject_id: UUID, channel: Channel, lease: timedelta
) -> Notification | None:
    """Take a message for this worker alone, or return None when it was dealt with."""
    now = utc_now()
    session.execute(
        insert(Notification)
        .values(
            topic=topic,
            subject_id=subject_id,
            channel=channel,
            status=NotificationStatus.SENDING,
            sent_count=0,
            sending_since=now - lease,
        )
        .on_conflict_do_nothing()
    )
    notification = session.scalars(
        select(Notification)
        .where(
            Notification.topic == topic,
            Notification.subject_id == subject_id,
            Notification.channel == channel,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if notification.status is not NotificationStatus.SENDING:
        return None
    if notification.sending_since > now - lease:
        raise MailUnavailable("Another worker is sending it.")
    notification.sending_since = now
    return notification


def _give_back(notification_id: UUID, lease: timedelta) -> None:
    """Let whoever tries next begin at once: this one is known not to have gone."""
    with transaction() as session:
        kept = locked(session, Notification, notification_id)
        kept.sent_count -= 1
        kept.sending_since = utc_now() - lease


def _note_sent(notification_id: UUID) -> None:
    """Write down that it left. News of a text may have come before: it knows more."""
    with transaction() as session:
        sent = locked(session, Notification, notification_id)
        is_text = sent.channel is Channel.SMS
        sent.move_to(NotificationStatus.QUEUED if is_text else NotificationStatus.SENT)
        sent.sent_at = utc_now()


def _note_refusal(notification_id: UUID, reason: str) -> None:
    """Write down that it never will leave."""
    with transaction() as session:
        refused = locked(session, Notification, notification_id)
        refused.sent_count -= 1
        about = {"notification_id": str(notification_id), "code": reason}
        log.warning("message refused", extra=about)
        if refused.channel is Channel.SMS:
            texts.note_failure(session, refused, NotificationStatus.FAILED, reason)
        else:
            refused.failure_code = reason
            refused.move_to(NotificationStatus.BOUNCED)
