"""The long lists of Stripe's that the books are compared by. Pages are read as they are needed."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import stripe

from booking_service.gateways import stripe_reading as reading
from booking_service.gateways.books import (
    BookedMovement,
    DisputeReceipt,
    PayoutNews,
    Receipt,
)
from booking_service.gateways.payments import RefundOutcome
from booking_service.gateways.stripe_errors import our_errors
from booking_service.models import DisputeStatus

_CURRENCY: Final = "usd"
_PAGE: Final = 100  # Stripe's largest
# A fee that names the charge it was for is not a movement of that charge.
_OWN_FEES: Final = "stripe_fee"


class StripeBooks:
    """The part of the gateway that only the comparison of the books needs."""

    _client: stripe.StripeClient

    def available_cents(self) -> int:
        """See BooksGateway."""
        with our_errors():
            balance = self._client.v1.balance.retrieve()
        return sum(part.amount for part in balance.available if part.currency == _CURRENCY)

    def movements(self, since: datetime | None) -> Iterator[BookedMovement]:
        """See BooksGateway."""
        listed = self._client.v1.balance_transactions.list
        with our_errors():
            for moved in listed(_of(since, expand=["data.source"])).auto_paging_iter():
                yield _movement(moved)

    def movements_of(self, stripe_payout_id: str) -> Iterator[str]:
        """See BooksGateway."""
        listed = self._client.v1.balance_transactions.list
        with our_errors():
            for moved in listed(_of(None, payout=stripe_payout_id)).auto_paging_iter():
                yield moved.id

    def membership_payments(self, since: datetime | None) -> Iterator[Receipt]:
        """See BooksGateway."""
        listed = self._client.v1.invoice_payments.list
        with our_errors():
            for paid in listed(_of(since, expand=["data.invoice"])).auto_paging_iter():
                parent = getattr(paid.invoice, "parent", None)
                membership = getattr(parent, "subscription_details", None)
                ours = reading.uuid_of(reading.ours(membership).get("membership_id"))
                intent = reading.id_of(paid.payment.payment_intent)
                if ours and intent and paid.amount_paid:
                    yield Receipt(intent, ours, paid.amount_paid)

    def all_refunds(self, since: datetime | None) -> Iterator[RefundOutcome]:
        """See BooksGateway."""
        with our_errors():
            for refund in self._client.v1.refunds.list(_of(since)).auto_paging_iter():
                yield reading.outcome(refund)

    def all_subscriptions(self) -> Iterator[Receipt]:
        """See BooksGateway."""
        with our_errors():
            page = self._client.v1.subscriptions.list(_of(None, status="all"))
            for subscription in page.auto_paging_iter():
                if ours := reading.uuid_of(reading.ours(subscription).get("membership_id")):
                    yield Receipt(subscription.id, ours, 0)

    def all_disputes(self) -> Iterator[DisputeReceipt]:
        """See BooksGateway."""
        with our_errors():
            for dispute in self._client.v1.disputes.list(_of(None)).auto_paging_iter():
                yield DisputeReceipt(
                    dispute.id,
                    reading.id_of(dispute.payment_intent) or reading.id_of(dispute.charge),
                    dispute.amount,
                    DisputeStatus(dispute.status),
                )

    def all_payouts(self, since: datetime | None) -> Iterator[PayoutNews]:
        """See BooksGateway."""
        with our_errors():
            for payout in self._client.v1.payouts.list(_of(since)).auto_paging_iter():
                yield _payout(payout)

    def find_payout(self, stripe_payout_id: str) -> PayoutNews:
        """See BooksGateway."""
        with our_errors():
            return _payout(self._client.v1.payouts.retrieve(stripe_payout_id))


def _of(since: datetime | None, **more: Any) -> Any:  # noqa: ANN401  # each list has its own type
    created = {"created": {"gte": int(since.timestamp())}} if since else {}
    return {"limit": _PAGE, **created, **more}


def _movement(moved: stripe.BalanceTransaction) -> BookedMovement:
    source: Any = moved.source
    charge = source if isinstance(source, stripe.Charge) else getattr(source, "charge", None)
    about = reading.id_of(getattr(source, "payment_intent", None)) or reading.id_of(charge)
    under = about if isinstance(source, stripe.Charge) else reading.id_of(source)
    named = reading.ours(source)
    return BookedMovement(
        id=moved.id,
        type=moved.type,
        moved_under=under if under and moved.type != _OWN_FEES else moved.id,
        payment_at_stripe=about,
        our_id=reading.uuid_of(named.get("payment_id") or named.get("refund_id")),
        amount_cents=moved.amount,
        net_cents=moved.net,
        moved_at=datetime.fromtimestamp(moved.created, UTC),
    )


def _payout(payout: stripe.Payout) -> PayoutNews:
    return PayoutNews(
        stripe_id=payout.id,
        amount_cents=payout.amount,
        status=payout.status,
        is_automatic=payout.automatic,
        created_at=datetime.fromtimestamp(payout.created, UTC),
        arrives_at=datetime.fromtimestamp(payout.arrival_date, UTC),
        came_back=payout.failure_balance_transaction is not None,
    )
