"""Bookings: a patient's claim on a practitioner's time, from hold to visit."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base
from booking_service.errors import IllegalTransition
from booking_service.models.patients import Patient
from booking_service.models.schedule import Practitioner


class BookingStatus(StrEnum):
    """Where a booking stands. The HL7 FHIR appointment code is given where one fits."""

    HELD = "held"  # FHIR: pending
    CONFIRMED = "confirmed"  # FHIR: booked
    ARRIVED = "arrived"  # FHIR: checked-in
    IN_TREATMENT = "in_treatment"  # FHIR: checked-in, with an Encounter
    COMPLETED = "completed"  # FHIR: fulfilled
    NO_SHOW = "no_show"  # FHIR: noshow
    CANCELLED = "cancelled"  # FHIR: cancelled
    EXPIRED = "expired"  # a hold nobody paid for; no FHIR code


class BookingKind(StrEnum):
    """What a booking is, and so what it costs."""

    FIRST = "first"  # the first visit: paid for, with a promise
    FOLLOW_UP = "follow_up"  # a member's: included in the plan, no payment and no promise


S = BookingStatus
# Those that occupy the practitioner; the constraint below says so in SQL.
LIVE: Final = frozenset({S.HELD, S.CONFIRMED, S.ARRIVED, S.IN_TREATMENT, S.COMPLETED})
# Those in which the patient has had, or will have, the first visit that was paid for.
VISITING: Final = LIVE - {S.HELD}

_NEXT: Final[Mapping[BookingStatus, frozenset[BookingStatus]]] = {
    S.HELD: frozenset({S.CONFIRMED, S.EXPIRED}),
    S.CONFIRMED: frozenset({S.ARRIVED, S.NO_SHOW, S.CANCELLED}),
    S.ARRIVED: frozenset({S.IN_TREATMENT, S.COMPLETED}),
    S.IN_TREATMENT: frozenset({S.COMPLETED}),
    S.COMPLETED: frozenset(),
    S.NO_SHOW: frozenset(),
    S.CANCELLED: frozenset(),
    S.EXPIRED: frozenset({S.CONFIRMED}),  # paid in the last second, and the time is still free
}
# Only by taking a step back: whoever presses a step again that is over takes nothing back.
_BACK: Final[Mapping[BookingStatus, frozenset[BookingStatus]]] = {
    S.ARRIVED: frozenset({S.CONFIRMED}),
    S.IN_TREATMENT: frozenset({S.ARRIVED}),
    S.COMPLETED: frozenset({S.ARRIVED, S.IN_TREATMENT}),
    S.NO_SHOW: frozenset({S.CONFIRMED}),
}

# Without 0/O, 1/I/L and vowels: read aloud, typed on a phone, and never a word.
_CODE_LETTERS: Final = "23456789BCDFGHJKMNPQRSTVWXYZ"


def new_code() -> str:
    """Return a booking code for people, like FV-7K3M9Q."""
    return "FV-" + "".join(secrets.choice(_CODE_LETTERS) for _ in range(6))


class Booking(Base):
    """A patient's claim on a practitioner's time. No two live ones of a practitioner overlap."""

    __tablename__ = "bookings"
    __table_args__ = (
        ExcludeConstraint(
            ("practitioner_id", "="),
            (text("tstzrange(starts_at, ends_at)"), "&&"),
            name="ex_bookings_no_overlap",
            using="gist",
            where=text("status IN ('held', 'confirmed', 'arrived', 'in_treatment', 'completed')"),
        ),
        # Paid twice: only one booking of a patient can be the first visit.
        Index(
            "uq_bookings_one_first_visit",
            "patient_id",
            unique=True,
            postgresql_where=text(
                "status IN ('confirmed', 'arrived', 'in_treatment', 'completed')"
                " AND merged_from_id IS NULL AND kind = 'first'"
            ),
        ),
        Index(
            "ix_bookings_membership_id",
            "membership_id",
            postgresql_where=text("membership_id IS NOT NULL"),
        ),
        Index("ix_bookings_starts_at", "starts_at"),
        Index("ix_bookings_holds", "hold_expires_at", postgresql_where=text("status = 'held'")),
        CheckConstraint("starts_at < ends_at", name="ends_after_start"),
        CheckConstraint(
            "status IN ('held', 'expired') OR patient_id IS NOT NULL", name="patient_known"
        ),
        CheckConstraint("status <> 'held' OR hold_expires_at IS NOT NULL", name="hold_ends"),
        CheckConstraint(
            "(kind = 'follow_up') = (membership_id IS NOT NULL)", name="membership_of_follow_up"
        ),
        CheckConstraint(
            "kind <> 'follow_up' OR status NOT IN ('held', 'expired')", name="follow_up_not_held"
        ),
        CheckConstraint(
            "NOT given_back OR (kind = 'follow_up' AND status = 'cancelled')",
            name="given_back_by_cancelling",
        ),
        # A step that was taken back, or never taken, leaves no time behind.
        CheckConstraint(
            "(arrived_at IS NULL OR status IN ('arrived', 'in_treatment', 'completed'))"
            " AND (treatment_began_at IS NULL OR status IN ('in_treatment', 'completed'))"
            " AND (completed_at IS NULL OR status = 'completed')"
            " AND (no_show_at IS NULL OR status = 'no_show')",
            name="steps_fit_status",
        ),
    )

    code: Mapped[str] = mapped_column(unique=True, default=new_code)
    practitioner_id: Mapped[UUID] = mapped_column(ForeignKey("practitioners.id"))
    patient_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"), index=True)
    # The record it was booked with, when that was merged into the patient's: history stays.
    merged_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))
    booked_by: Mapped[str | None]  # who books for the patient, by name; none: the patient does
    kind: Mapped[BookingKind] = mapped_column(default=BookingKind.FIRST, server_default="first")
    # Whose plan a follow-up is part of. The two tables name each other: `use_alter` says which
    # reference comes second.
    membership_id: Mapped[UUID | None] = mapped_column(ForeignKey("memberships.id", use_alter=True))
    # A follow-up cancelled in time, or by the practice: the plan has that visit again.
    given_back: Mapped[bool] = mapped_column(default=False, server_default="false")
    status: Mapped[BookingStatus] = mapped_column(default=BookingStatus.HELD)
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    created_at: Mapped[datetime]
    held_by: Mapped[str | None]  # who at the desk holds it for somebody there; none: the patient
    hold_expires_at: Mapped[datetime | None]
    save_card: Mapped[bool] = mapped_column(default=False)  # agreed to keep the card
    # Agreed to reminders by text message, when, and to which version of the words.
    texts_agreed_at: Mapped[datetime | None]
    texts_agreed_version: Mapped[int | None]
    source: Mapped[str | None]  # which article or button brought the patient
    confirmed_at: Mapped[datetime | None]
    arrived_at: Mapped[datetime | None]
    treatment_began_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    no_show_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    # When the desk noted it, where that was later than when it was: both times are kept.
    arrived_noted_at: Mapped[datetime | None]
    treatment_noted_at: Mapped[datetime | None]
    # Paid, and the time was taken meanwhile: until then the patient may choose another.
    choose_until: Mapped[datetime | None]
    moves: Mapped[int] = mapped_column(default=0)  # how often it was moved to another time
    # Only a link of this version opens the patient's page.
    link_version: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")

    patient: Mapped[Patient | None] = relationship(lazy="raise", foreign_keys=patient_id)
    practitioner: Mapped[Practitioner] = relationship(lazy="raise")

    def hold_until(self, at: datetime) -> None:
        """Hold the time until an instant, or longer where that was promised before."""
        self.hold_expires_at = max(self.hold_expires_at or at, at)

    def move_to(self, status: BookingStatus) -> bool:
        """Move to `status` and return whether anything changed.

        Raises:
            IllegalTransition: the visit is not at a point from which that can follow.
        """
        if status is self.status:
            return False
        if status not in _NEXT[self.status]:
            raise IllegalTransition(
                f"This visit is {self.status.replace('_', ' ')}; "
                f"it cannot become {status.replace('_', ' ')}."
            )
        self.status = status
        return True

    def move_back_to(self, status: BookingStatus) -> None:
        """Take the last step at the desk back, to the `status` before it.

        Raises:
            IllegalTransition: that was not the step before.
        """
        if status not in _BACK.get(self.status, frozenset()):
            raise IllegalTransition(
                f"This visit is {self.status.replace('_', ' ')}; that can't be taken back here."
            )
        self.status = status
