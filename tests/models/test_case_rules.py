"""What may not be done about a case, and what is said then: no database, no clock."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from booking_service.models import (
    CaseAction,
    CaseType,
    Payment,
    Refund,
    RefundStatus,
    Settlement,
    Subject,
    objection,
)

A, T, R = CaseAction, CaseType, RefundStatus
NOW = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)
DISPUTED = "The payment is disputed. The bank may return the money itself."


def about(status: RefundStatus, *, disputed=False, settled=None, gone=0) -> Subject:
    payment = Payment(amount_cents=3900, disputed_at=NOW if disputed else None)
    refund = Refund(status=status, amount_cents=3900)
    return Subject(payment, refund, settled, gone)


APPROVED = Settlement(approved_at=NOW, recorded_by_id=uuid4())


@pytest.mark.parametrize(
    ("type_", "action", "subject", "said"),
    [
        (T.REFUND_FAILED, A.SETTLE, about(R.FAILED), None),
        (T.REFUND_FAILED, A.SETTLE, about(R.FAILED, disputed=True), DISPUTED),
        (T.REFUND_FAILED, A.RETRY, about(R.FAILED, disputed=True), DISPUTED),
        (
            T.REFUND_FAILED,
            A.SETTLE,
            about(R.SUCCEEDED),
            "The money went back through Stripe after all.",
        ),
        (
            T.REFUND_FAILED,
            A.SETTLE,
            about(R.FAILED, gone=1),
            "The money went back through Stripe after all.",
        ),
        (
            T.REFUND_FAILED,
            A.SETTLE,
            about(R.SENDING),
            "Stripe hasn't given its last word on this refund.",
        ),
        (
            T.REFUND_FAILED,
            A.WITHDRAW_SETTLEMENT,
            about(R.FAILED),
            "No payment waits for approval.",
        ),
        (
            T.REFUND_FAILED,
            A.WITHDRAW_SETTLEMENT,
            about(R.SETTLED_OTHERWISE, settled=APPROVED),
            "No payment waits for approval.",
        ),
        (T.REFUND_BLOCKED, A.WAIVE, about(R.BLOCKED), None),
        (
            T.REFUND_BLOCKED,
            A.WAIVE,
            about(R.SENDING),
            "Only a refund that is held back can be given up.",
        ),
        (T.DESK_PAYOUT, A.WAIVE, about(R.BLOCKED), "That can't be done about a case like this."),
    ],
)
def test_what_may_be_done_follows_from_where_the_money_is(type_, action, subject, said):
    assert objection(type_, action, subject, uuid4()) == said


def test_a_case_without_its_payment_or_refund_says_nothing_of_money_that_is_back():
    assert [Subject().is_back, Subject(refund=Refund(status=R.SUCCEEDED)).is_back] == [False] * 2
