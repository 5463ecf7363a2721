"""Makers of money in trouble: people of finance, and cases about refunds, payments and work."""

from uuid import UUID, uuid4

from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.models import (
    Actor,
    ActorKind,
    Case,
    CaseAction,
    CaseType,
    OutboxMessage,
    PaymentTender,
    Refund,
    RefundReason,
    RefundStatus,
    Role,
    Settlement,
    SettlementMethod,
    StaffMember,
    Topic,
)
from booking_service.models import Payment as _Payment
from booking_service.services import cases, outbox, resolutions
from booking_service.services.resolutions import Facts
from tests.factories import change

ANA = Actor(ActorKind.STAFF, uuid4(), "Ana Ruiz")
BEN = Actor(ActorKind.STAFF, uuid4(), "Ben Okafor")
BY_CHECK = Facts(method=SettlementMethod.CHECK, reference="1042")
BY_CASH = Facts(method=SettlementMethod.CASH, reference="R-0417")
NOTED = Facts(note="Looked at with the bank")


def hired(name: str, role: Role = Role.FINANCE, **facts) -> StaffMember:
    with transaction() as session:
        member = StaffMember(
            email=f"{uuid4().hex}@example.com", name=name, role=role, created_at=utc_now(), **facts
        )
        session.add(member)
    return member


def opened(type_: CaseType, subject_id: UUID | None = None, detail="code", cents=3900) -> UUID:
    subject_id = subject_id or uuid4()
    with transaction() as session:
        cases.open_(session, type_, subject_id, detail, cents)
    return case_of(subject_id).id


def failed(visit, code="expired_or_canceled_card", **facts) -> UUID:
    """A refund that Stripe could not make; return its case."""
    refund = decided(visit, status=RefundStatus.FAILED, failure_code=code, **facts)
    return opened(CaseType.REFUND_FAILED, refund.id, code, refund.amount_cents)


def desk_payout(visit, cents=3900) -> UUID:
    """A refund of a visit that was paid in cash; return its case."""
    change(_Payment, visit.payment.id, tender=PaymentTender.CASH, reference="R-0416")
    refund = decided(visit, status=RefundStatus.BLOCKED, amount_cents=cents)
    return opened(CaseType.DESK_PAYOUT, refund.id, "cash", cents)


def decided(visit, **facts) -> Refund:
    with transaction() as session:
        refund = Refund(
            **{
                "payment_id": visit.payment.id,
                "reason": RefundReason.CANCELLATION,
                "amount_cents": 3900,
                "requested_at": utc_now(),
                "requested_by": "First Visit",
                **facts,
            }
        )
        session.add(refund)
    return refund


def stuck(topic=Topic.REFUND_REQUESTED, subject_id: UUID | None = None) -> UUID:
    """Work that was tried too often; return its case."""
    subject_id = subject_id or uuid4()
    with transaction() as session:
        outbox.post(session, topic, subject_id)
    with transaction() as session:
        about = select(OutboxMessage).where(OutboxMessage.subject_id == subject_id)
        message = session.scalars(about).one()
        message.needs_review_at, message.attempts = utc_now(), 23
        message.last_error = "KeyError"
        cases.open_(session, CaseType.WORK_STUCK, message.id, message.topic)
    return case_of(message.id).id


def do(case_id: UUID, action: CaseAction, actor: Actor = ANA, facts: Facts | None = None) -> None:
    resolutions.resolve_by(case_id, action, actor, facts or Facts())


def case_of(subject_id: UUID) -> Case:
    db.session.rollback()
    return db.session.scalars(
        select(Case).where(Case.subject_id == subject_id).order_by(Case.opened_at.desc()).limit(1)
    ).one()


def case(case_id: UUID) -> Case:
    db.session.rollback()
    return db.session.get_one(Case, case_id)


def refund_of(case_id: UUID) -> Refund:
    return db.session.get_one(Refund, case(case_id).subject_id)


def settlements() -> list[Settlement]:
    db.session.rollback()
    return list(db.session.scalars(select(Settlement).order_by(Settlement.recorded_at)))
