"""Free times as finished answers, kept until a booking, a change of hours or the clock ends them.

Working free times out and writing them down costs many times what asking the database for one word
does. That word (`TimetableVersion`) changes in the transaction of every booking and every change
of hours, so an answer is never older than its question.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Final, cast

import psycopg
from sqlalchemy import PoolProxiedConnection, create_engine

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.models import Practice
from booking_service.queries.availability import Day

_VERSION: Final = "SELECT md5(string_agg(token::text, '' ORDER BY id)) FROM timetable_versions"
_MOST_BYTES: Final = 4_000_000  # of all answers of a process together


@dataclass(frozen=True)
class Ready:
    """A finished answer, and until when the clock leaves it true."""

    body: bytes
    good_until: datetime
    made_at: datetime = field(default_factory=utc_now)

    @cached_property
    def etag(self) -> str:
        """Return what stands for exactly this body."""
        return hashlib.sha256(self.body).hexdigest()[:32]


class ReadyAnswers:
    """The answers one process keeps, those asked for last."""

    def __init__(self, database_url: str) -> None:
        """Remember where to ask; the first question connects."""
        self._kept: OrderedDict[Hashable, tuple[str | None, Ready]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        # No transaction, no ping, no reset: one statement goes over the wire and one answer back.
        self._engine = create_engine(
            database_url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, pool_size=1
        )

    def answer(self, question: Hashable, make: Callable[[], Ready]) -> Ready:
        """Return the answer to a question: the one kept, if it is still true, else a new one."""
        # Asked before the answer is made: what changes meanwhile makes it a new question.
        version = self._version()
        with self._lock:
            known, ready = self._kept.get(question, (None, None))
            if ready and known == version and ready.made_at <= utc_now() <= ready.good_until:
                self._kept.move_to_end(question)
                return ready
        made = make()
        with self._lock:
            self._keep(question, version, made)
        return made

    def close(self) -> None:
        """Leave the database; the next question connects again."""
        self._engine.dispose()

    def _keep(self, question: Hashable, version: str | None, made: Ready) -> None:
        if question in self._kept:
            self._bytes -= len(self._kept.pop(question)[1].body)
        self._kept[question] = (version, made)
        self._bytes += len(made.body)
        while self._bytes > _MOST_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= len(oldest.body)

    def _version(self) -> str | None:
        # Below SQLAlchemy, which would cost more than the question itself.
        pooled = self._engine.raw_connection()
        try:
            return self._asked(pooled)
        except psycopg.OperationalError:
            pooled.invalidate()  # the database was restarted since the last question
            pooled = self._engine.raw_connection()
            return self._asked(pooled)
        finally:
            pooled.close()

    def _asked(self, pooled: PoolProxiedConnection) -> str | None:
        cursor = pooled.cursor()
        cursor.execute(_VERSION)
        (version,) = cast("tuple[str | None]", cursor.fetchone())
        return version


def good_until(practice: Practice, days: Iterable[Day]) -> datetime:
    """Return when the clock alone ends the truth of a list of free times.

    That is when its first time can be booked no more, or when the practice's next day begins.
    """
    now = utc_now()
    _, midnight = day_bounds(local_day(now, practice.zone), practice.zone)
    lead = timedelta(minutes=practice.lead_minutes)
    starts = [day.slots[0].starts_at - lead for day in days if day.slots]
    return min([midnight - timedelta.resolution, *starts])
