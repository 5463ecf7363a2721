"""Text messages: to whom they may go, what becomes of them, and what people answer."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import phonenumbers
from phonenumbers import PhoneNumberType
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.gateways.sms import STOPPED, TextNews
from booking_service.models import (
    NAMES_THE_AGREEMENT,
    Actor,
    Booking,
    Channel,
    Notification,
    NotificationStatus,
    Patient,
    Practice,
    Reminder,
    TextStop,
    Topic,
)
from booking_service.services import audit, outbox
from booking_service.services.letters import PostOffice


class Keyword(StrEnum):
    """What somebody who answers a text can ask for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


# What phone companies and Twilio take for it, and the same in Spanish.
_WORDS: Final[Mapping[Keyword, str]] = {
    Keyword.STOP: "stop stopall unsubscribe cancel end quit revoke optout alto parar baja",
    Keyword.START: "start unstop yes",
    Keyword.HELP: "help info ayuda",
}
_KEYWORDS: Final = {word: key for key, words in _WORDS.items() for word in words.split()}

_NOT_A_MOBILE: Final = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.PAGER,
        PhoneNumberType.UAN,
        PhoneNumberType.VOICEMAIL,
    }
)


def channel(session: Session, topic: Topic, subject_id: UUID, post_office: PostOffice) -> Channel:
    """Decide which way a message goes, and keep others from deciding about it meanwhile.

    The last reminder, and the link to sign with, go by text to those who agreed. They go by mail
    when the text came to nothing; the reminder also when it could not be handed over in the first
    half of the time that is left.
    """
    if topic is Topic.VISIT_SOON:
        booking_id = locked(session, Reminder, subject_id).booking_id
    elif topic is Topic.AGREEMENT_TO_SIGN:
        booking_id = locked(session, Booking, subject_id).id
    else:
        return Channel.EMAIL
    text = session.scalar(
        select(Notification)
        .where(
            Notification.topic == topic,
            Notification.subject_id == subject_id,
            Notification.channel == Channel.SMS,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    may_text = post_office.texts is not None and _may_text(session, topic, booking_id)
    if text is None:
        return Channel.SMS if may_text else Channel.EMAIL
    if text.status in (NotificationStatus.FAILED, NotificationStatus.UNDELIVERED):
        return Channel.EMAIL
    is_waiting = text.status is NotificationStatus.SENDING
    if not is_waiting or may_text or text.sending_since > utc_now() - post_office.lease:
        return Channel.SMS
    text.move_to(NotificationStatus.FAILED)
    return Channel.EMAIL


def take_news(news: TextNews) -> None:
    """Write down what became of a text. What a text could not say is said by mail, if still true.

    News of a text we do not know is nothing: it was sent by an earlier life of this database.
    """
    with transaction() as session:
        if session.get(Notification, news.id) is None:
            return
        about = locked(session, Notification, news.id)
        if news.status in (NotificationStatus.UNDELIVERED, NotificationStatus.FAILED):
            note_failure(session, about, news.status, news.failure_code)
        else:
            about.move_to(news.status)


def note_failure(
    session: Session, text: Notification, status: NotificationStatus, reason: str | None
) -> None:
    """Note that a text came to nothing, and owe the same message by mail."""
    if not text.move_to(status):
        return
    text.failure_code = reason
    outbox.post(session, text.topic, text.subject_id)
    if reason == STOPPED and text.booking_id is not None:
        phone = select(Patient.phone).join(Booking, Booking.patient_id == Patient.id)
        _stop(session, session.scalars(phone.where(Booking.id == text.booking_id)).one())


def take_answer(phone: str, body: str) -> Keyword | None:
    """Do what somebody asked for by text, and return what it was; None when it was nothing we know.

    STOP ends all texts to the number at once, for every patient who gave it. START undoes that; it
    is no consent of somebody who never agreed.
    """
    keyword = _KEYWORDS.get("".join(c for c in body.casefold() if c.isalpha()))
    with transaction() as session:
        if keyword is Keyword.STOP:
            _stop(session, phone)
        elif keyword is Keyword.START:
            _start(session, phone)
    return keyword


def _stop(session: Session, phone: str) -> None:
    stop = insert(TextStop).values(phone=phone, stopped_at=utc_now()).on_conflict_do_nothing()
    if session.scalar(stop.returning(TextStop.id)) is not None:
        _record(session, phone, "texts.stopped")


def _start(session: Session, phone: str) -> None:
    start = delete(TextStop).where(TextStop.phone == phone)
    if session.scalar(start.returning(TextStop.id)) is not None:
        _record(session, phone, "texts.started")


def _record(session: Session, phone: str, action: str) -> None:
    for patient_id in session.scalars(select(Patient.id).where(Patient.phone == phone)):
        audit.record(session, Actor.patient(), action, patient_id)


def _may_text(session: Session, topic: Topic, booking_id: UUID) -> bool:
    """Whether the patient agreed to it, has a mobile, has not stopped, and it is early enough."""
    booked_with = aliased(Patient)
    starts_at, agreed_at, words, phone, agreed_for = session.execute(
        select(
            Booking.starts_at,
            Booking.texts_agreed_at,
            Booking.texts_agreed_version,
            Patient.phone,
            booked_with.phone,
        )
        .join(Patient, Patient.id == Booking.patient_id)
        .join(booked_with, booked_with.id == func.coalesce(Booking.merged_from_id, Patient.id))
        .where(Booking.id == booking_id)
    ).one()
    # They agreed for the number they gave. Another record's may be another phone.
    if agreed_at is None or phone != agreed_for or not _is_mobile(phone):
        return False
    if topic is Topic.AGREEMENT_TO_SIGN:
        is_meant = words is not None and words >= NAMES_THE_AGREEMENT
    else:
        hours = session.scalars(select(Practice)).one().last_reminder_hours
        is_meant = utc_now() < starts_at - timedelta(hours=hours) / 2
    has_stopped = session.scalar(select(TextStop.id).where(TextStop.phone == phone)) is not None
    return is_meant and not has_stopped


def _is_mobile(phone: str) -> bool:
    """Whether a text may arrive. In North America a number does not tell: then it may."""
    return phonenumbers.number_type(phonenumbers.parse(phone)) not in _NOT_A_MOBILE
