"""Staff: who may sign in, their sessions, and tokens for programs."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base


class Role(StrEnum):
    """What a member of staff may do. An administrator may do everything."""

    FRONT_DESK = "front_desk"
    FINANCE = "finance"
    ADMIN = "admin"


class StaffMember(Base):
    """A person who works at the practice."""

    __tablename__ = "staff_members"

    email: Mapped[str] = mapped_column(unique=True)  # lower case
    name: Mapped[str]
    role: Mapped[Role]
    password_hash: Mapped[str | None]  # Argon2id; None until the set-up link was used
    totp_secret: Mapped[str | None]  # the second factor, once one was set up
    pin_hash: Mapped[str | None]  # Argon2id; opens a locked station that knows the person
    setup_token_hash: Mapped[str | None] = mapped_column(unique=True)
    setup_expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class StaffSession(Base):
    """One sign-in on one device. Kept here so that ending it takes effect at once."""

    __tablename__ = "staff_sessions"

    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    locked_at: Mapped[datetime | None]  # somebody locked the screen: it shows no name any more
    ended_at: Mapped[datetime | None]

    staff: Mapped[StaffMember] = relationship(lazy="raise")


class StationPerson(Base):
    """Somebody who signed in with the password at one station, and may use a PIN there today."""

    __tablename__ = "station_people"
    __table_args__ = (
        UniqueConstraint("station_hash", "staff_id"),
        CheckConstraint("wrong_pins BETWEEN 0 AND 5", name="pins_limited"),
    )

    station_hash: Mapped[str]  # of the secret the station's cookie holds; another at each sign-in
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"), index=True)
    password_at: Mapped[datetime]  # of the last sign-in with the password
    wrong_pins: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")

    staff: Mapped[StaffMember] = relationship(lazy="raise")


class ApiToken(Base):
    """A program's key. Only its hash is kept; it is shown once, when it is made."""

    __tablename__ = "api_tokens"

    name: Mapped[str]
    scope: Mapped[Role]
    token_hash: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
