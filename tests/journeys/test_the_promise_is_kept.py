"""The whole story once, through the services, with the real tasks and the real SDK."""

from booking_service.models import BookingStatus, PromiseStatus, RefundStatus
from booking_service.queries import state
from tests.factories import booking, converted, refunds


def test_a_patient_who_joins_gets_the_first_visit_back(app, seeded, stripe, work, mail):
    visit = converted(stripe)

    work()

    [refund] = refunds()
    assert refund.status is RefundStatus.SUCCEEDED
    assert [r["id"] for r in stripe.refunds()] == [refund.stripe_refund_id]
    assert len(stripe.subscriptions()) == 1
    assert booking(visit.booking_id).status is BookingStatus.IN_TREATMENT
    now = state.state()
    assert [b["promise_status"] for b in now["bookings"]] == [PromiseStatus.SETTLED]
    assert now["ledger"] == {
        "balanced": True,
        "accounts": {
            "stripe_balance": -143 + 14900 - 462,
            "refund_liability": 0,
            "membership_revenue": -14900,
            "stripe_fees": 143 + 462,
        },
    }
    assert now["audit"]["verified"]
    assert now["outbox"] == {"due": 0, "oldest_due_seconds": 0, "needs_review": 0}
    assert [letter.subject for letter in mail.letters] != []
    assert stripe.violations() == []
