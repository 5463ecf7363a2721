"""What patients see: the practice, its offer, free times as a page shows them, their booking."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.languages import Language, Sentence
from booking_service.models import (
    ON_SALE,
    Booking,
    BookingKind,
    BookingStatus,
    Offer,
    Patient,
    Payment,
    PaymentStatus,
    Plan,
    Practice,
    Practitioner,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.queries.availability import Day, Slot


class PartOfDay(StrEnum):
    """How patients narrow a day down."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"

    @classmethod
    def at(cls, instant: datetime, zone: ZoneInfo) -> Self:
        """Return the part of the practice's day an instant falls in."""
        clock = instant.astimezone(zone).time()
        if clock < _NOON:
            return cls("morning")
        return cls("afternoon") if clock < _EVENING else cls("evening")


_NOON: Final = time(12)
_EVENING: Final = time(17)
_SOONEST: Final = 3


@dataclass(frozen=True, slots=True)
class TimesDay:
    """One day of a list of times: one slot for each start, by part of the day."""

    date: date
    parts: dict[PartOfDay, list[Slot]]
    closed: str | None  # why, when the practice is closed

    @property
    def slots(self) -> list[Slot]:
        """Every time of the day, earliest first."""
        return [slot for slots in self.parts.values() for slot in slots]


@dataclass(frozen=True, slots=True)
class RefundView:
    """What a patient may know of a refund."""

    status: RefundStatus
    reason: RefundReason
    amount_cents: int
    sent_at: datetime | None
    answered_at: datetime | None
    trace_number: str | None  # what the patient's bank finds it by, once Stripe has it


@dataclass(frozen=True, slots=True)
class BookingView:
    """A booking as its patient sees it. `refund` is the latest decision to return the money."""

    id: UUID
    code: str
    kind: BookingKind
    given_back: bool  # a follow-up cancelled in time: the plan has the visit again
    status: BookingStatus
    practitioner_id: UUID
    practitioner: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    hold_expires_at: datetime | None
    save_card: bool
    texts: bool  # agreed to reminders by text message
    source: str | None
    name: str | None
    booked_by: str | None  # who booked for them; none: they did
    email: str | None
    phone: str | None
    locale: Language | None  # they booked in it
    payment_status: PaymentStatus | None
    checkout_session_id: str | None
    terms_version: int | None  # what was agreed to, once there is a payment
    amount_cents: int | None
    card: str
    way_back: str  # where the money goes back to
    choose_until: datetime | None  # paid, and the time was gone
    moves: int
    promise: PromiseStatus | None
    refund: RefundView | None

    @property
    def is_paid(self) -> bool:
        """Whether money was taken for it, gone back since or not."""
        return self.payment_status is PaymentStatus.PAID


def practice() -> Practice:
    """Return the practice, detached: it stays readable whatever happens to the transaction."""
    row = db.session.scalars(select(Practice)).one()
    db.session.expunge(row)
    return row


def current_offer() -> Offer:
    """Return the offer on sale, detached."""
    return _offer(db.session.scalar(ON_SALE))


def offer(version: int) -> Offer:
    """Return one version of the offer, detached; old ones stay readable for ever.

    Raises:
        NotFound: there never was such a version.
    """
    return _offer(db.session.scalar(select(Offer).where(Offer.version == version)))


def plans() -> list[Plan]:
    """Return the membership plans on sale, in the practice's order."""
    return list(db.session.scalars(select(Plan).where(Plan.is_on_sale).order_by(Plan.position)))


def booking(booking_id: UUID) -> BookingView:
    """Return a booking with its money.

    Raises:
        NotFound: there is no such booking.
    """
    row = db.session.execute(
        select(Booking, Practitioner.name, Patient, Payment, Promise.status, Offer.version)
        .join(Practitioner, Practitioner.id == Booking.practitioner_id)
        .outerjoin(Patient, Patient.id == Booking.patient_id)
        .outerjoin(Payment, Payment.booking_id == Booking.id)
        .outerjoin(Promise, Promise.booking_id == Booking.id)
        .outerjoin(Offer, Offer.id == Payment.offer_id)
        .where(Booking.id == booking_id)
        # A service may have changed what this session read before.
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(Sentence("There is no such booking."))
    held, practitioner, patient, payment, promise, version = row
    return BookingView(
        id=held.id,
        code=held.code,
        kind=held.kind,
        given_back=held.given_back,
        status=held.status,
        practitioner_id=held.practitioner_id,
        practitioner=practitioner,
        starts_at=held.starts_at,
        ends_at=held.ends_at,
        created_at=held.created_at,
        hold_expires_at=held.hold_expires_at,
        save_card=held.save_card,
        texts=held.texts_agreed_at is not None,
        source=held.source,
        name=patient.name if patient else None,
        booked_by=held.booked_by,
        email=patient.email if patient else None,
        phone=patient.phone if patient else None,
        locale=patient.locale if patient else None,
        payment_status=payment.status if payment else None,
        checkout_session_id=payment.stripe_checkout_session_id if payment else None,
        terms_version=version,
        amount_cents=payment.amount_cents if payment else None,
        card=payment.card if payment else "",
        way_back=payment.way_back if payment else "",
        choose_until=held.choose_until,
        moves=held.moves,
        promise=promise,
        refund=_latest_refund(payment.id) if payment else None,
    )


def language_of(phone: str) -> Language:
    """Return the language of somebody who has given this number; English for anybody else."""
    known = select(Patient.locale).where(Patient.phone == phone).limit(1)
    return db.session.scalar(known) or Language.EN


def times(days: Sequence[Day], zone: ZoneInfo, wanted: PartOfDay | None = None) -> list[TimesDay]:
    """Arrange free times for a page: each start once, with the least busy practitioner."""
    arranged = []
    for day in days:
        parts: dict[PartOfDay, list[Slot]] = {}
        for slot in _one_for_each_start(day.slots):
            part = PartOfDay.at(slot.starts_at, zone)
            if wanted in (None, part):
                parts.setdefault(part, []).append(slot)
        arranged.append(TimesDay(day.date, parts, day.closed))
    return arranged


def soonest(days: Sequence[TimesDay]) -> list[Slot]:
    """Return three times to offer first: the two earliest, and the first evening after them."""
    slots = [slot for day in days for slot in day.slots]
    first = slots[: _SOONEST - 1]
    evenings = (
        slot for day in days for slot in day.parts.get(PartOfDay.EVENING, ()) if slot not in first
    )
    third = next(evenings, None) or next(iter(slots[_SOONEST - 1 :]), None)
    return [*first, third] if third else first


def _one_for_each_start(slots: Sequence[Slot]) -> list[Slot]:
    free: dict[UUID, int] = {}
    for slot in slots:
        free[slot.practitioner_id] = free.get(slot.practitioner_id, 0) + 1
    chosen: dict[datetime, Slot] = {}
    for slot in slots:
        other = chosen.get(slot.starts_at)
        if other is None or free[slot.practitioner_id] > free[other.practitioner_id]:
            chosen[slot.starts_at] = slot
    return [chosen[start] for start in sorted(chosen)]


def _offer(row: Offer | None) -> Offer:
    if row is None:
        raise NotFound(Sentence("There is no such version of the offer."))
    db.session.expunge(row)
    return row


def _latest_refund(payment_id: UUID) -> RefundView | None:
    refund = db.session.scalar(
        select(Refund)
        .where(Refund.payment_id == payment_id)
        .order_by(Refund.requested_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if refund is None:
        return None
    return RefundView(
        refund.status,
        refund.reason,
        refund.amount_cents,
        refund.sent_at,
        refund.answered_at,
        refund.trace_number,
    )
