"""Follow-ups: visits that a member books without paying, as many as the plan includes."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import transaction, violated
from booking_service.errors import SlotTaken
from booking_service.languages import Sentence
from booking_service.models import (
    VISITING,
    Actor,
    Booking,
    BookingKind,
    BookingStatus,
    Membership,
    Topic,
)
from booking_service.services import allowances, audit, memberships, outbox, times

_TAKEN: Final = Sentence("That time was just booked. Choose another time.")


def book(membership_id: UUID, practitioner_id: UUID, starts_at: datetime, actor: Actor) -> UUID:
    """Book a member's visit and return it. Pressing twice is one visit.

    Nothing is paid, nothing is promised, and Stripe hears nothing of it.

    Raises:
        Invalid: it is not a time that is offered.
        SlotTaken: somebody was faster.
        NotAllowed: the membership does not let visits be booked now, or all of that month are.
        NotFound: there is no such membership.
    """
    try:
        with transaction() as session:
            membership = memberships.with_patient(session, membership_id)
            slot = (practitioner_id, starts_at)
            pressed_before = _booked(session, membership, slot)
            if pressed_before is not None:
                return pressed_before
            allowances.refuse_unless_included(session, membership.id, starts_at)
            visit = _put(session, membership, slot)
            outbox.post(session, Topic.BOOKING_CONFIRMED, visit.id)
            about = {"membership": str(membership.id)}
            audit.record(session, actor, "booking.confirm", visit.id, **about)
            return visit.id
    except IntegrityError as error:
        if violated(error) == times.NO_OVERLAP:
            raise SlotTaken(practitioner_id, starts_at, _TAKEN) from error
        raise


def _booked(session: Session, membership: Membership, slot: tuple[UUID, datetime]) -> UUID | None:
    """Return the visit of this membership at this very time, if there is one."""
    practitioner_id, starts_at = slot
    return session.scalar(
        select(Booking.id).where(
            Booking.membership_id == membership.id,
            Booking.practitioner_id == practitioner_id,
            Booking.starts_at == starts_at,
            Booking.status.in_(VISITING),
        )
    )


def _put(session: Session, membership: Membership, slot: tuple[UUID, datetime]) -> Booking:
    """Take a time for a member, as part of the caller's transaction."""
    practitioner_id, starts_at = slot
    kind, now = BookingKind.FOLLOW_UP, utc_now()
    visit = Booking(
        kind=kind,
        membership_id=membership.id,
        patient_id=membership.patient_id,
        # Whoever booked the first visit for the patient gets these mails, too.
        booked_by=session.get_one(Booking, membership.booking_id).booked_by,
        practitioner_id=practitioner_id,
        status=BookingStatus.CONFIRMED,
        starts_at=starts_at,
        ends_at=starts_at + times.visit_length(session, practitioner_id, starts_at, kind),
        created_at=now,
        confirmed_at=now,
    )
    session.add(visit)
    session.flush()
    return visit
