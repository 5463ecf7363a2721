"""Free times as finished answers, kept until a booking, a change of hours or the clock ends them.

Working free times out and writing them down costs many times what asking the database for one word
does. That word (`TimetableVersion`) changes in the transaction of every booking and every change
of hours, so an answer is never older than its question.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final, Generic, TypeVar, cast

import psycopg
from sqlalchemy import create_engine

from booking_service.clock import day_bounds, local_day, utc_now
from booking_service.models import Practice
from booking_service.queries.availability import Day

_VERSION: Final = "SELECT md5(string_agg(token::text, '' ORDER BY id)) FROM timetable_versions"
_MOST_BYTES: Final = 4_000_000  # of all answers of a process together


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ready(Generic[T]):
    """A finished answer, until when the clock leaves it true, and about how many bytes it takes.

    Many requests are given the same one: nobody changes it.
    """

    answer: T
    good_until: datetime
    size: int
    made_at: datetime = field(default_factory=utc_now)


class ReadyAnswers:
    """The answers one process keeps, those asked for last."""

    def __init__(self, database_url: str) -> None:
        """Remember where to ask; the first question connects."""
        self._kept: OrderedDict[Hashable, tuple[str | None, Ready[Any]]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()
        # No transaction, no ping, no reset: one statement goes over the wire and one answer back.
        self._engine = create_engine(
            database_url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, pool_size=1
        )

    def answer(self, question: Hashable, make: Callable[[], Ready[T]]) -> T:
        """Return the answer to a question: the one kept, if it is still true, else a new one."""
        # Asked before the answer is made: what changes meanwhile makes it a new question.
        version = self._version()
        with self._lock:
            known, ready = self._kept.get(question, (None, None))
            if ready and known == version and ready.made_at <= utc_now() <= ready.good_until:
                self._kept.move_to_end(question)
                return cast("T", ready.answer)
        made = make()
        with self._lock:
            self._keep(question, version, made)
        return made.answer

    def close(self) -> None:
        """Leave the database; the next question connects again."""
        self._engine.dispose()

    def _keep(self, question: Hashable, version: str | None, made: Ready[Any]) -> None:
        if question in self._kept:
            self._bytes -= self._kept.pop(question)[1].size
        self._kept[question] = (version, made)
        self._bytes += made.size
        while self._bytes > _MOST_BYTES:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= oldest.size

    def _version(self) -> str | None:
        try:
            return self._asked()
        except psycopg.OperationalError:
            # Cut off since the last question. SQLAlchemy connects anew, or says what is wrong as
            # it does everywhere.
            with self._engine.connect() as connection:
                version: str | None = connection.exec_driver_sql(_VERSION).scalar()
                return version

    def _asked(self) -> str | None:
        """Ask below SQLAlchemy, which would cost more than the question itself."""
        pooled = self._engine.raw_connection()
        try:
            cursor = pooled.cursor()
            cursor.execute(_VERSION)
            (version,) = cast("tuple[str | None]", cursor.fetchone())
        except psycopg.OperationalError:
            pooled.invalidate()
            raise
        finally:
            pooled.close()
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
