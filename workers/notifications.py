"""Mails and texts, from the queue: a task for each topic a patient hears of."""

from collections.abc import Mapping
from typing import Any

from celery import shared_task
from flask import current_app, render_template
from flask_babel import force_locale

from booking_service.models import Topic
from booking_service.services import notifications, reminders, visit_links
from booking_service.services.letters import PostOffice
from workers.work import do, patience


def _write(template: str, facts: Mapping[str, Any]) -> str:
    """Write in the language of whoever is written to."""
    with force_locale(facts["locale"]):
        return render_template(template, **facts)


def _send(topic: Topic, message_id: str) -> None:
    extensions = current_app.extensions
    post_office = PostOffice(
        extensions["mailer"],
        extensions["texts"],
        _write,
        extensions["links"],
        patience().lease,
    )
    do(message_id, lambda subject_id: notifications.send(topic, subject_id, post_office))


@shared_task(name=Topic.BOOKING_CONFIRMED)
def booking_confirmed(message_id: str) -> None:
    """Tell a patient when and where."""
    _send(Topic.BOOKING_CONFIRMED, message_id)


@shared_task(name=Topic.BOOKING_MOVED)
def booking_moved(message_id: str) -> None:
    """Tell a patient the new time, and the old one."""
    _send(Topic.BOOKING_MOVED, message_id)


@shared_task(name=Topic.BOOKING_CANCELLED)
def booking_cancelled(message_id: str) -> None:
    """Tell a patient that a visit is cancelled, and where its money is."""
    _send(Topic.BOOKING_CANCELLED, message_id)


@shared_task(name=Topic.SLOT_LOST)
def slot_lost(message_id: str) -> None:
    """Tell a patient whose time was gone to choose another, or to have the money back."""
    _send(Topic.SLOT_LOST, message_id)


@shared_task(name=Topic.TIME_OFFERED)
def time_offered(message_id: str) -> None:
    """Tell somebody who waits of a time, and until when it is theirs."""
    _send(Topic.TIME_OFFERED, message_id)


@shared_task(name=Topic.VISIT_REMINDER)
def visit_reminder(message_id: str) -> None:
    """Remind a patient the day before."""
    _send(Topic.VISIT_REMINDER, message_id)


@shared_task(name=Topic.VISIT_SOON)
def visit_soon(message_id: str) -> None:
    """Remind a patient two hours before, by text where that was agreed to."""
    _send(Topic.VISIT_SOON, message_id)


@shared_task(name=Topic.VISIT_MISSED)
def visit_missed(message_id: str) -> None:
    """Ask a patient who did not come to choose another time."""
    _send(Topic.VISIT_MISSED, message_id)


@shared_task(name=Topic.VISITS_ASKED)
def visits_asked(message_id: str) -> None:
    """Send an address the links of its visits, if it has any."""
    _send(Topic.VISITS_ASKED, message_id)


@shared_task(name=Topic.LINK_SENT)
def visit_link(message_id: str) -> None:
    """Send a patient the link to a visit once more."""
    _send(Topic.LINK_SENT, message_id)


@shared_task(name=Topic.AGREEMENT_TO_SIGN)
def agreement_to_sign(message_id: str) -> None:
    """Send a patient the link to the agreement, by text where that was agreed to."""
    _send(Topic.AGREEMENT_TO_SIGN, message_id)


@shared_task(name=Topic.AGREEMENT_SIGNED)
def agreement_signed(message_id: str) -> None:
    """Send a patient a copy of what was signed."""
    _send(Topic.AGREEMENT_SIGNED, message_id)


@shared_task(name=Topic.MEMBERSHIP_STARTED)
def membership_started(message_id: str) -> None:
    """Welcome a member whose first visit is not refunded."""
    _send(Topic.MEMBERSHIP_STARTED, message_id)


@shared_task(name=Topic.PAYMENT_FAILED)
def payment_failed(message_id: str) -> None:
    """Tell a member that a month could not be charged, and where to give another card."""
    _send(Topic.PAYMENT_FAILED, message_id)


@shared_task(name=Topic.CARD_LINK_SENT)
def card_link(message_id: str) -> None:
    """Send a member the link to give another card."""
    _send(Topic.CARD_LINK_SENT, message_id)


@shared_task(name=Topic.REFUND_SENT)
def refund_sent(message_id: str) -> None:
    """Tell a patient that the money is on its way, and welcome a member."""
    _send(Topic.REFUND_SENT, message_id)


@shared_task(name=Topic.REFUND_FAILED)
def refund_failed(message_id: str) -> None:
    """Tell a patient that the money comes another way."""
    _send(Topic.REFUND_FAILED, message_id)


@shared_task(name=Topic.REFUND_SETTLED_OTHERWISE)
def refund_settled_otherwise(message_id: str) -> None:
    """Tell a patient that the money was paid another way."""
    _send(Topic.REFUND_SETTLED_OTHERWISE, message_id)


@shared_task(name="notifications.remind")
def remind() -> None:
    """Owe the reminders of visits that are near."""
    reminders.sweep()


@shared_task(name="notifications.forget")
def forget() -> None:
    """Forget the addresses whose links were asked for a while ago."""
    visit_links.forget()
