"""Several people at one station: who signed in there today, locking it, and opening it by PIN.

A station is a browser; it holds a secret that changes with every password, so that a secret which
was planted before somebody signs in knows nobody afterwards.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import joinedload

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.errors import FieldError, Invalid, SignInFailed
from booking_service.models import Actor, ActorKind, StaffMember, StaffSession, StationPerson
from booking_service.services import audit, staff

REMEMBERED: Final = timedelta(hours=12)
_MOST_WRONG_PINS: Final = 5
_PIN_LENGTHS: Final = (6, 8)
_EASY: Final = "01234567890", "9876543210"


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody a station knows. `first_name` is all that a locked screen shows."""

    id: UUID
    first_name: str
    email: str
    may_use_pin: bool


def remember(secret: str | None, staff_id: UUID) -> str:
    """Note that somebody gave their password at a station; return its secret from now on."""
    new = secrets.token_urlsafe(32)
    now = utc_now()
    with transaction() as session:
        session.execute(delete(StationPerson).where(StationPerson.password_at <= now - REMEMBERED))
        here = StationPerson.station_hash == staff.digest(secret or "")
        session.execute(delete(StationPerson).where(here, StationPerson.staff_id == staff_id))
        session.execute(update(StationPerson).where(here).values(station_hash=staff.digest(new)))
        session.add(
            StationPerson(station_hash=staff.digest(new), staff_id=staff_id, password_at=now)
        )
    return new


def forget(secret: str, staff_id: UUID) -> None:
    """Know somebody no more at a station: they signed out there."""
    with transaction() as session:
        session.execute(
            delete(StationPerson).where(
                StationPerson.station_hash == staff.digest(secret),
                StationPerson.staff_id == staff_id,
            )
        )


def people(secret: str) -> Sequence[Colleague]:
    """Return who gave their password at a station within twelve hours, by name."""
    rows = db.session.scalars(
        select(StationPerson)
        .options(joinedload(StationPerson.staff))
        .where(
            StationPerson.station_hash == staff.digest(secret),
            StationPerson.password_at > utc_now() - REMEMBERED,
        )
    )
    found = [
        Colleague(
            row.staff_id,
            row.staff.name.split()[0],
            row.staff.email,
            row.staff.pin_hash is not None and row.wrong_pins < _MOST_WRONG_PINS,
        )
        for row in rows
        if row.staff.disabled_at is None
    ]
    return sorted(found, key=lambda one: (one.first_name, one.email))


def lock(token: str) -> None:
    """Lock a session: it shows nothing and does nothing until its person opens it again."""
    locked = (
        update(StaffSession)
        .where(StaffSession.token_hash == staff.digest(token), StaffSession.locked_at.is_(None))
        .values(locked_at=utc_now())
        .returning(StaffSession.staff_id)
    )
    with transaction() as session:
        staff_id: UUID | None = session.scalar(locked)
        if staff_id is not None:
            audit.record(session, Actor(ActorKind.STAFF, staff_id, ""), "staff.lock", staff_id)


def whose(token: str, longest: timedelta) -> UUID | None:
    """Return whose session it is, locked or idle as it may be; None when it has ended."""
    return db.session.scalar(
        select(StaffSession.staff_id).where(
            StaffSession.token_hash == staff.digest(token),
            StaffSession.ended_at.is_(None),
            StaffSession.created_at > utc_now() - longest,
        )
    )


def is_pin(given: str) -> bool:
    """Whether somebody gave a PIN; no password is as short."""
    shortest, longest = _PIN_LENGTHS
    return given.isascii() and given.isdecimal() and shortest <= len(given) <= longest


def sign_in_by_pin(secret: str, staff_id: UUID, pin: str) -> str:
    """Check a PIN and open a session; return the token that stands for it.

    Each try is counted before it is made, so that many at once are no more than five.

    Raises:
        SignInFailed: a wrong PIN, or none can be used here: not set, not signed in here with the
            password within twelve hours, or wrong five times. It never says which.
    """
    tried = (
        update(StationPerson)
        .where(
            StationPerson.station_hash == staff.digest(secret),
            StationPerson.staff_id == staff_id,
            StationPerson.password_at > utc_now() - REMEMBERED,
            StationPerson.wrong_pins < _MOST_WRONG_PINS,
        )
        .values(wrong_pins=StationPerson.wrong_pins + 1)
        .returning(StationPerson.id)
    )
    with transaction() as session:
        here_id: UUID | None = session.scalar(tried)
    member = db.session.get(StaffMember, staff_id)
    known = member.pin_hash if member and here_id and member.disabled_at is None else None
    try:
        staff.HASHER.verify(known or staff.NOBODY, pin)
    except (VerifyMismatchError, InvalidHashError):
        known = None
    if member is None or here_id is None or known is None:
        raise SignInFailed("That is not right. After five wrong PINs only the password opens it.")
    return _open(here_id, member)


def _open(here_id: UUID, member: StaffMember) -> str:
    token = secrets.token_urlsafe(32)
    now = utc_now()
    with transaction() as session:
        here = session.get_one(StationPerson, here_id)
        here.wrong_pins = 0
        session.add(
            StaffSession(
                staff_id=member.id,
                token_hash=staff.digest(token),
                created_at=here.password_at,  # a PIN makes a day at the station no longer
                last_seen_at=now,
            )
        )
        actor = Actor(ActorKind.STAFF, member.id, member.name)
        audit.record(session, actor, "staff.sign_in", member.id, how="pin")
    return token


def set_pin(staff_id: UUID, password: str, pin: str) -> None:
    """Choose a PIN; the password says that it is the person, not somebody at their station.

    Raises:
        Invalid: the PIN is not six to eight digits, or easy to guess.
        SignInFailed: the password is wrong.
    """
    if not is_pin(pin):
        raise Invalid(FieldError("pin", "malformed", "Choose six to eight digits."))
    if len(set(pin)) == 1 or any(pin in row for row in _EASY):
        raise Invalid(FieldError("pin", "easy", "Choose digits that nobody guesses first."))
    member = db.session.get_one(StaffMember, staff_id)
    try:
        staff.HASHER.verify(member.password_hash or staff.NOBODY, password)
    except (VerifyMismatchError, InvalidHashError) as error:
        raise SignInFailed("The password is not right.") from error
    hashed = staff.HASHER.hash(pin)
    with transaction() as session:
        session.get_one(StaffMember, staff_id).pin_hash = hashed
        actor = Actor(ActorKind.STAFF, staff_id, member.name)
        audit.record(session, actor, "staff.set_pin", staff_id)
