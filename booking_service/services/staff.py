"""Staff: invite, set up, sign in, sign out, and the tokens of programs."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.errors import FieldError, Invalid, NotFound, SignInFailed
from booking_service.models import Actor, ActorKind, ApiToken, Role, StaffMember, StaffSession
from booking_service.services import audit

HASHER: Final = PasswordHasher()
# Checked when there is nobody to check against, so that the answer takes as long. It was made from
# random bits that nobody kept; making one here would cost every process a third of a second.
NOBODY: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$FfpjbijsROp8z0MwDRqigA$36Aesd"
    "DLTGGNB8xcm1UMLr/rYcfTUF0fGRsm+nYYosk"
)
_SHORTEST_PASSWORD: Final = 15  # NIST SP 800-63B-4 without a second factor
_LONGEST_PASSWORD: Final = 256
_SETUP_LIFETIME: Final = timedelta(days=7)
# Seen again within this, a session or token is not written: reads must not become writes.
_SEEN_EVERY: Final = timedelta(seconds=30)


def invite(email: str, name: str, role: Role) -> str:
    """Add a member of staff, or renew their invitation; return the secret of the set-up link."""
    secret = secrets.token_urlsafe(32)
    email = email.strip().lower()
    with transaction() as session:
        member = session.scalar(select(StaffMember).where(StaffMember.email == email))
        if member is None:
            member = StaffMember(email=email, name=name, role=role, created_at=utc_now())
            session.add(member)
        member.role = role
        member.setup_token_hash = digest(secret)
        member.setup_expires_at = utc_now() + _SETUP_LIFETIME
        session.flush()
        audit.record(session, Actor.system(), "staff.invite", member.id, role=role)
    return secret


def set_up(secret: str, password: str) -> None:
    """Choose a password by the one-time link.

    Raises:
        NotFound: the link was used, replaced, or is older than seven days.
        Invalid: the password is shorter than 15 characters.
    """
    check_password(password)
    hashed = HASHER.hash(password)
    with transaction() as session:
        member = session.scalar(
            select(StaffMember)
            .where(
                StaffMember.setup_token_hash == digest(secret),
                StaffMember.setup_expires_at > utc_now(),
                StaffMember.disabled_at.is_(None),
            )
            .with_for_update()
        )
        if member is None:
            raise NotFound("This link was used before or has expired. Ask for a new one.")
        member.password_hash = hashed
        member.setup_token_hash = member.setup_expires_at = None
        actor = Actor(ActorKind.STAFF, member.id, member.name)
        audit.record(session, actor, "staff.set_up", member.id)


def check_password(password: str) -> None:
    """Refuse a password that is too short; any characters are welcome."""
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        detail = f"Choose {_SHORTEST_PASSWORD} characters or more. A sentence works well."
        raise Invalid(FieldError("password", "too_short", detail))


def sign_in(email: str, password: str) -> str:
    """Check a password and open a session; return the token that stands for it.

    Raises:
        SignInFailed: no such person, not set up, disabled, or the wrong password: never said which.
    """
    member = db.session.scalar(
        select(StaffMember).where(
            StaffMember.email == email.strip().lower(), StaffMember.disabled_at.is_(None)
        )
    )
    known = member.password_hash if member else None
    try:
        HASHER.verify(known or NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        known = None
    if member is None or known is None:
        raise SignInFailed("E-mail and password do not match.")
    token = secrets.token_urlsafe(32)
    now = utc_now()
    with transaction() as session:
        session.add(
            StaffSession(
                staff_id=member.id, token_hash=digest(token), created_at=now, last_seen_at=now
            )
        )
        actor = Actor(ActorKind.STAFF, member.id, member.name)
        audit.record(session, actor, "staff.sign_in", member.id)
    return token


def who(
    token: str, idle: timedelta, longest: timedelta, *, is_use: bool = True
) -> StaffMember | None:
    """Return whose session it is, if used within `idle` and begun within `longest`.

    A page that asks by itself is no use of a session: else an open screen would never lock.
    """
    now = utc_now()
    current = db.session.scalar(
        select(StaffSession)
        .options(joinedload(StaffSession.staff))
        .where(
            StaffSession.token_hash == digest(token),
            StaffSession.ended_at.is_(None),
            StaffSession.locked_at.is_(None),
            StaffSession.last_seen_at > now - idle,
            StaffSession.created_at > now - longest,
        )
    )
    if current is None or current.staff.disabled_at is not None:
        return None
    member = current.staff
    if is_use and current.last_seen_at < now - min(_SEEN_EVERY, idle / 4):
        seen = update(StaffSession).where(StaffSession.id == current.id).values(last_seen_at=now)
        with transaction() as session:
            session.execute(seen)
    return member


def name_of(staff_id: UUID) -> str:
    """Return what colleagues call somebody."""
    return db.session.get_one(StaffMember, staff_id).name


def sign_out(token: str) -> None:
    """End a session at once, on every device that holds its cookie."""
    ended = (
        update(StaffSession)
        .where(StaffSession.token_hash == digest(token), StaffSession.ended_at.is_(None))
        .values(ended_at=utc_now())
        .returning(StaffSession.staff_id)
    )
    with transaction() as session:
        staff_id: UUID | None = session.scalar(ended)
        if staff_id is not None:
            actor = Actor(ActorKind.STAFF, staff_id, "")
            audit.record(session, actor, "staff.sign_out", staff_id)


def create_token(name: str, scope: Role) -> str:
    """Make a token for a program and return it; it cannot be shown again."""
    token = f"fv_{secrets.token_urlsafe(32)}"
    with transaction() as session:
        made = ApiToken(name=name, scope=scope, token_hash=digest(token), created_at=utc_now())
        session.add(made)
        session.flush()
        audit.record(session, Actor.system(), "token.create", made.id, scope=scope)
    return token


def token_bearer(token: str) -> ApiToken | None:
    """Return the program a token belongs to, unless it was revoked."""
    now = utc_now()
    bearer = db.session.scalar(
        select(ApiToken).where(ApiToken.token_hash == digest(token), ApiToken.revoked_at.is_(None))
    )
    if bearer is not None and (
        bearer.last_used_at is None or bearer.last_used_at < now - _SEEN_EVERY
    ):
        with transaction() as session:
            session.execute(
                update(ApiToken).where(ApiToken.id == bearer.id).values(last_used_at=now)
            )
    return bearer


def digest(secret: str) -> str:
    """Return what is kept of a secret that we made."""
    # The secrets are 256 random bits: there is nothing to guess, so no slow hash is needed.
    return hashlib.sha256(secret.encode()).hexdigest()
