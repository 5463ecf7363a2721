"""Freed times, offered to those who wait for one."""

from celery import shared_task

from booking_service.models import Topic
from booking_service.services import waitlist
from workers.work import do


@shared_task(name=Topic.TIME_FREED)
def offer(message_id: str) -> None:
    """Hold it for the next person, and owe them the news."""
    do(message_id, waitlist.offer)
