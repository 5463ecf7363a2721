"""The first payment of a membership: taken by a worker, once; then the promise follows."""

import logging
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import GatewayBusy, GatewayLockedOut, GatewayRefused, GatewayUnavailable
from booking_service.gateways.payments import PaymentGateway, Subscription, SubscriptionOrder
from booking_service.models import (
    Attempt,
    Booking,
    ChargeStatus,
    EntryKind,
    Membership,
    MembershipStatus,
    Payment,
    Plan,
    RefundReason,
    Tender,
    Topic,
)
from booking_service.services import attempts, ledger, memberships, outbox, promises, refunds
from booking_service.services.ledger import Movement
from booking_service.services.outbox import Patience

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a worker needs to know to take a first payment, read in one transaction."""

    membership_id: UUID
    attempt_id: UUID
    plan_id: UUID
    amount_cents: int
    currency: str
    price_id: str | None
    customer_id: str
    payment_method_id: str
    idempotency_key: str
    key_is_fresh: bool


def start(membership_id: UUID, gateway: PaymentGateway, patience: Patience) -> None:
    """Take the first payment of a membership whose time to undo is over.

    Safe to run twice, at once or after a crash: the attempt's key was committed first.

    Raises:
        GatewayUnavailable: there is no answer yet; run it again later.
    """
    charge = _begin(membership_id, patience)
    if charge is None:
        return
    try:
        if charge.price_id is None:
            charge = _with_price(charge, gateway)
        made = _subscribe(charge, gateway)
    except (GatewayBusy, GatewayLockedOut):
        raise  # Stripe did not do it: the same key again, later
    except GatewayUnavailable:
        made = _look_for(charge, gateway, patience)
    except GatewayRefused as refusal:
        _decline(charge, refusal)
        return
    with transaction() as session:
        activate(session, membership_id, made)


def activate(session: Session, membership_id: UUID, made: Subscription | None) -> None:
    """Make a membership active, once, and keep the promise if both proofs are there.

    Args:
        session: the caller's transaction.
        membership_id: the membership whose first payment has settled.
        made: the membership at Stripe; None when the payment was recorded at the desk.
    """
    membership = memberships.with_patient(session, membership_id)
    if membership.status is not MembershipStatus.PENDING:
        return
    membership.stripe_subscription_id = made.id if made else None
    membership.charge_status = ChargeStatus.PAID
    membership.active_at = utc_now()
    membership.move_to(MembershipStatus.ACTIVE)
    attempts.end(session, membership.id, "paid")
    session.flush()
    _book(session, membership, made)
    locked(session, Booking, membership.booking_id)
    owed = promises.prove_member(session, membership)
    if owed is None:
        outbox.post(session, Topic.MEMBERSHIP_STARTED, membership.id)
    else:
        refunds.request(session, owed, RefundReason.MEMBERSHIP, membership.decided_by)


def _begin(membership_id: UUID, patience: Patience) -> _Charge | None:
    """Commit what is about to be asked of Stripe; None when there is nothing to ask."""
    now = utc_now()
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        if (
            membership.status is not MembershipStatus.PENDING
            or membership.charge_status is ChargeStatus.DECLINED
            or membership.undo_until > now
        ):
            return None
        if membership.tender is Tender.RECORDED:
            activate(session, membership_id, None)
            return None
        membership.charge_status = ChargeStatus.CHARGING
        attempt = attempts.current(session, "membership", membership.id)
        plan = session.get_one(Plan, membership.plan_id)
        payment = session.scalars(
            select(Payment).where(Payment.booking_id == membership.booking_id)
        ).one()
        return _Charge(
            membership_id=membership.id,
            attempt_id=attempt.id,
            plan_id=plan.id,
            amount_cents=plan.price_cents,
            currency=payment.currency,
            price_id=plan.stripe_price_id,
            customer_id=payment.stripe_customer_id or "",
            payment_method_id=payment.stripe_payment_method_id or "",
            idempotency_key=attempt.idempotency_key,
            key_is_fresh=attempt.started_at > now - patience.key_max_age,
        )


def _with_price(charge: _Charge, gateway: PaymentGateway) -> _Charge:
    """Make the plan's price at Stripe, the first time somebody joins it."""
    price_id = gateway.create_price(charge.plan_id, charge.amount_cents, charge.currency)
    with transaction() as session:
        plan = locked(session, Plan, charge.plan_id)
        plan.stripe_price_id = plan.stripe_price_id or price_id
        return replace(charge, price_id=plan.stripe_price_id)


def _subscribe(charge: _Charge, gateway: PaymentGateway) -> Subscription:
    if not charge.key_is_fresh:
        # Stripe forgets keys after a day: the same key would be a second membership.
        raise GatewayUnavailable("The key is too old to be used again.")
    return gateway.subscribe(
        SubscriptionOrder(
            membership_id=charge.membership_id,
            price_id=charge.price_id or "",
            customer_id=charge.customer_id,
            payment_method_id=charge.payment_method_id,
            idempotency_key=charge.idempotency_key,
        )
    )


def _look_for(charge: _Charge, gateway: PaymentGateway, patience: Patience) -> Subscription:
    """Find out what became of a request that was not answered.

    Raises:
        GatewayUnavailable: it is not there (yet); nobody knows, so nothing is decided.
    """
    with transaction() as session:
        membership = memberships.with_patient(session, charge.membership_id)
        if membership.charge_status is ChargeStatus.CHARGING:
            membership.charge_status = ChargeStatus.UNKNOWN
    found = gateway.find_subscription(charge.customer_id, charge.membership_id)
    if found is not None and found.is_active:
        return found
    with transaction() as session:
        attempts.not_found(session, charge.attempt_id, patience.lease)
    raise GatewayUnavailable("Stripe has not shown the membership yet.")


def _decline(charge: _Charge, refusal: GatewayRefused) -> None:
    """Write down that the card was refused: nobody is charged, and nothing goes back."""
    code = refusal.decline_code or refusal.reason
    log.warning(
        "first payment declined",
        extra={"membership_id": charge.membership_id, "code": code},
    )
    with transaction() as session:
        membership = memberships.with_patient(session, charge.membership_id)
        attempt = session.get_one(Attempt, charge.attempt_id)
        if membership.status is not MembershipStatus.PENDING or attempt.ended_at is not None:
            return  # a worker that slept through its lease: the answer is an old one
        membership.charge_status = ChargeStatus.DECLINED
        membership.decline_code = code
        attempts.end(session, membership.id, code)


def _book(session: Session, membership: Membership, made: Subscription | None) -> None:
    paid_cents = made.paid_cents if made else membership.amount_cents
    if paid_cents:
        ledger.record_membership_payment(session, membership, paid_cents)
    if made and made.fee_cents:
        fee = Movement(EntryKind.MEMBERSHIP_FEE, membership.id, made.id)
        ledger.record_fee(session, fee, made.fee_cents)
