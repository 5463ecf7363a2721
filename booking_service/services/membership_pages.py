"""Memberships that a patient pays for on a page of Stripe's, on their own phone."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import BookingServiceError, TooLate
from booking_service.gateways.memberships import MembershipPageOrder
from booking_service.gateways.payments import Checkout, CheckoutStatus, PaymentGateway
from booking_service.links import Links
from booking_service.models import (
    Actor,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Patient,
    Payment,
    Tender,
)
from booking_service.services import audit, first_payments, memberships

log: Final = logging.getLogger(__name__)

# Stripe keeps a page for 24 hours at most, and an unpaid subscription for 23.
LIFETIME: Final = timedelta(hours=23)

_SWEEP_AT_MOST: Final = 100


def open_(membership_id: UUID, gateway: PaymentGateway, links: Links) -> str | None:
    """Make the page of a membership that is paid for on the patient's phone; return its address.

    Called when the desk decides, and again when the time to undo is over, in case the first call
    died: the same decision always gets the same page. Returns None when there is nothing to pay
    on a page (any more).

    Raises:
        GatewayUnavailable: Stripe did not answer; call it again.
    """
    with transaction() as session:
        membership = session.get_one(Membership, membership_id)
        if not _may_be_paid(membership):
            return None
        if membership.checkout_url is not None:
            return membership.checkout_url
        payment = session.scalars(
            select(Payment).where(Payment.booking_id == membership.booking_id)
        ).one()
        plan_id, decided_at = membership.plan_id, membership.decided_at
        customer_id, currency = payment.stripe_customer_id, payment.currency
        language = session.get_one(Patient, membership.patient_id).locale
    page = gateway.open_membership_page(
        MembershipPageOrder(
            membership_id=membership_id,
            price_id=first_payments.price_at_stripe(plan_id, currency, gateway),
            customer_id=customer_id,
            expires_at=decided_at + LIFETIME,
            return_url=links.join(membership_id),
            language=language,
            idempotency_key=f"membership-page:{membership_id}:{int(decided_at.timestamp())}",
        )
    )
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        is_wanted = _may_be_paid(membership)
        membership.stripe_checkout_session_id = page.id
        membership.checkout_url = page.url
    if not is_wanted:
        write_down(gateway.expire_checkout(page.id), gateway)
        return None
    return page.url


def confirm(session_id: str, gateway: PaymentGateway) -> None:
    """Ask Stripe what became of a membership's page, and write it down.

    The webhook, the desk's page, the patient's and the sweep all end here; whoever is second
    changes nothing.
    """
    write_down(gateway.find_checkout(session_id), gateway)


def confirm_of(membership_id: UUID, gateway: PaymentGateway) -> None:
    """Ask Stripe about the page of a membership, while it has one that may still be paid."""
    with transaction() as session:
        membership = session.get_one(Membership, membership_id)
        session_id = membership.stripe_checkout_session_id if _may_be_paid(membership) else None
    if session_id is not None:
        confirm(session_id, gateway)


def write_down(found: Checkout, gateway: PaymentGateway) -> bool:
    """Make the patient a member if the page was paid, and return whether it may still be.

    A page may be complete while its payment is not: what was begun there is over only when Stripe
    says so.
    """
    if found.membership_id is None or found.subscription_id is None:
        return found.status is CheckoutStatus.OPEN
    with transaction() as session:
        if session.get(Membership, found.membership_id) is None:
            log.error("page of an unknown membership", extra={"code": found.id})
            return False
    made = gateway.find_subscription(found.subscription_id)
    if made.has_settled:
        with transaction() as session:
            first_payments.activate(session, found.membership_id, made)
    return not made.is_over


def undo(membership_id: UUID, actor: Actor, gateway: PaymentGateway) -> None:
    """Take a membership back, after closing its page if it has one.

    Raises:
        TooLate: the time is over, or the patient has paid just now.
        NotFound: there is no such membership.
        GatewayUnavailable: Stripe did not answer: nobody knows whether the page is closed.
    """
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        page = membership.stripe_checkout_session_id
        if page is not None and membership.status is not MembershipStatus.UNDONE:
            memberships.refuse_unless_undoable(membership)
        else:
            page = None
    if page is not None:
        found = gateway.expire_checkout(page)
        write_down(found, gateway)
        if found.status is CheckoutStatus.COMPLETE:
            raise TooLate("The patient has paid just now. The membership can be cancelled instead.")
    memberships.undo(membership_id, actor, closed_page=page)


def sweep(gateway: PaymentGateway) -> int:
    """Look at every page whose webhook may be lost, and end what nobody paid for 23 hours.

    A membership ends when its card was declined or its page was not used; never while it is
    unknown whether a card was charged. Its promise lapses with the next sweep of promises.

    Returns how many were looked at. One that cannot be decided now (Stripe does not answer) waits
    for the next sweep, and never stands in the way of the others.
    """
    due = utc_now() - LIFETIME
    rows = _unpaid(due)
    for membership_id, page in rows:
        try:
            _settle(membership_id, page, due, gateway)
        except BookingServiceError as error:
            about = {"membership_id": membership_id, "code": error.code}
            log.warning("membership left pending", extra=about)
    return len(rows)


def _unpaid(due: datetime) -> Sequence[tuple[UUID, str | None]]:
    has_page = Membership.stripe_checkout_session_id.is_not(None)
    unpaid = (
        select(Membership.id, Membership.stripe_checkout_session_id)
        .where(
            Membership.status == MembershipStatus.PENDING,
            Membership.charge_status.in_((ChargeStatus.DECLINED, ChargeStatus.SCHEDULED)),
            has_page | (Membership.decided_at <= due),
        )
        # Those that need no answer of Stripe's go first: it may be slow today.
        .order_by(has_page, Membership.decided_at)
        .limit(_SWEEP_AT_MOST)
    )
    with transaction() as session:
        return [(row.id, row.stripe_checkout_session_id) for row in session.execute(unpaid)]


def _settle(membership_id: UUID, page: str | None, due: datetime, gateway: PaymentGateway) -> None:
    """Confirm one membership, or end it when its time is over and its page is closed."""
    if page is not None:
        with transaction() as session:
            is_due = session.get_one(Membership, membership_id).decided_at <= due
        found = gateway.expire_checkout(page) if is_due else gateway.find_checkout(page)
        if write_down(found, gateway):
            return
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        may_end = membership.charge_status in (ChargeStatus.DECLINED, ChargeStatus.SCHEDULED)
        if (
            membership.status is MembershipStatus.PENDING
            and may_end
            and membership.decided_at <= due
        ):
            membership.move_to(MembershipStatus.ENDED)
            membership.ended_at = utc_now()
            audit.record(session, Actor.system(), "membership.lapse", membership.id)


def _may_be_paid(membership: Membership) -> bool:
    """Whether the patient may, or will soon, pay for it on a page."""
    return (
        membership.status is MembershipStatus.PENDING
        and membership.tender is Tender.CHECKOUT_LINK
        and membership.charge_status is ChargeStatus.SCHEDULED
    )
