"""What each message to a patient is about, read at the moment it is sent."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from booking_service.clock import local_day, utc_now
from booking_service.db import locked
from booking_service.models import (
    VISITING,
    AgreementSignature,
    AuditRow,
    Booking,
    BookingKind,
    BookingStatus,
    Dispute,
    Membership,
    MembershipStatus,
    Patient,
    Payment,
    Practice,
    Refund,
    RefundReason,
    RefundStatus,
    Reminder,
    Settlement,
    Topic,
    WaitlistEntry,
    WaitlistOffer,
    current_signature,
)
from booking_service.services import agreements, allowances, newcomers, refund_rows, visit_links


def facts(session: Session, topic: Topic, subject_id: UUID) -> dict[str, Any] | None:
    """Return what a message says, or None when it would not be true at this moment.

    There is always a `practice`, a `booking`, and the `email` and `locale` to write to. `greeted`
    is who booked; `coming` is the patient, where that is somebody else. A newcomer has no name.
    """
    found = _FACTS[topic](session, subject_id)
    return found if found is None or "newcomer" in found else _to_patient(found)


def _to_patient(found: dict[str, Any]) -> dict[str, Any] | None:
    """Address a message to the patient of its booking, unless they were erased."""
    patient: Patient = found["patient"]
    if patient.erased_at is not None:
        return None
    booker = found["booking"].booked_by
    return {
        **found,
        "email": patient.email,
        "locale": patient.locale,
        "greeted": booker or patient.name,
        "coming": patient.name if booker else None,
    }


def _visit(session: Session, booking_id: UUID) -> dict[str, Any]:
    """Read a visit with its money, or, a follow-up, with what its plan includes."""
    booking = session.scalars(
        select(Booking)
        .where(Booking.id == booking_id)
        .options(joinedload(Booking.patient), joinedload(Booking.practitioner))
        .execution_options(populate_existing=True)
    ).one()
    payment = session.scalar(
        select(Payment).where(Payment.booking_id == booking_id).options(joinedload(Payment.offer))
    )
    practice = session.scalars(select(Practice)).one()
    return {
        "practice": practice,
        "today": local_day(utc_now(), practice.zone),
        "booking": booking,
        "patient": booking.patient,
        "practitioner": booking.practitioner,
        "minutes": (booking.ends_at - booking.starts_at) // timedelta(minutes=1),
        "payment": payment,
        "offer": payment.offer if payment else None,
        "allowance": allowances.of_visit(session, booking),
    }


def _confirmed(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    return facts if facts["booking"].status in VISITING else None


def _moved(session: Session, change_id: UUID) -> dict[str, Any] | None:
    """A move is told of by its row in the audit log, unless another followed it."""
    change = session.get_one(AuditRow, change_id)
    facts = _visit(session, change.subject_id)
    booking: Booking = facts["booking"]
    if booking.status is not BookingStatus.CONFIRMED or booking.moves != change.after["moves"]:
        return None
    return {**facts, "was_at": datetime.fromisoformat(change.after["was"])}


def _visits_asked(session: Session, request_id: UUID) -> dict[str, Any] | None:
    """An address is sent the links of what was paid for, unless it is long past; or no mail at all.

    The newest of them decides whom the mail is for, and its language.
    """
    visits = visit_links.asked_for(session, request_id)
    if not visits:
        return None
    return {
        "practice": session.scalars(select(Practice)).one(),
        "booking": visits[-1],
        "patient": visits[-1].patient,
        "visits": visits,
    }


def _link_sent(session: Session, sent_id: UUID) -> dict[str, Any]:
    """A link is sent as it is by now: one that was replaced meanwhile opens nothing."""
    return _visit(session, session.get_one(AuditRow, sent_id).subject_id)


def _cancelled(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    if facts["booking"].status is not BookingStatus.CANCELLED:
        return None
    if facts["payment"] is None:
        return facts
    refund = session.scalar(
        select(Refund)
        .where(Refund.payment_id == facts["payment"].id)
        .order_by(Refund.requested_at.desc())
        .limit(1)
    )
    return {**facts, "refund": refund}


def _reminded(session: Session, reminder_id: UUID) -> dict[str, Any] | None:
    """A reminder is of a visit still to come, at the time it has now; the later of two is enough.

    `days_ahead` counts midnights at the practice: 24 hours before half past eleven at night is the
    same day when the clocks go back.
    """
    reminder = session.get_one(Reminder, reminder_id)
    facts = _visit(session, reminder.booking_id)
    booking: Booking = facts["booking"]
    practice: Practice = facts["practice"]
    if booking.status is not BookingStatus.CONFIRMED or booking.moves != reminder.moves:
        return None
    now = utc_now()
    is_first = reminder.topic is Topic.VISIT_REMINDER
    if now >= booking.starts_at - is_first * timedelta(hours=practice.last_reminder_hours):
        return None
    until = booking.starts_at - timedelta(hours=practice.cutoff_hours)
    days = local_day(booking.starts_at, practice.zone) - local_day(now, practice.zone)
    return {**facts, "days_ahead": days.days, "free_until": until if now < until else None}


def _missed(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    """Nobody came, and has not booked again since. `money` is kept, returned, or unclear.

    A member is told whatever else is booked: the visit was one of the plan's.
    """
    facts = _visit(session, booking_id)
    booking: Booking = facts["booking"]
    if booking.status is not BookingStatus.NO_SHOW:
        return None
    if booking.kind is BookingKind.FOLLOW_UP:
        return facts
    others = select(Booking.id).where(
        Booking.patient_id == booking.patient_id, Booking.status.in_(VISITING)
    )
    if session.scalar(others.limit(1)) is not None:
        return None
    payment = locked(session, Payment, facts["payment"].id)
    decided = (Refund.reason != RefundReason.GOODWILL) | Refund.approved_at.is_not(None)
    is_touched = select(
        exists().where(Refund.payment_id == payment.id, decided)
        | exists().where(Dispute.payment_id == payment.id)
    )
    money = "unclear" if session.scalar(is_touched) else "kept"
    return {
        **facts,
        "money": money if refund_rows.left_of(session, payment) else "returned",
    }


def _slot_lost(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    facts = _visit(session, booking_id)
    return facts if facts["booking"].choose_until is not None else None


def _offered(session: Session, offer_id: UUID) -> dict[str, Any] | None:
    """A time is told of while it is kept, to a newcomer while they wait.

    `is_near`: after moving there it is too late to cancel for a refund.
    """
    offer = session.get_one(WaitlistOffer, offer_id, populate_existing=True)
    entry = session.get_one(WaitlistEntry, offer.entry_id, populate_existing=True)
    opening = session.scalars(
        select(Booking)
        .where(Booking.id == offer.hold_id)
        .options(joinedload(Booking.practitioner))
        .execution_options(populate_existing=True)
    ).one()
    now, until = utc_now(), opening.hold_expires_at
    if offer.ended_at is not None or until is None or now >= until:
        return None
    if entry.booking_id is None:
        return newcomers.told(session, entry, opening)
    facts = _visit(session, entry.booking_id)
    if facts["booking"].status is not BookingStatus.CONFIRMED:
        return None
    cutoff = timedelta(hours=facts["practice"].cutoff_hours)
    return {**facts, "opening": opening, "is_near": opening.starts_at - cutoff <= now}


def _to_sign(session: Session, booking_id: UUID) -> dict[str, Any] | None:
    """The link to sign with is sent while it opens a form, and nothing is signed yet."""
    facts = _visit(session, booking_id)
    is_signed = session.scalar(current_signature(booking_id)) is not None
    return facts if agreements.is_open(session, facts["booking"]) and not is_signed else None


def _agreed(session: Session, signature_id: UUID) -> dict[str, Any]:
    """A copy of what was signed is of that text, in the language it was read in."""
    signature = session.scalars(
        select(AgreementSignature)
        .where(AgreementSignature.id == signature_id)
        .options(joinedload(AgreementSignature.plan), joinedload(AgreementSignature.version))
    ).one()
    return {
        **_visit(session, signature.booking_id),
        "signature": signature,
        "agreement": signature.version.read_in(signature.language),
    }


def _started(session: Session, membership_id: UUID) -> dict[str, Any]:
    membership = _membership(session, membership_id)
    return {**_visit(session, membership.booking_id), "membership": membership, "refund": None}


def _payment_failed(session: Session, noted_id: UUID) -> dict[str, Any] | None:
    """A failed month is told of while it is unpaid, unless a later one failed, too."""
    noted = session.get_one(AuditRow, noted_id)
    facts = _by_card(session, noted.subject_id)
    if facts is None:
        return None
    membership: Membership = facts["membership"]
    is_newest = membership.failed_invoice_id == noted.after["invoice"]
    return facts if is_newest and membership.status is MembershipStatus.PAST_DUE else None


def _card_link(session: Session, sent_id: UUID) -> dict[str, Any] | None:
    return _by_card(session, session.get_one(AuditRow, sent_id).subject_id)


def _by_card(session: Session, membership_id: UUID) -> dict[str, Any] | None:
    """A membership is told of its card while it runs, and has one."""
    membership = _membership(session, membership_id)
    if not membership.is_running or membership.stripe_subscription_id is None:
        return None
    return {**_visit(session, membership.booking_id), "membership": membership}


def _refund_sent(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    facts = _refund(session, refund_id)
    on_its_way = facts["refund"].status in (
        RefundStatus.PENDING,
        RefundStatus.SUCCEEDED,
        RefundStatus.EXTERNAL,
    )
    return facts if on_its_way else None


def _refund_failed(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    facts = _refund(session, refund_id)
    failed = facts["refund"].status in (RefundStatus.FAILED, RefundStatus.CANCELED)
    return facts if failed else None


def _refund_settled_otherwise(session: Session, refund_id: UUID) -> dict[str, Any] | None:
    settlement = session.scalar(
        select(Settlement).where(
            Settlement.refund_id == refund_id, Settlement.approved_at.is_not(None)
        )
    )
    if settlement is None:
        return None
    return {**_refund(session, refund_id), "settlement": settlement}


def _refund(session: Session, refund_id: UUID) -> dict[str, Any]:
    refund = session.scalars(
        select(Refund).where(Refund.id == refund_id).options(joinedload(Refund.payment))
    ).one()
    membership = None
    if refund.reason is RefundReason.MEMBERSHIP:
        membership_id = session.scalars(
            select(Membership.id)
            .where(
                Membership.booking_id == refund.payment.booking_id,
                Membership.active_at.is_not(None),
            )
            .limit(1)
        ).one()
        membership = _membership(session, membership_id)
    facts = _visit(session, refund.payment.booking_id)
    return {**facts, "refund": refund, "membership": membership}


def _membership(session: Session, membership_id: UUID) -> Membership:
    return session.scalars(
        select(Membership)
        .where(Membership.id == membership_id)
        .options(joinedload(Membership.plan))
        .execution_options(populate_existing=True)
    ).one()


# What each mail is about; None when it would not be true at this moment.
_FACTS: Final[Mapping[Topic, Callable[[Session, UUID], dict[str, Any] | None]]] = {
    Topic.BOOKING_CONFIRMED: _confirmed,
    Topic.BOOKING_MOVED: _moved,
    Topic.BOOKING_CANCELLED: _cancelled,
    Topic.SLOT_LOST: _slot_lost,
    Topic.TIME_OFFERED: _offered,
    Topic.VISIT_REMINDER: _reminded,
    Topic.VISIT_SOON: _reminded,
    Topic.VISIT_MISSED: _missed,
    Topic.VISITS_ASKED: _visits_asked,
    Topic.LINK_SENT: _link_sent,
    Topic.AGREEMENT_TO_SIGN: _to_sign,
    Topic.AGREEMENT_SIGNED: _agreed,
    Topic.MEMBERSHIP_STARTED: _started,
    Topic.PAYMENT_FAILED: _payment_failed,
    Topic.CARD_LINK_SENT: _card_link,
    Topic.REFUND_SENT: _refund_sent,
    Topic.REFUND_FAILED: _refund_failed,
    Topic.REFUND_SETTLED_OTHERWISE: _refund_settled_otherwise,
}
