"""Mails, from the queue: a task for each topic a patient hears of."""

from collections.abc import Mapping
from typing import Any

from celery import shared_task
from flask import current_app, render_template
from flask_babel import force_locale

from booking_service.models import Topic
from booking_service.services import notifications
from booking_service.services.notifications import PostOffice
from workers.work import do, patience


def _write(template: str, facts: Mapping[str, Any]) -> str:
    """Write in the language the patient booked in."""
    with force_locale(facts["patient"].locale):
        return render_template(template, **facts)


def _send(topic: Topic, message_id: str) -> None:
    extensions = current_app.extensions
    post_office = PostOffice(
        extensions["mailer"],
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


@shared_task(name=Topic.MEMBERSHIP_STARTED)
def membership_started(message_id: str) -> None:
    """Welcome a member whose first visit is not refunded."""
    _send(Topic.MEMBERSHIP_STARTED, message_id)


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
