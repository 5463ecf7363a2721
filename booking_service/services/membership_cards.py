"""Another card for a membership, given on Stripe's page; an unpaid month is then tried again."""

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import BookingServiceError, GatewayRefused, NotAllowed
from booking_service.gateways.memberships import CardPageOrder
from booking_service.gateways.payments import Checkout, CheckoutStatus, PaymentGateway
from booking_service.languages import Sentence
from booking_service.links import Links
from booking_service.models import (
    Actor,
    Booking,
    Membership,
    Patient,
    Payment,
    Topic,
)
from booking_service.services import audit, membership_news, memberships, outbox

log: Final = logging.getLogger(__name__)

LIFETIME: Final = timedelta(hours=23)  # Stripe keeps a page for 24 hours at most
_USABLE: Final = timedelta(hours=22)  # a page must be open for half an hour when it is made
_SWEEP_AT_MOST: Final = 100
_NO_CARD: Final = Sentence("This membership isn't paid by card here. Please ask at the front desk.")
_NOT_RUNNING: Final = Sentence("This membership has ended, or hasn't started.")


def open_(membership_id: UUID, gateway: PaymentGateway, links: Links) -> str:
    """Return the address of the page for another card; whoever asks again gets the same page.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it does not run, or its months are taken at the desk.
        GatewayUnavailable: Stripe did not answer; call it again.
    """
    confirm_of(membership_id, gateway)  # the page of before may have been used just now
    now = utc_now()
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        subscription_id = _refuse_unless_by_card(membership)
        made_at = membership.card_page_made_at
        is_fresh = made_at is not None and now < made_at + _USABLE
        if is_fresh and membership.card_page_url is not None:
            return membership.card_page_url
        if made_at is None or not is_fresh:
            membership.card_page_made_at = made_at = now
            membership.card_page_id = membership.card_page_url = None
        version = session.scalars(
            select(Booking.link_version).where(Booking.id == membership.booking_id)
        ).one()
        return_url = links.card(membership.booking_id, version)
        language = session.get_one(Patient, membership.patient_id).locale
        currency = session.scalars(
            select(Payment.currency).where(Payment.booking_id == membership.booking_id)
        ).one()
    terms = gateway.find_subscription(subscription_id).terms
    if terms is None:
        raise NotAllowed(_NO_CARD)
    page = gateway.open_card_page(
        CardPageOrder(
            membership_id=membership_id,
            customer_id=terms.customer_id,
            currency=currency,
            expires_at=made_at + LIFETIME,
            return_url=return_url,
            language=language,
            # Committed above: an answer that was lost is asked for again and is the same page.
            idempotency_key=f"card-page:{membership_id}:{int(made_at.timestamp())}",
        )
    )
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        if membership.card_page_made_at == made_at:
            membership.card_page_id, membership.card_page_url = page.id, page.url
    return page.url


def send_link(membership_id: UUID, actor: Actor) -> None:
    """Owe the patient a mail with the link to give another card.

    Raises:
        NotFound: there is no such membership.
        NotAllowed: it does not run, or its months are taken at the desk.
    """
    with transaction() as session:
        membership = memberships.with_patient(session, membership_id)
        _refuse_unless_by_card(membership)
        sent = audit.record(session, actor, "membership.card_link", membership.id)
        outbox.post(session, Topic.CARD_LINK_SENT, sent)


def confirm_of(membership_id: UUID, gateway: PaymentGateway) -> None:
    """Ask Stripe about the page of a membership, while it has one."""
    with transaction() as session:
        page_id = session.scalar(
            select(Membership.card_page_id).where(Membership.id == membership_id)
        )
    if page_id is not None:
        write_down(gateway.find_checkout(page_id), gateway)


def write_down(found: Checkout, gateway: PaymentGateway) -> None:
    """Charge the coming months to the card that was given, and try an unpaid one again now.

    The webhook, the patient's return and the sweep all end here; the page's id is the key of what
    is asked, so that whoever is second changes nothing.
    """
    if found.status is CheckoutStatus.OPEN or found.membership_id is None:
        return
    with transaction() as session:
        membership = session.get(Membership, found.membership_id, populate_existing=True)
        if membership is None or membership.stripe_subscription_id is None:
            log.error("card for an unknown membership", extra={"code": found.id})
            return
        subscription_id = membership.stripe_subscription_id
        is_last = membership.card_page_id == found.id
    if found.card_method_id is not None and is_last:
        _use(found.id, found.card_method_id, subscription_id, gateway)
    with transaction() as session:
        membership = memberships.with_patient(session, found.membership_id)
        if membership.card_page_id != found.id:
            return
        membership.card_page_id = membership.card_page_url = membership.card_page_made_at = None
        if found.card_method_id is not None:
            audit.record(session, Actor.patient(), "membership.card_changed", membership.id)


def sweep(gateway: PaymentGateway) -> int:
    """Look at every page whose webhook may be lost; return how many there were."""
    with transaction() as session:
        pages = session.scalars(
            select(Membership.card_page_id)
            .where(Membership.card_page_id.is_not(None))
            .order_by(Membership.card_page_made_at)
            .limit(_SWEEP_AT_MOST)
        ).all()
    for page_id in filter(None, pages):
        try:
            write_down(gateway.find_checkout(page_id), gateway)
        except BookingServiceError as error:
            log.warning("card page left as it is", extra={"code": error.code})
    return len(pages)


def _use(page_id: str, method_id: str, subscription_id: str, gateway: PaymentGateway) -> None:
    try:
        gateway.use_card(subscription_id, method_id, f"card:{page_id}")
        unpaid = gateway.find_subscription(subscription_id).unpaid
        if unpaid is not None:
            gateway.retry_invoice(unpaid.id, f"retry:{page_id}:{unpaid.id}")
    except GatewayRefused as refusal:
        # Declined again, paid meanwhile, or over: the look below says which.
        log.warning("card not charged", extra={"code": refusal.decline_code or refusal.reason})
    membership_news.subscription_changed(subscription_id, gateway)


def _refuse_unless_by_card(membership: Membership) -> str:
    if not membership.is_running:
        raise NotAllowed(_NOT_RUNNING)
    if membership.stripe_subscription_id is None:
        raise NotAllowed(_NO_CARD)
    return membership.stripe_subscription_id
