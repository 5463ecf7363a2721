"""One long story with lost webhooks: after one comparison every cent is explained."""

from types import SimpleNamespace

import pytest

from booking_service.models import (
    Account,
    Case,
    CaseStatus,
    CaseType,
    Dispute,
    JournalLine,
    Payout,
    RefundReason,
    RefundStatus,
    StripeMovement,
)
from booking_service.queries import finance_payouts
from booking_service.services import reconciliation
from tests.factories import all_of, at_stripe, converted, free_slot, refunds, visit_of
from tests.gateways.test_stripe_books import by_another_application

DAY = 86400


@pytest.fixture
def story(seeded, noon, stripe, work, mail, gateway, travel) -> SimpleNamespace:
    """No webhook arrives at all; the desk and the workers do what they do.

    A member whose refund succeeded; a member whose refund the bank sent back; three first visits,
    of which one is disputed and won, one disputed and lost, one refunded in the dashboard; one
    paid whose return page was never seen; another application's payment; a payout.
    """
    made = SimpleNamespace()
    for nth, (name, what) in enumerate(
        [("Dana Whitfield", "member"), ("Robin Hale", "bounced")], start=3
    ):
        first = name.split()[0].lower()
        visit = converted(
            stripe,
            name=name,
            email=f"{first}@example.com",
            phone=f"518 555 10{nth:02}",
            slot=free_slot(nth * 5),
        )
        setattr(made, what, visit)
    work()
    [_, bounced] = refunds()
    stripe.bounce(bounced.stripe_refund_id)
    travel(stripe.now())  # a page of Stripe's must not end sooner than half an hour from its now
    made.won = visit_of("Ana Costa", stripe, 40)
    made.lost = visit_of("Bo Lindgren", stripe, 60)
    made.dashboard = visit_of("Cy Marsh", stripe, 80)
    travel(stripe.now())
    made.unseen = at_stripe(
        name="Di Okoro", email="di@example.com", phone="518 555 1999", slot=free_slot(100)
    )
    stripe.pay(made.unseen.stripe_checkout_session_id)
    for visit, end in ((made.won, "won"), (made.lost, "lost")):
        dispute = stripe.dispute(visit.payment.stripe_payment_intent_id)
        stripe.move_dispute(dispute["id"], end)
    by_hand = {"payment_intent": made.dashboard.payment.stripe_payment_intent_id}
    made.by_hand = gateway._client.v1.refunds.create(by_hand)
    by_another_application(gateway)
    stripe.advance(2 * DAY + 60)
    return made


def test_after_one_comparison_every_cent_is_explained(story, gateway, stripe):
    found = finance_payouts.comparison(reconciliation.run(gateway, "First Visit"))

    assert found.discrepancies == []
    assert (found.residue_cents, found.promises.in_doubt) == (0, 0)
    assert found.other_cents == 2397
    assert sorted(row.status for row in all_of(Dispute)) == ["lost", "won"]
    assert sorted((r.reason.value, r.status.value) for r in refunds()) == [
        (RefundReason.EXTERNAL.value, RefundStatus.EXTERNAL.value),
        (RefundReason.MEMBERSHIP.value, RefundStatus.FAILED.value),
        (RefundReason.MEMBERSHIP.value, RefundStatus.SUCCEEDED.value),
    ]
    open_ = {case.type for case in all_of(Case) if case.status is CaseStatus.OPEN}
    assert not open_ & {CaseType.BOOKS_DIFFER, CaseType.PROMISE_IN_DOUBT}
    # What Stripe still holds is in our ledger to the cent, but for the other application's.
    ours = sum(
        line.amount_cents for line in all_of(JournalLine) if line.account is Account.STRIPE_BALANCE
    )
    theirs = sum(moved.net_cents for moved in all_of(StripeMovement))
    assert ours == theirs - found.other_cents
    assert len(all_of(Payout)) == len(stripe.listed("payouts"))


def test_a_second_comparison_finds_nothing_to_do(story, gateway):
    reconciliation.run(gateway, "First Visit")

    again = finance_payouts.comparison(reconciliation.run(gateway, "First Visit"))

    assert (again.repaired, again.discrepancies, again.residue_cents) == (0, [], 0)
