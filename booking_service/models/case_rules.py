"""What may be done about a case now, and why not. Pure: it reads no clock and no database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from booking_service.models.cases import ACTIONS, CaseAction, CaseType
from booking_service.models.payments import Payment
from booking_service.models.refunds import Refund, RefundStatus
from booking_service.models.settlements import Settlement

# A closed or stolen card stays so: Stripe would fail again, after days
# (https://docs.stripe.com/refunds#failed-refunds).
_FOR_GOOD: Final = frozenset({"expired_or_canceled_card", "lost_or_stolen_card"})
_UNPAID: Final = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED, RefundStatus.BLOCKED})
_BACK: Final = frozenset({RefundStatus.PENDING, RefundStatus.SUCCEEDED, RefundStatus.EXTERNAL})


@dataclass(frozen=True, slots=True)
class Subject:
    """The money a case is about, as far as there is any. `settlement` is the one that stands.

    `gone_cents` is what of the payment went back otherwise, or to a bank that asked for it: news of
    that may come after the refund was thought to have failed.
    """

    payment: Payment | None = None
    refund: Refund | None = None
    settlement: Settlement | None = None
    gone_cents: int = 0

    @property
    def is_back(self) -> bool:
        """Whether the patient has the money already, or is getting it through Stripe."""
        if self.refund is None or self.payment is None:
            return False
        left_cents = self.payment.amount_cents - self.gone_cents
        return self.refund.status in _BACK or self.refund.amount_cents > left_cents


def objection(
    type_: CaseType, action: CaseAction, subject: Subject, actor_id: UUID | None
) -> str | None:
    """Return why somebody may not do something about an open case, or None when they may.

    Args:
        type_: the case's type.
        action: what they would do.
        subject: the money it is about, read under lock by those who go on to do it.
        actor_id: who they are: what one person records another approves.
    """
    if action not in ACTIONS[type_]:
        return "That can't be done about a case like this."
    object_to = _OBJECTIONS.get(action)
    return object_to(subject, actor_id) if object_to else None


def _to_retry(subject: Subject, _: UUID | None) -> str | None:
    refund = subject.refund
    if refund is None:
        return None  # work, not money
    if refund.status is RefundStatus.BLOCKED:
        return "It is sent by itself if the dispute is won."
    if refund.failure_code in _FOR_GOOD:
        return "The card is gone, so Stripe would fail again. Pay it back another way."
    return _to_paying(subject)


def _to_paying(subject: Subject) -> str | None:
    if subject.settlement:
        return "A payment outside Stripe is recorded. Approve or withdraw that first."
    if subject.payment and subject.payment.disputed_at:
        return "The payment is disputed. The bank may return the money itself."
    return _to_paying_at_all(subject)


def _to_paying_at_all(subject: Subject) -> str | None:
    if subject.is_back:
        return "The money went back through Stripe after all."
    status = subject.refund.status if subject.refund else None
    return None if status in _UNPAID else "Stripe hasn't given its last word on this refund."


def _to_approving(subject: Subject, actor_id: UUID | None) -> str | None:
    settlement = subject.settlement
    if settlement is None or settlement.approved_at:
        return "No payment waits for approval."
    if actor_id is None or settlement.recorded_by_id in (None, actor_id):
        return "You recorded this payment. Somebody else must approve it."
    return _to_paying_at_all(subject)


def _to_withdrawing(subject: Subject, _: UUID | None) -> str | None:
    if subject.settlement is None or subject.settlement.approved_at:
        return "No payment waits for approval."
    return None


def _to_granting(subject: Subject, actor_id: UUID | None) -> str | None:
    if subject.refund is None or actor_id is None or subject.refund.asked_by_id in (None, actor_id):
        return "You asked for this refund. Somebody else must approve it."
    if subject.payment and subject.payment.disputed_at:
        return "The payment is disputed. The bank may return the money itself."
    return None


def _to_waiving(subject: Subject, _: UUID | None) -> str | None:
    if subject.refund is None or subject.refund.status is not RefundStatus.BLOCKED:
        return "Only a refund that is held back can be given up."
    return None


_OBJECTIONS: Final[Mapping[CaseAction, Callable[[Subject, UUID | None], str | None]]] = {
    CaseAction.RETRY: _to_retry,
    CaseAction.SETTLE: lambda subject, _: _to_paying(subject),
    CaseAction.APPROVE_SETTLEMENT: _to_approving,
    CaseAction.WITHDRAW_SETTLEMENT: _to_withdrawing,
    CaseAction.APPROVE_GOODWILL: _to_granting,
    CaseAction.WAIVE: _to_waiving,
}
