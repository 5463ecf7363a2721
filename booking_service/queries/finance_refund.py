"""One refund, told from the terms the patient accepted to the last answer of the bank."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.db import db
from booking_service.errors import NotFound
from booking_service.models import (
    Account,
    ActorKind,
    Attempt,
    AuditRow,
    Booking,
    Case,
    CaseStatus,
    CaseType,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    MembershipStatus,
    Notification,
    NotificationStatus,
    Offer,
    Patient,
    Payment,
    Promise,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
    Settlement,
    StaffMember,
    TermsAcceptance,
)
from booking_service.queries.agreements import Signed, of_membership


class What(StrEnum):
    """What happened at one moment of a refund's story."""

    TERMS_ACCEPTED = "terms_accepted"
    PAID = "paid"
    ARRIVED = "arrived"
    TREATMENT_BEGAN = "treatment_began"
    AGREEMENT_SIGNED = "agreement_signed"
    DECIDED = "decided"  # the desk started the membership
    BECAME_MEMBER = "became_member"  # its first payment settled
    REQUESTED = "requested"
    APPROVED = "approved"  # goodwill, by another person
    SETTLEMENT_RECORDED = "settlement_recorded"  # paid outside Stripe
    SETTLEMENT_APPROVED = "settlement_approved"
    SETTLEMENT_WITHDRAWN = "settlement_withdrawn"
    SENT = "sent"
    ANSWERED = "answered"  # to one attempt
    ACCEPTED = "accepted"  # the refund succeeded
    FAILED = "failed"  # now, or after it had succeeded
    MAILED = "mailed"
    CASE_OPENED = "case_opened"
    CASE_RESOLVED = "case_resolved"


