"""Decisions about memberships, told to Stripe: looked up first, asked by key, then confirmed."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import locked, transaction
from booking_service.errors import GatewayRefused
from booking_service.gateways.memberships import ChangeOrder, Terms
from booking_service.gateways.payments import PaymentGateway
from booking_service.models import ChangeKind, Membership, MembershipChange, Payment
from booking_service.services import first_payments, membership_news, memberships

log: Final = logging.getLogger(__name__)

_CANCELS: Final = (ChangeKind.CANCEL, ChangeKind.CANCEL_NOW)


def execute(change_id: UUID, gateway: PaymentGateway) -> None:
    """Tell Stripe of one decision, and confirm it, or write down that Stripe refuses.

    Safe to repeat after a lost answer or a crash: it is looked first whether it is done, and the
    decision's id is the key, so that a request that comes late does nothing a second time.

    Raises:
        GatewayUnavailable: there is no answer yet; run it again later.
    """
    asked = _asked(change_id)
    if asked is None:
        return
    looked_up_at = utc_now()
    try:
        found = gateway.find_subscription(asked.subscription_id)
        if found.terms is not None and not found.is_over:
            price_id = _price(asked, gateway)
            if not _is_done(asked, price_id, found.terms):
                found = gateway.change_membership(_order(asked, price_id, found.terms))
    except GatewayRefused as refusal:
        log.warning("change refused", extra={"change_id": change_id, "code": refusal.reason})
        _answer(change_id, refusal.reason)
        return
    with transaction() as session:
        membership = memberships.with_patient(session, asked.membership_id)
        membership_news.follow(session, membership, found, looked_up_at)
    is_moot = found.is_over and asked.kind not in _CANCELS
    _answer(change_id, "ended" if is_moot else None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a worker needs to know to tell Stripe, read in one transaction."""

    change_id: UUID
    membership_id: UUID
    subscription_id: str
    kind: ChangeKind
    plan_id: UUID | None
    ends_at: datetime | None
    currency: str


def _asked(change_id: UUID) -> _Asked | None:
    with transaction() as session:
        change = session.get_one(MembershipChange, change_id, populate_existing=True)
        membership = session.get_one(Membership, change.membership_id, populate_existing=True)
        if not change.is_open or membership.stripe_subscription_id is None:
            return None
        payment = select(Payment.currency).where(Payment.booking_id == membership.booking_id)
        return _Asked(
            change_id=change.id,
            membership_id=membership.id,
            subscription_id=membership.stripe_subscription_id,
            kind=change.kind,
            plan_id=change.plan_id,
            ends_at=change.ends_at,
            currency=session.scalars(payment).one(),
        )


def _price(asked: _Asked, gateway: PaymentGateway) -> str | None:
    if asked.plan_id is None:
        return None
    return first_payments.price_at_stripe(asked.plan_id, asked.currency, gateway)


def _is_done(asked: _Asked, price_id: str | None, terms: Terms) -> bool:
    return {
        ChangeKind.PAUSE: terms.is_paused,
        ChangeKind.RESUME: not terms.is_paused,
        ChangeKind.CANCEL: terms.cancels_at == asked.ends_at,
        ChangeKind.CANCEL_NOW: False,
        ChangeKind.KEEP: terms.cancels_at is None,
        ChangeKind.PLAN: terms.price_id == price_id,
    }[asked.kind]


def _order(asked: _Asked, price_id: str | None, terms: Terms) -> ChangeOrder:
    # Told so late that the date has passed: the patient leaves, as they were told.
    is_past = asked.ends_at is not None and asked.ends_at <= utc_now()
    return ChangeOrder(
        subscription_id=asked.subscription_id,
        terms=terms,
        kind=ChangeKind.CANCEL_NOW if is_past else asked.kind,
        price_id=price_id,
        ends_at=asked.ends_at,
        idempotency_key=f"membership-change:{asked.change_id}",
    )


def _answer(change_id: UUID, refusal_code: str | None) -> None:
    with transaction() as session:
        change = locked(session, MembershipChange, change_id)
        if not change.is_open:
            return
        if refusal_code is None:
            change.confirmed_at = utc_now()
        else:
            change.refused_at, change.refusal_code = utc_now(), refusal_code
