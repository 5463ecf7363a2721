"""Times that become free, offered to those who wait for one."""

from celery import shared_task

from booking_service.models import Topic
from booking_service.queries import availability
from booking_service.queries import waitlist as waiting
from booking_service.services import newcomers, waitlist
from workers.work import do


@shared_task(name=Topic.TIME_FREED)
def offer(message_id: str) -> None:
    """Hold it for the next person, and owe them the news."""
    do(message_id, waitlist.offer)


@shared_task(name="waitlist.sweep")
def sweep() -> None:
    """Let newcomers go who waited long enough, and offer the others what nobody had to leave."""
    newcomers.sweep()
    if waiting.has_newcomers():
        free = availability.everything()
        waitlist.sweep([(slot.practitioner_id, slot.starts_at) for slot in free])
