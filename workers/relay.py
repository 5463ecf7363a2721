"""The loop from the outbox to Celery. Run with `python -m workers.relay`; two may run at once."""

import logging
import signal
import threading
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import psycopg
from celery import Celery
from flask import Flask
from kombu.exceptions import OperationalError
from sqlalchemy.exc import DBAPIError

from booking_service.app import create_app
from booking_service.models import Topic
from booking_service.services import outbox
from workers.app import create_celery
from workers.policy import queue_of

log: Final = logging.getLogger(__name__)


def hand_over(celery: Celery, messages: Sequence[tuple[UUID, Topic]]) -> bool:
    """Put messages into their queues and return whether Redis took them all.

    Those it does not take are due again at once.
    """
    for number, (message_id, topic) in enumerate(messages):
        try:
            celery.send_task(topic, args=[str(message_id)], queue=queue_of(topic))
        except (OperationalError, OSError) as error:
            log.warning("Redis does not take messages: %s", type(error).__name__)
            outbox.give_back([id_ for id_, _ in messages[number:]])
            return False
    return True


def run(app: Flask, celery: Celery, stopping: threading.Event) -> None:
    """Hand over what is due, whenever something is posted and at every interval, until stopped."""
    settings = app.extensions["settings"]
    address = settings.database_url.replace("postgresql+psycopg", "postgresql", 1)
    while not stopping.is_set():
        try:
            with psycopg.connect(address, autocommit=True) as listener:
                listener.execute(f"LISTEN {outbox.CHANNEL}")
                _listen(app, celery, listener, stopping)
        except (psycopg.Error, DBAPIError) as error:
            log.warning("the database does not answer: %s", type(error).__name__)
            stopping.wait(settings.relay_interval.total_seconds())


def _listen(
    app: Flask, celery: Celery, listener: psycopg.Connection, stopping: threading.Event
) -> None:
    settings = app.extensions["settings"]
    interval = settings.relay_interval.total_seconds()
    while not stopping.is_set():
        with app.app_context():
            messages = outbox.claim(settings.lease)
            taken = hand_over(celery, messages)
        if not messages or not taken:
            for _ in listener.notifies(timeout=interval, stop_after=1):
                pass


def main() -> None:
    """Run until SIGTERM or Ctrl-C."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    app = create_app(is_called=False)
    run(app, create_celery(app), stopping)


if __name__ == "__main__":
    main()