_OUTCOMES: Final = {
    RefundStatus.SUCCEEDED: What.ACCEPTED,
    RefundStatus.FAILED: What.FAILED,
    RefundStatus.CANCELED: What.FAILED,
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of the story: when, what, by whom, and the evidence."""

    at: datetime
    what: What
    actor: str | None = None
    evidence: Sequence[str] = ()  # ids and codes, never contact data


@dataclass(frozen=True, slots=True)
class Journal:
    """One ledger line of this payment or refund; one of the two amounts is zero."""

    at: datetime
    kind: EntryKind
    account: Account
    debit_cents: int
    credit_cents: int


@dataclass(frozen=True, slots=True)
class RefundView:
    """A refund with its proof. Money in US cents."""

    id: UUID
    reason: RefundReason
    status: RefundStatus
    amount_cents: int
    requested_at: datetime
    requested_by: str
    note: str | None  # why, when it was asked for as goodwill
    approved_by: str | None
    approved_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    failure_code: str | None
    trace_number: str | None
    stripe_refund_id: str | None
    payment_id: UUID
    stripe_payment_intent_id: str | None
    card: str
    paid_cents: int
    fee_cents: int | None  # kept by Stripe; not returned with a refund
    disputed_at: datetime | None
    booking_id: UUID
    code: str
    patient: str
    promise_status: PromiseStatus | None
    terms_version: int | None
    terms_accepted_at: datetime | None
    arrived_at: datetime | None
    treatment_began_at: datetime | None  # the second proof
    member_at: datetime | None  # the first proof
    membership_id: UUID | None
    open_cases: Sequence[tuple[UUID, CaseType]]
    timeline: Sequence[Moment]  # newest first
    journal: Sequence[Journal]


@dataclass(frozen=True, slots=True)
class _Story:
    """The rows a refund's story is told from."""

    refund: Refund
    payment: Payment
    booking: Booking
    patient: Patient | None
    terms: TermsAcceptance | None
    terms_version: int | None
    promise: Promise | None
    membership: Membership | None
    signed: Signed | None  # the agreement that the membership stands on


def refund(refund_id: UUID) -> RefundView:
    """Return one refund with its timeline and proofs.

    Raises:
        NotFound: there is no such refund.
    """
    row = db.session.get(Refund, refund_id)
    if row is None:
        raise NotFound("There is no such refund.")
    return _view(_story(row))


def _view(story: _Story) -> RefundView:
    row, payment, booking, promise = story.refund, story.payment, story.booking, story.promise
    return RefundView(
        id=row.id,
        reason=row.reason,
        status=row.status,
        amount_cents=row.amount_cents,
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        note=row.note,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        sent_at=row.sent_at,
        answered_at=row.answered_at,
        failure_code=row.failure_code,
        trace_number=row.trace_number,
        stripe_refund_id=row.stripe_refund_id,
        payment_id=payment.id,
        stripe_payment_intent_id=payment.stripe_payment_intent_id,
        card=payment.card,
        paid_cents=payment.amount_cents,
        fee_cents=payment.fee_cents,
        disputed_at=payment.disputed_at,
        booking_id=booking.id,
        code=booking.code,
        patient=story.patient.name if story.patient else "",
        promise_status=promise.status if promise else None,
        terms_version=story.terms_version,
        terms_accepted_at=story.terms.accepted_at if story.terms else None,
        arrived_at=booking.arrived_at,
        treatment_began_at=promise.treatment_began_at if promise else None,
        member_at=promise.member_at if promise else None,
        membership_id=story.membership.id if story.membership else None,
        open_cases=_open_cases(row),
        timeline=sorted(_timeline(story), key=lambda moment: moment.at)[::-1],
        journal=_journal(story),
    )


def _story(row: Refund) -> _Story:
    payment = db.session.get_one(Payment, row.payment_id)
    booking = db.session.get_one(Booking, payment.booking_id)
    patient = db.session.get(Patient, booking.patient_id) if booking.patient_id else None
    terms = db.session.scalar(
        select(TermsAcceptance).where(TermsAcceptance.booking_id == booking.id)
    )
    version = (
        db.session.scalar(select(Offer.version).where(Offer.id == terms.offer_id))
        if terms
        else None
    )
    promise = db.session.scalar(select(Promise).where(Promise.booking_id == booking.id))
    membership = db.session.scalar(
        select(Membership)
        .where(Membership.booking_id == booking.id, Membership.status != MembershipStatus.UNDONE)
        .order_by(Membership.decided_at.desc())
        .limit(1)
    )
    agreement = of_membership(membership) if membership else None
    return _Story(row, payment, booking, patient, terms, version, promise, membership, agreement)


def _timeline(story: _Story) -> Iterator[Moment]:
    payment, booking, row = story.payment, story.booking, story.refund
    done_by = _who(booking.id)
    if story.terms:
        version = f"terms v{story.terms_version}"
        evidence = (version, story.terms.terms_hash[:12], story.terms.address)
        yield Moment(story.terms.accepted_at, What.TERMS_ACCEPTED, None, evidence)
    if payment.paid_at:
        charge = payment.stripe_payment_intent_id or ""
        yield Moment(payment.paid_at, What.PAID, None, (payment.card, charge))
    if booking.arrived_at:
        yield Moment(booking.arrived_at, What.ARRIVED, done_by.get("booking.arrived"))
    if booking.treatment_began_at:
        actor = done_by.get("booking.in_treatment")
        yield Moment(booking.treatment_began_at, What.TREATMENT_BEGAN, actor)
    if agreement := story.signed:
        version = f"agreement v{agreement.version}"
        signed = (version, agreement.text_hash[:12], agreement.plan, agreement.address or "")
        yield Moment(agreement.signed_at, What.AGREEMENT_SIGNED, agreement.seen_by, signed)
    if member := story.membership:
        yield Moment(member.decided_at, What.DECIDED, member.decided_by)
        if member.active_at:
            settled = member.stripe_subscription_id or member.reference or ""
            yield Moment(member.active_at, What.BECAME_MEMBER, None, (settled,))
    yield Moment(row.requested_at, What.REQUESTED, row.requested_by, (str(row.id),))
    if row.approved_at:
        yield Moment(row.approved_at, What.APPROVED, row.approved_by)
    yield from _at_stripe(row)
    yield from _outside_stripe(row)
    yield from _mails(story)
    yield from _cases(row)


def _who(booking_id: UUID) -> dict[str, str]:
    """Return who of the staff did what to a booking, by the audit log's action."""
    rows = db.session.execute(
        select(AuditRow.action, StaffMember.name)
        .join(StaffMember, StaffMember.id == AuditRow.actor_id)
        .where(AuditRow.subject_id == booking_id, AuditRow.actor_kind == ActorKind.STAFF)
        .order_by(AuditRow.at)  # a step may have been taken back, and be another's now
    )
    return dict(rows.all())


def _at_stripe(row: Refund) -> Iterator[Moment]:
    attempts = db.session.scalars(
        select(Attempt).where(Attempt.subject_id == row.id).order_by(Attempt.number)
    )
    for attempt in attempts:
        key = (f"attempt {attempt.number}", attempt.idempotency_key)
        yield Moment(attempt.started_at, What.SENT, None, key)
        if attempt.ended_at:
            outcome = attempt.outcome or "answered"
            yield Moment(attempt.ended_at, What.ANSWERED, None, (outcome,))
    if row.answered_at and row.stripe_refund_id:
        codes = [row.status.value, row.stripe_refund_id, row.failure_code, row.trace_number]
        outcome = _OUTCOMES.get(row.status, What.ANSWERED)
        yield Moment(row.answered_at, outcome, None, [code for code in codes if code])


def _outside_stripe(row: Refund) -> Iterator[Moment]:
    for paid in db.session.scalars(select(Settlement).where(Settlement.refund_id == row.id)):
        evidence = (paid.method.value, paid.reference)
        yield Moment(paid.recorded_at, What.SETTLEMENT_RECORDED, paid.recorded_by, evidence)
        if paid.approved_at:
            yield Moment(paid.approved_at, What.SETTLEMENT_APPROVED, paid.approved_by, evidence)
        if paid.withdrawn_at:
            yield Moment(paid.withdrawn_at, What.SETTLEMENT_WITHDRAWN, None, evidence)


def _mails(story: _Story) -> Iterator[Moment]:
    subjects = [story.refund.id, *([story.membership.id] if story.membership else [])]
    mails = db.session.scalars(
        select(Notification).where(
            Notification.subject_id.in_(subjects),
            Notification.status == NotificationStatus.SENT,
        )
    )
    for mail in mails:
        if mail.sent_at:
            yield Moment(mail.sent_at, What.MAILED, None, (mail.topic.value,))


def _cases(row: Refund) -> Iterator[Moment]:
    for case in db.session.scalars(select(Case).where(Case.subject_id == row.id)):
        yield Moment(case.opened_at, What.CASE_OPENED, None, (case.type.value, case.detail))
        if case.resolved_at:
            done = (case.type.value, case.resolution or "")
            yield Moment(case.resolved_at, What.CASE_RESOLVED, case.resolved_by, done)


def _open_cases(row: Refund) -> list[tuple[UUID, CaseType]]:
    found = db.session.scalars(
        select(Case).where(Case.subject_id == row.id, Case.status == CaseStatus.OPEN)
    )
    return [(case.id, case.type) for case in found]


def _journal(story: _Story) -> list[Journal]:
    subjects = [story.refund.id, story.payment.id]
    rows = db.session.execute(
        select(JournalEntry, JournalLine)
        .join(JournalLine, JournalLine.entry_id == JournalEntry.id)
        .where(JournalEntry.subject_id.in_(subjects))
        .order_by(JournalEntry.at, JournalEntry.id, JournalLine.amount_cents.desc())
    )
    return [
        Journal(
            at=entry.at,
            kind=entry.kind,
            account=line.account,
            debit_cents=max(line.amount_cents, 0),
            credit_cents=max(-line.amount_cents, 0),
        )
        for entry, line in rows
    ]
