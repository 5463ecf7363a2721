"""Mails to patients: decided when sent, written in three forms, each once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, joinedload

from booking_service import calendar_file
from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import MailUnavailable
from booking_service.gateways.mail import Letter, Mailer
from booking_service.languages import Language
from booking_service.links import Links
from booking_service.models import (
    VISITING,
    AuditRow,
    Booking,
    BookingStatus,
    Membership,
    Notification,
    NotificationStatus,
    Payment,
    Practice,
    Refund,
    RefundReason,
    RefundStatus,
    Settlement,
    Topic,
)

_CHANNEL: Final = "email"
_CALENDARS: Final = {
    Topic.BOOKING_CONFIRMED: calendar_file.build,
    Topic.BOOKING_MOVED: calendar_file.build,
    Topic.BOOKING_CANCELLED: calendar_file.cancellation,
}
Render = Callable[[str, Mapping[str, Any]], str]


def send(topic: Topic, subject_id: UUID, post_office: "PostOffice") -> None:
    """Send the mail of a topic about something, unless it went out or is not true any more.

    A worker that dies between sending and writing it down sends a second copy, with the same
    Message-ID; no other accident does.

    Raises:
        MailUnavailable: the mail server did not take it, or another worker is at it; try later.
    """
    with transaction() as session:
        notification = _begin(session, topic, subject_id, post_office.lease)
        if notification is None:
            return
        facts = _FACTS[topic](session, subject_id)
        if facts is None or facts["patient"].erased_at is not None:
            notification.status = NotificationStatus.SKIPPED
            return
        notification.sent_count += 1
        letter = post_office.write(topic, notification.id, facts)
    try:
        post_office.mailer.send(letter)
    except MailUnavailable:
        _give_back(notification.id, post_office.lease)
        raise
    with transaction() as session:
        sent = locked(session, Notification, notification.id)
        sent.status = NotificationStatus.SENT
        sent.sent_at = utc_now()


class PostOffice:
    """What turns facts into a letter: templates, links, and the way out."""

    def __init__(self, mailer: Mailer, render: Render, links: Links, lease: timedelta) -> None:
        self.mailer = mailer
        self.lease = lease
        self._render = render
        self._links = links

    def write(self, topic: Topic, notification_id: UUID, facts: Mapping[str, Any]) -> Letter:
        """Write the three forms of a mail, and the calendar file where there is a visit to come."""
        practice: Practice = facts["practice"]
        booking: Booking = facts["booking"]
        words = {**facts, "visit_url": self._links.visit(booking.id), "zone": practice.zone}
        folder = f"emails/{topic.removeprefix('notifications.')}"
        return Letter(
            message_id=f"<{notification_id}@{practice.email.partition('@')[2]}>",
            to=facts["patient"].email,
            sender_name=practice.name,
            reply_to=practice.email,
            subject=self._render(f"{folder}/subject.txt", words).strip(),
            text=self._render(f"{folder}/body.txt", words),
            html=self._render(f"{folder}/body.html", words),
            calendar=_calendar(topic, booking, practice, facts["patient"].locale),
        )


def _calendar(
    topic: Topic, booking: Booking, practice: Practice, language: Language
) -> bytes | None:
    """Return what puts the visit into a calendar, moves it there, or takes it out."""
    build = _CALENDARS.get(topic)
    if build is None:
        return None
    # Each file of a booking counts on from the one before: one a move, and one more at the end.
    sequence = booking.moves + (topic is Topic.BOOKING_CANCELLED)
    times = (booking.starts_at, booking.ends_at)
    entry = calendar_file.Entry(booking.id, booking.code, *times, language, sequence)
    return build(entry, practice)


def _begin(
    session: Session, topic: Topic, subject_id: UUID, lease: timedelta
) -> Notification | None:
    """Take a mail for this worker alone, or return None when it was dealt with."""
    now = utc_now()
    session.execute(
        insert(Notification)
        .values(
            topic=topic,
            subject_id=subject_id,
            channel=_CHANNEL,
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
            Notification.channel == _CHANNEL,
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


def _visit(session: Session, booking_id: UUID) -> dict[str, Any]:
    booking = session.scalars(
        select(Booking)
        .where(Booking.id == booking_id)
        .options(joinedload(Booking.patient), joinedload(Booking.practitioner))
    ).one()
    payment = session.scalars(
        select(Payment).where(Payment.booking_id == booking_id).options(joinedload(Payment.offer))
    ).one()
    return {
        "practice": session.scalars(select(Practice)).one(),
        "booking": booking,
        "patient": booking.patient,
        "practitioner": booking.practitioner,
        "payment": payment,
        "offer": payment.offer,
    }


def _confirmed(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    return facts if facts["booking"].status in VISITING else None


def _moved(session: Session, change_id: UUID) -> dict[str, Any] | None:
    """A move is told of by its row in the audit log, unless another followed it."""
    change = session.get_one(AuditRow, change_id)
    facts = _visit(session, change.subject_id)
    booking: Booking = facts["booking"]
    if booking.status is not BookingStatus.CONFIRMED or booking.moves != change.after["moves"]:
        return None
    return {**facts, "was_at": datetime.fromisoformat(change.after["was"])}


def _cancelled(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    if facts["booking"].status is not BookingStatus.CANCELLED:
        return None
    refund = session.scalar(
        select(Refund)
        .where(Refund.payment_id == facts["payment"].id)
        .order_by(Refund.requested_at.desc())
        .limit(1)
    )
    return {**facts, "refund": refund}


def _slot_lost(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    return facts if facts["booking"].choose_until is not None else None


def _started(session: Session, membership_id: UUID) -> dict[str, Any]:
    membership = _membership(session, membership_id)
    return {**_visit(session, membership.booking_id), "membership": membership, "refund": None}


def _refund_sent(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    facts = _refund(session, refund_id)
    on_its_way = facts["refund"].status in (
        RefundStatus.PENDING,
        RefundStatus.SUCCEEDED,
        RefundStatus.EXTERNAL,
    )
    return facts if on_its_way else None


def _refund_failed(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    facts = _refund(session, refund_id)
    failed = facts["refund"].status in (RefundStatus.FAILED, RefundStatus.CANCELED)
    return facts if failed else None


def _refund_settled_otherwise(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    settlement = session.scalar(
        select(Settlement).where(
            Settlement.refund_id == refund_id, Settlement.approved_at.is_not(None)
        )
    )
    if settlement is None:
        return None
    return {**_refund(session, refund_id), "settlement": settlement}


def _refund(session: Session, refund_id: UUID) -> dict[str, Any]:
    refund = session.scalars(
        select(Refund).where(Refund.id == refund_id).options(joinedload(Refund.payment))
    ).one()
    membership = None
    if refund.reason is RefundReason.MEMBERSHIP:
        membership_id = session.scalars(
            select(Membership.id)
            .where(
                Membership.booking_id == refund.payment.booking_id,
                Membership.active_at.is_not(None),
            )
            .limit(1)
        ).one()
        membership = _membership(session, membership_id)
    facts = _visit(session, refund.payment.booking_id)
    return {**facts, "refund": refund, "membership": membership}


def _membership(session: Session, membership_id: UUID) -> Membership:
    return session.scalars(
        select(Membership)
        .where(Membership.id == membership_id)
        .options(joinedload(Membership.plan))
    ).one()


# What each mail is about; None when it would not be true at this moment.
_FACTS: Final[Mapping[Topic, Callable[[Session, UUID], dict[str, Any] | None]]] = {
    Topic.BOOKING_CONFIRMED: _confirmed,
    Topic.BOOKING_MOVED: _moved,
    Topic.BOOKING_CANCELLED: _cancelled,
    Topic.SLOT_LOST: _slot_lost,
    Topic.MEMBERSHIP_STARTED: _started,
    Topic.REFUND_SENT: _refund_sent,
    Topic.REFUND_FAILED: _refund_failed,
    Topic.REFUND_SETTLED_OTHERWISE: _refund_settled_otherwise,
}
