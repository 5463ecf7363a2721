"""Whether a membership includes one more visit: decided while it is locked."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.db import locked
from booking_service.errors import NotAllowed
from booking_service.models import COUNTED, Allowance, Booking, Membership, Plan, Practice


def refuse_unless_included(
    session: Session, membership_id: UUID, starts_at: datetime, besides: UUID | None = None
) -> None:
    """Refuse a visit that a membership does not include at an instant.

    The membership stays locked until the caller's transaction ends: of two who book the last visit
    of a month at once, the second counts the first one's. Whoever calls has locked the patient.

    Args:
        session: the caller's.
        membership_id: whose plan it is.
        starts_at: when the visit would be.
        besides: the visit itself, when it is moved.

    Raises:
        NotAllowed: the membership does not let visits be booked now, or all of that month are.
    """
    membership = locked(session, Membership, membership_id)
    refusal = _allowance(session, membership, besides).refusal(starts_at)
    if refusal is not None:
        raise NotAllowed(refusal)


def of_visit(session: Session, booking: Booking) -> Allowance | None:
    """Return what the membership of a follow-up includes; a first visit is part of none."""
    if booking.membership_id is None:
        return None
    membership = session.get_one(Membership, booking.membership_id, populate_existing=True)
    return _allowance(session, membership)


def _allowance(session: Session, membership: Membership, besides: UUID | None = None) -> Allowance:
    plan = session.get_one(Plan, membership.plan_id)
    taken = session.scalars(COUNTED, {"membership_id": membership.id, "besides": besides}).all()
    zone = session.scalars(select(Practice)).one().zone
    return Allowance(membership, zone, plan.name, plan.visits_a_month, taken)
