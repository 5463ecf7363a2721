"""The first payment of a membership: taken by a worker, once; then the promise follows."""

import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import GatewayBusy, GatewayLockedOut, GatewayRefused, GatewayUnavailable
from booking_service.gateways.memberships import Subscription
from booking_service.gateways.payments import PaymentGateway, SubscriptionOrder
from booking_service.models import (
    Attempt,
    Booking,
    CaseType,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Payment,
    Plan,
    RefundReason,
    Tender,
    Topic,
)
from booking_service.services import (
    attempts,
    cases,
    ledger,
    membership_facts,
    membership_money,
    memberships,
    outbox,
    promises,
    refunds,
)
from booking_service.services.outbox import Patience

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a worker needs to know to take a first payment, read in one transaction."""

    membership_id: UUID
    attempt_id: UUID
    plan_id: UUID
    currency: str
    customer_id: str
    payment_method_id: str
    idempotency_key: str
    is_first_try: bool


def start(membership_id: UUID, gateway: PaymentGateway, patience: Patience) -> None:
    """Take the first payment of a membership whose time to undo is over.

    Safe to run twice, at once or after a crash: the attempt's key was committed first.

    Raises:
        GatewayUnavailable: there is no answer yet; run it again later.
    """
    charge = _begin(membership_id)
    if charge is None:
        return
    try:
        made = _made_before(charge, gateway) or _subscribe(charge, gateway, patience)
    except (GatewayBusy, GatewayLockedOut):
        raise  # Stripe did not do it: the same key again, later
    except GatewayUnavailable:
        made = _look_for(charge, gateway, patience)
    except GatewayRefused as refusal:
        _decline(charge, refusal)
        return
    with transaction() as session:
        for subscription in made:
            activate(session, membership_id, subscription)


def activate(session: Session, membership_id: UUID, made: Subscription | None) -> None:
    """Make a membership active, once, and keep the promise if both proofs are there.

    Hearing of the same membership again books what is new of its money. A second one at Stripe
    for the same decision is never adopted: a person must look.

    Args:
        session: the caller's transaction.
        membership_id: the membership whose first payment has settled.
        made: the membership at Stripe; None when the payment was recorded at the desk.
    """
    membership = memberships.with_patient(session, membership_id)
    is_ours = made is None or membership.tender is not Tender.RECORDED
    if membership.status is not MembershipStatus.PENDING or not is_ours:
        if made is not None:
            _hear_again(session, membership, made)
        return
    membership.stripe_subscription_id = made.id if made else None
    membership.charge_status = ChargeStatus.PAID
    membership.active_at = utc_now()
    membership_facts.begin(membership, made)
    memberships.move(session, membership, MembershipStatus.ACTIVE)
    attempts.end(session, membership.id, "paid")
    session.flush()
    if made is None:
        ledger.record_membership_payment(session, membership, membership.amount_cents)
    else:
        membership_money.book(session, membership, made)
    locked(session, Booking, membership.booking_id)
    owed = promises.prove_member(session, membership)
    if owed is None:
        outbox.post(session, Topic.MEMBERSHIP_STARTED, membership.id)
    else:
        refunds.request(session, owed, RefundReason.MEMBERSHIP, membership.decided_by)


def price_at_stripe(plan_id: UUID, currency: str, gateway: PaymentGateway) -> str:
    """Return the id of a plan's price, made the first time somebody joins it."""
    with transaction() as session:
        plan = session.get_one(Plan, plan_id)
        known, amount_cents = plan.stripe_price_id, plan.price_cents
    if known is not None:
        return known
    price_id = gateway.create_price(plan_id, amount_cents, currency)
    with transaction() as session:
        plan = locked(session, Plan, plan_id)
        plan.stripe_price_id = plan.stripe_price_id or price_id
        return plan.stripe_price_id


