"""The outermost edges of the service, where a process may die: Stripe, the mail, commits."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from booking_service.db import db
from booking_service.errors import MailUnavailable
from booking_service.gateways.mail import Letter
from tests.month.trouble import Killed, Trouble

LOCK_TIMEOUT = "30ms"


class GatewayEdge:
    """The real gateway; the process may die just before or just after each of its calls."""

    def __init__(self, gateway: Any, trouble: Trouble) -> None:
        self._gateway = gateway
        self._trouble = trouble

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._gateway, name)
        if name == "read_event":  # it talks to nobody
            return method

        def call(*args: Any) -> Any:
            if self._trouble.passes("killed_before_call"):
                self._trouble.kill()
            answer = method(*args)
            if self._trouble.passes("killed_after_call"):
                self._trouble.kill()
            return answer

        return call


class MailEdge:
    """Keeps every letter that left, and how many copies of it are excused."""

    def __init__(self, trouble: Trouble) -> None:
        self.letters: list[Letter] = []
        self.excused: Counter[str] = Counter()
        self._trouble = trouble

    def send(self, letter: Letter) -> None:
        if self._trouble.passes("mail_refused"):
            raise MailUnavailable("The mail server does not take it.")
        self.letters.append(letter)
        if self._trouble.passes("killed_after_mail"):
            self._trouble.kill()

    def excuse(self, since: int) -> None:
        """A worker died or lost its database after these left: each may come once more."""
        self.excused.update(letter.message_id for letter in self.letters[since:])


class DatabaseEdge:
    """Lets the process die at commits, and the database lose a connection or keep a lock."""

    def __init__(self, app: Flask, trouble: Trouble, address: str) -> None:
        self._trouble = trouble
        self._other = psycopg.connect(plain(address), autocommit=False)
        self._is_locking = False
        listeners: dict[str, Callable[..., None]] = {
            "after_begin": self._after_begin,
            "before_commit": self._before_commit,
            "after_commit": self._after_commit,
            "after_transaction_end": self._after_transaction,
        }
        self._listening = [(db.session, name, fn) for name, fn in listeners.items()]
        with app.app_context():
            self._listening.append((db.engine, "handle_error", self._failed))
        for listened in self._listening:
            event.listen(*listened)

    def close(self) -> None:
        """Leave the session as it was found."""
        for listened in self._listening:
            event.remove(*listened)
        self._other.close()

    def lock(self, table: str) -> None:
        """Keep a table from everybody who wants to change it, until `unlock`."""
        self._other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        self._is_locking = True

    def unlock(self) -> None:
        """Let them go on."""
        self._other.rollback()
        self._is_locking = False

    def _after_begin(self, session: Session, transaction: object, connection: Any) -> None:
        if self._is_locking:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")

    def _failed(self, context: Any) -> None:
        if isinstance(context.original_exception, psycopg.errors.LockNotAvailable):
            self._trouble.happened("lock_timeout")

    def _before_commit(self, session: Session) -> None:
        kind = self._trouble.passes("killed_before_commit", "connection_lost")
        if kind == "killed_before_commit":
            self._trouble.kill()
        elif kind:
            pid = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
            self._other.execute("SELECT pg_terminate_backend(%s, 1000)", (pid,))
            self._other.rollback()

    def _after_commit(self, session: Session) -> None:
        if not session.in_nested_transaction() and self._trouble.passes("killed_after_commit"):
            session.info["dies"] = True

    def _after_transaction(self, session: Session, transaction: Any) -> None:
        # Not in `after_commit` itself: there the session can not be left any more.
        if transaction.parent is None and session.info.pop("dies", False):
            self._trouble.kill()


def plain(address: str) -> str:
    """Return a database's address as psycopg itself reads it."""
    return address.replace("postgresql+psycopg", "postgresql", 1)


def survive(step: Callable[[], Any]) -> tuple[bool, Any]:
    """Take a step as one process; return whether it lived, and what it answered."""
    try:
        return True, step()
    except Killed:
        return False, None
