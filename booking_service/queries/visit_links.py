"""The links of patients' own pages: which booking one opens, and when the desk last sent it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.db import db
from booking_service.errors import LinkReplaced, NotFound
from booking_service.languages import Sentence
from booking_service.links import Links, Purpose
from booking_service.models import AuditRow, Booking, StaffMember

_REPLACED: Final = Sentence("This link was replaced by a newer one, which we sent by email.")


@dataclass(frozen=True, slots=True)
class LinkSent:
    """That the desk sent a visit's link again, or another in its place."""

    at: datetime
    by: str
    is_another: bool


def opened(links: Links, token: str) -> UUID:
    """Return the booking whose page a link opens now. Every door asks here.

    Raises:
        NotFound: it is no link of ours, or its booking is gone.
        LinkReplaced: a newer link took its place.
    """
    return _current(*links.read(Purpose.VISIT, token))


def opened_to_sign(links: Links, token: str) -> UUID:
    """Return the booking whose agreement a link opens. It is replaced with the visit's link.

    Raises:
        NotFound: it is no link of ours, or its booking is gone.
        LinkReplaced: a newer link took its place.
    """
    return _current(*links.read(Purpose.AGREE, token))


def _current(booking_id: UUID, version: int) -> UUID:
    # A column, not a row: what this session read before may be older than the link.
    current = db.session.scalar(select(Booking.link_version).where(Booking.id == booking_id))
    if current is None:
        raise NotFound(Sentence("There is no such booking."))
    if version != current:
        raise LinkReplaced(_REPLACED)
    return booking_id


def version(booking_id: UUID) -> int:
    """Return the version of the links that open a visit's pages now."""
    return db.session.scalars(select(Booking.link_version).where(Booking.id == booking_id)).one()


def last_sent(booking_id: UUID) -> LinkSent | None:
    """Return the last time the desk sent a visit's link, if it ever did."""
    row = db.session.execute(
        select(AuditRow.at, StaffMember.name, AuditRow.action)
        .join(StaffMember, StaffMember.id == AuditRow.actor_id)
        .where(
            AuditRow.subject_id == booking_id,
            AuditRow.action.in_(("booking.link_sent", "booking.link_replaced")),
        )
        .order_by(AuditRow.at.desc())
        .limit(1)
    ).one_or_none()
    return LinkSent(row.at, row.name, row.action == "booking.link_replaced") if row else None