def _hear_again(session: Session, membership: Membership, made: Subscription) -> None:
    """Take in the money of a membership that was decided, or of one too many."""
    if membership.stripe_subscription_id == made.id:
        membership_money.book(session, membership, made)
        return
    membership_money.book_unmatched(session, membership, made)
    if made.has_settled and not made.is_over:
        is_over = membership.status in (MembershipStatus.UNDONE, MembershipStatus.ENDED)
        why = CaseType.PAYMENT_UNKNOWN if is_over else CaseType.MEMBERSHIP_TWICE
        cents = sum(payment.amount_cents for payment in made.payments)
        cases.open_(session, why, membership.id, made.id, cents)


def _begin(membership_id: UUID) -> _Charge | None:
    """Commit what is about to be asked of Stripe; None when there is nothing to ask."""
    now = utc_now()
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        if (
            membership.status is not MembershipStatus.PENDING
            or membership.charge_status is ChargeStatus.DECLINED
            or membership.undo_until > now
            or membership.tender is Tender.CHECKOUT_LINK  # the patient pays it, on Stripe's page
        ):
            return None
        if membership.tender is Tender.RECORDED:
            activate(session, membership_id, None)
            return None
        membership.charge_status = ChargeStatus.CHARGING
        attempt = attempts.current(session, "membership", membership.id)
        payment = session.scalars(
            select(Payment).where(Payment.booking_id == membership.booking_id)
        ).one()
        return _Charge(
            membership_id=membership.id,
            attempt_id=attempt.id,
            plan_id=membership.plan_id,
            currency=payment.currency,
            customer_id=payment.stripe_customer_id or "",
            payment_method_id=payment.stripe_payment_method_id or "",
            idempotency_key=attempt.idempotency_key,
            is_first_try=attempt.number == 1,
        )


def _made_before(charge: _Charge, gateway: PaymentGateway) -> list[Subscription]:
    """Return what an earlier try made after all, though it was given up."""
    return [] if charge.is_first_try else _settled(charge, gateway)


def _subscribe(charge: _Charge, gateway: PaymentGateway, patience: Patience) -> list[Subscription]:
    price_id = price_at_stripe(charge.plan_id, charge.currency, gateway)
    order = SubscriptionOrder(
        membership_id=charge.membership_id,
        price_id=price_id,
        customer_id=charge.customer_id,
        payment_method_id=charge.payment_method_id,
        idempotency_key=charge.idempotency_key,
    )
    _refuse_unless_open(charge, patience)
    return [gateway.subscribe(order)]


def _refuse_unless_open(charge: _Charge, patience: Patience) -> None:
    """Ask right before Stripe is asked whether the attempt is still open.

    A worker that slept while its attempt was given up would send a key that nobody waits for:
    a second membership. It looks instead for what became of the first.

    Raises:
        GatewayUnavailable: it is not; or its key is so old that Stripe forgets it.
    """
    with transaction() as session:
        attempt = session.get_one(Attempt, charge.attempt_id)
        if attempt.ended_at is not None:
            raise GatewayUnavailable("This attempt was given up meanwhile.")
        if attempt.started_at <= utc_now() - patience.key_max_age:
            # Stripe forgets keys after a day: the same key would be a second membership.
            raise GatewayUnavailable("The key is too old to be used again.")


def _look_for(charge: _Charge, gateway: PaymentGateway, patience: Patience) -> list[Subscription]:
    """Find out what became of a request that was not answered.

    Raises:
        GatewayUnavailable: it is not there (yet); nobody knows, so nothing is decided.
    """
    with transaction() as session:
        membership = memberships.with_patient(session, charge.membership_id)
        if membership.charge_status is ChargeStatus.CHARGING:
            membership.charge_status = ChargeStatus.UNKNOWN
    if found := _settled(charge, gateway):
        return found
    with transaction() as session:
        attempts.not_found(session, charge.attempt_id, patience.lease)
    raise GatewayUnavailable("Stripe has not shown the membership yet.")


def _settled(charge: _Charge, gateway: PaymentGateway) -> list[Subscription]:
    """Return what Stripe has for this decision: those still running first, then the oldest."""
    made = gateway.subscriptions_of(charge.customer_id, charge.membership_id)
    return sorted((one for one in made if one.has_settled), key=lambda one: one.is_over)


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
