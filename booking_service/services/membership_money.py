"""What memberships bring and cost, booked month by month under the ids Stripe moves it by."""

from sqlalchemy.orm import Session

from booking_service.gateways.memberships import Subscription
from booking_service.models import Account, EntryKind, Membership
from booking_service.services import ledger
from booking_service.services.ledger import Movement


def book(session: Session, membership: Membership, made: Subscription) -> None:
    """Book every month that was paid, and Stripe's fees as far as Stripe has booked them.

    What is booked already stays as it is, so that each look at a membership may call this.
    """
    for payment in made.payments:
        ledger.record_membership_payment(
            session, membership, payment.amount_cents, payment.payment_intent_id
        )
    _book_fees(session, membership, made)


def book_unmatched(session: Session, membership: Membership, made: Subscription) -> None:
    """Book what a membership too many brought: it is at Stripe, and it is the patient's."""
    for payment in made.payments:
        kind, intent_id = EntryKind.UNMATCHED_RECEIPT, payment.payment_intent_id
        ledger.write(
            session,
            Movement(kind, membership.id, intent_id, stripe_id=intent_id),
            {
                Account.STRIPE_BALANCE: payment.amount_cents,
                Account.UNMATCHED_RECEIPTS: -payment.amount_cents,
            },
        )
    _book_fees(session, membership, made)


def _book_fees(session: Session, membership: Membership, made: Subscription) -> None:
    for payment in made.payments:
        if payment.fee_cents:
            ledger.record_membership_fee(
                session, membership, payment.fee_cents, payment.payment_intent_id
            )
