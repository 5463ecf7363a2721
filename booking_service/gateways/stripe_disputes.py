"""Reading Stripe's disputes."""

from datetime import UTC, datetime

import stripe

from booking_service.gateways.payments import BalanceMovement, DisputeFacts
from booking_service.gateways.stripe_reading import id_of
from booking_service.models import DisputeStatus


def find(client: stripe.StripeClient, stripe_dispute_id: str) -> DisputeFacts:
    """Ask for a dispute."""
    dispute = client.v1.disputes.retrieve(stripe_dispute_id)
    due = dispute.evidence_details.due_by
    return DisputeFacts(
        id=dispute.id,
        payment_intent_id=id_of(dispute.payment_intent),
        status=DisputeStatus(dispute.status),
        amount_cents=dispute.amount,
        reason=dispute.reason,
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
        evidence_due_at=datetime.fromtimestamp(due, UTC) if due else None,
        movements=[
            BalanceMovement(moved.id, moved.amount, moved.fee)
            for moved in dispute.balance_transactions
        ],
    )
