"""What the desk took on a day: every line of it, and how often it was counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.models import (
    Account,
    Booking,
    DeskCount,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    Patient,
    Payment,
    PaymentTender,
    Practice,
    Settlement,
    SettlementMethod,
)


@dataclass(frozen=True, slots=True)
class Taking:
    """One receipt, or one payment back. Cents are negative when the desk paid."""

    at: datetime
    kind: EntryKind
    how: PaymentTender | SettlementMethod | None  # None: the receipt does not say
    patient: str
    code: str
    booking_id: UUID
    reference: str
    cents: int


@dataclass(frozen=True, slots=True)
class Takings:
    """A day of the practice's calendar at the desk. Money in US cents."""

    day: date
    zone: ZoneInfo
    takings: Sequence[Taking]
    counts: Sequence[DeskCount]  # the newest first

    @property
    def total_cents(self) -> int:
        """Return what should be there: taken, less what was paid back."""
        return sum(taking.cents for taking in self.takings)

    @property
    def is_counted(self) -> bool:
        """Whether nothing was taken or paid back since the last count."""
        return bool(self.counts) and self.counts[0].expected_cents == self.total_cents


def takings(day: date) -> Takings:
    """Return everything that was taken and paid back at the desk on a day, oldest first."""
    zone = db.session.scalars(select(Practice)).one().zone
    begins, ends = day_bounds(day, zone)
    booking_id = func.coalesce(Payment.booking_id, Membership.booking_id)
    stands = Settlement.withdrawn_at.is_(None)
    rows = db.session.execute(
        select(JournalEntry, JournalLine.amount_cents, Booking, Patient.name)
        .add_columns(Payment.tender, Settlement.method)
        .join(JournalLine, JournalLine.entry_id == JournalEntry.id)
        .outerjoin(Payment, Payment.id == JournalEntry.payment_id)
        .outerjoin(Membership, Membership.id == JournalEntry.subject_id)
        .outerjoin(Settlement, (Settlement.refund_id == JournalEntry.subject_id) & stands)
        .join(Booking, Booking.id == booking_id)
        .join(Patient, Patient.id == Booking.patient_id)
        .where(
            JournalLine.account == Account.DESK_TAKINGS,
            JournalEntry.at >= begins,
            JournalEntry.at < ends,
        )
        .order_by(JournalEntry.at, JournalEntry.id)
    )
    counts = select(DeskCount).where(DeskCount.day == day).order_by(DeskCount.counted_at.desc())
    return Takings(
        day=day,
        zone=zone,
        takings=[
            Taking(
                at=entry.at,
                kind=entry.kind,
                how=method or tender,
                patient=name,
                code=booking.code,
                booking_id=booking.id,
                reference=entry.reference,
                cents=cents,
            )
            for entry, cents, booking, name, tender, method in rows
        ],
        counts=db.session.scalars(counts).all(),
    )
