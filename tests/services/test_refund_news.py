"""Refunds made in Stripe's dashboard: each is one row, and never a second refund."""

from itertools import permutations

import pytest

from booking_service.db import db
from booking_service.gateways.payments import RefundOrder
from booking_service.models import (
    Account,
    EntryKind,
    JournalEntry,
    JournalLine,
    Payment,
    PromiseStatus,
    Refund,
    RefundReason,
    RefundStatus,
    Topic,
)
from booking_service.services import promises, refunds
from tests.factories import change, paid
from tests.factories import refunds as all_refunds
from tests.faults.facts import (
    attempts,
    booked,
    cases,
    force,
    intent_of,
    now,
    owed,
    promise,
    refund_by_hand,
    requested_refund,
    send,
)

REFUNDS = "/v1/refunds"


@pytest.fixture
def visit(app, seeded, stripe):
    return paid(stripe)


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


@pytest.fixture
def by_hand(stripe, gateway):
    """Refund in the dashboard, and hear of it twice."""

    def do(payment_intent_id: str, cents: int | None = None) -> str:
        made = refund_by_hand(stripe, payment_intent_id, cents)
        for _ in range(2):
            refunds.apply_news(made, gateway)
        return made

    return do


def outside() -> list[tuple[int, RefundStatus]]:
    rows = [refund for refund in all_refunds() if refund.reason is RefundReason.EXTERNAL]
    return sorted((refund.amount_cents, refund.status) for refund in rows)


def liability() -> int:
    db.session.rollback()
    rows = db.session.query(JournalLine).where(JournalLine.account == Account.REFUND_LIABILITY)
    return sum(row.amount_cents for row in rows)


@pytest.mark.parametrize(
    "status", [RefundStatus.REQUESTED, RefundStatus.BLOCKED, RefundStatus.FAILED]
)
def test_refunded_in_the_dashboard_fulfils_what_is_owed(
    requested, by_hand, gateway, stripe, status
):
    change(Refund, requested.id, status=status)

    made = by_hand(intent_of(requested))
    send(requested, gateway)

    assert [refund.id for refund in all_refunds()] == [requested.id]
    assert (now(requested).status, now(requested).stripe_refund_id) == (
        RefundStatus.EXTERNAL,
        made,
    )
    assert promise() is PromiseStatus.SETTLED
    assert booked() == [EntryKind.REFUND]
    assert [refund["id"] for refund in stripe.refunds()] == [made]
    assert owed(Topic.REFUND_SENT) == 1
    assert cases() == []


def test_refunded_in_the_dashboard_before_anything_was_owed_leaves_nothing_to_promise(
    visit, by_hand
):
    by_hand(visit.payment.stripe_payment_intent_id)

    assert outside() == [(3900, RefundStatus.EXTERNAL)]
    assert promise() is PromiseStatus.VOID
    assert liability() == 0
    assert cases() == [("refunded_outside", "open")]


def test_refunded_in_the_dashboard_after_the_promise_lapsed_is_taken_from_the_revenue(
    visit, by_hand, gateway
):
    with refunds.transaction() as session:
        promises.lapse(session, visit.booking_id)

    by_hand(visit.payment.stripe_payment_intent_id)

    assert promise() is PromiseStatus.VOID
    assert liability() == 0


def test_a_part_refunded_in_the_dashboard_leaves_less_to_return(visit, by_hand):
    by_hand(visit.payment.stripe_payment_intent_id, 1000)

    assert outside() == [(1000, RefundStatus.EXTERNAL)]
    assert promise() is PromiseStatus.OPEN
    assert liability() == -2900
    assert cases() == [("refunded_outside", "open")]


def test_the_second_part_makes_it_the_whole(visit, by_hand):
    for cents in (1000, 2900):
        by_hand(visit.payment.stripe_payment_intent_id, cents)

    assert outside() == [(1000, RefundStatus.EXTERNAL), (2900, RefundStatus.EXTERNAL)]
    assert promise() is PromiseStatus.VOID
    assert liability() == 0
    assert cases() == [("refunded_outside", "open")] * 2


def test_a_part_refunded_while_ours_waits_makes_ours_smaller(requested, by_hand, gateway, stripe):
    by_hand(intent_of(requested), 1000)
    assert now(requested).amount_cents == 2900

    send(requested, gateway)

    assert sorted(made["amount"] for made in stripe.refunds()) == [1000, 2900]
    assert stripe.statuses("POST", REFUNDS) == [200, 200]
    assert (now(requested).status, promise()) == (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)
    assert liability() == 0


def test_a_part_refunded_unheard_of_makes_a_smaller_attempt(requested, gateway, stripe):
    """Stripe refuses the whole amount: the list says how much is left."""
    refund_by_hand(stripe, intent_of(requested), 1000)

    send(requested, gateway)
    send(requested, gateway)

    assert stripe.statuses("POST", REFUNDS) == [200, 400, 200]
    assert sorted(made["amount"] for made in stripe.refunds()) == [1000, 2900]
    assert [outcome for _, outcome in attempts()][1:] == ["succeeded"]
    assert (now(requested).status, promise()) == (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)
    assert outside() == [(1000, RefundStatus.EXTERNAL)]
    assert liability() == 0


def test_two_parts_that_make_the_whole_while_ours_is_being_sent_keep_the_promise(
    requested, by_hand, gateway, stripe
):
    change(Refund, requested.id, status=RefundStatus.SENDING)
    for cents in (1000, 2900):
        by_hand(intent_of(requested), cents)

    send(requested, gateway)

    assert now(requested).status is RefundStatus.CANCELED
    assert now(requested).failure_code == "returned_outside"
    assert promise() is PromiseStatus.SETTLED
    assert liability() == 0


def test_the_whole_refunded_while_ours_is_being_sent_is_left_to_stripes_answer(
    requested, by_hand, gateway
):
    change(Refund, requested.id, status=RefundStatus.SENDING)

    made = by_hand(intent_of(requested))
    assert (now(requested).status, outside()) == (RefundStatus.SENDING, [])
    send(requested, gateway)

    assert (now(requested).status, now(requested).stripe_refund_id) == (
        RefundStatus.EXTERNAL,
        made,
    )
    assert promise() is PromiseStatus.SETTLED


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_news_of_parts_in_any_order_ends_with_the_same_money(requested, gateway, stripe, order):
    made = [refund_by_hand(stripe, intent_of(requested), cents) for cents in (500, 1000, 2400)]

    for number in (*order, *order):
        refunds.apply_news(made[number], gateway)
    send(requested, gateway)

    assert sorted(refund.stripe_refund_id for refund in all_refunds()) == sorted(made)
    assert now(requested).status is RefundStatus.EXTERNAL
    assert promise() is PromiseStatus.SETTLED
    assert liability() == 0
    assert len(booked()) == 3


def test_a_dashboard_refund_the_bank_sends_back_is_reversed_and_shown_again(
    visit, by_hand, gateway, stripe
):
    by_hand(visit.payment.stripe_payment_intent_id)
    [refund] = all_refunds()

    force(stripe, refund, "failed", "lost_or_stolen_card")
    for _ in range(2):
        refunds.apply_news(refund.stripe_refund_id, gateway)

    assert outside() == [(3900, RefundStatus.FAILED)]
    assert booked() == [EntryKind.REFUND, EntryKind.REFUND_REVERSED]
    assert cases() == [("refunded_outside", "open")]


def test_what_kept_the_promise_and_comes_back_breaks_it(requested, by_hand, gateway, stripe):
    by_hand(intent_of(requested))

    force(stripe, now(requested), "failed", "lost_or_stolen_card")
    refunds.apply_news(now(requested).stripe_refund_id, gateway)

    assert (now(requested).status, promise()) == (RefundStatus.FAILED, PromiseStatus.BROKEN)
    assert cases() == [("refund_failed", "open")]
    assert liability() == -3900


def test_a_dashboard_refund_first_heard_of_when_it_had_failed_moved_nothing(visit, gateway, stripe):
    made = refund_by_hand(stripe, visit.payment.stripe_payment_intent_id)
    stripe._post(f"/_sim/refunds/{made}", {"status": "failed", "reason": "lost_or_stolen_card"})

    refunds.apply_news(made, gateway)

    assert outside() == [(3900, RefundStatus.FAILED)]
    assert promise() is PromiseStatus.OPEN
    assert liability() == -3900
    assert cases() == []


def test_old_news_of_a_try_that_failed_does_not_end_the_next(requested, gateway, stripe):
    send(requested, gateway)
    first = now(requested).stripe_refund_id
    force(stripe, now(requested), "failed", "lost_or_stolen_card")
    refunds.apply_news(first, gateway)
    with refunds.transaction() as session:
        refunds.retry(session, requested.id)

    refunds.apply_news(first, gateway)
    change(Refund, requested.id, status=RefundStatus.SENDING)
    refunds.apply_news(first, gateway)
    assert now(requested).status is RefundStatus.SENDING
    send(requested, gateway)

    assert now(requested).status is RefundStatus.SUCCEEDED
    assert now(requested).stripe_refund_id != first
    assert booked() == [EntryKind.REFUND, EntryKind.REFUND_REVERSED, EntryKind.REFUND]
    assert promise() is PromiseStatus.SETTLED


def test_our_own_refund_made_by_a_try_that_was_thought_to_have_failed_is_adopted(
    requested, gateway, stripe
):
    send(requested, gateway)
    made = now(requested).stripe_refund_id
    change(Refund, requested.id, status=RefundStatus.FAILED, stripe_refund_id=None)
    change(Refund, requested.id, failure_code="refused")
    db.session.execute(db.text("UPDATE attempts SET stripe_id = NULL"))
    db.session.commit()

    refunds.apply_news(made, gateway)

    assert (now(requested).status, now(requested).stripe_refund_id) == (
        RefundStatus.EXTERNAL,
        made,
    )
    assert [refund.id for refund in all_refunds()] == [requested.id]


def entry_ids() -> list[str | None]:
    db.session.rollback()
    kinds = (EntryKind.REFUND, EntryKind.REFUND_REVERSED)
    rows = db.session.query(JournalEntry).where(JournalEntry.kind.in_(kinds))
    return [row.stripe_id for row in rows]


def test_each_movement_is_booked_under_stripes_own_id(visit, by_hand):
    made = [by_hand(visit.payment.stripe_payment_intent_id, cents) for cents in (1000, 2900)]

    assert sorted(entry_ids()) == sorted(made)


def test_a_refund_of_a_payment_that_is_not_ours_is_nothing(visit, gateway, stripe):
    intent = visit.payment.stripe_payment_intent_id
    change(Payment, visit.payment.id, stripe_payment_intent_id="pi_another")

    refunds.apply_news(refund_by_hand(stripe, intent), gateway)

    assert all_refunds() == []
    assert cases() == []


def test_a_refund_of_a_try_that_was_given_up_and_failed_at_stripe_leaves_only_its_entries(
    requested, gateway, stripe
):
    """The worker was thought to have failed, and Stripe did it: the bank has sent it back since."""
    order = RefundOrder(requested.id, intent_of(requested), 3900, f"refund:{requested.id}:0")
    made = gateway.refund(order).stripe_refund_id
    stripe.bounce(made)
    change(Refund, requested.id, status=RefundStatus.FAILED)

    for _ in range(2):
        refunds.apply_news(made, gateway)

    assert (now(requested).status, now(requested).stripe_refund_id) == (RefundStatus.FAILED, None)
    assert booked() == [EntryKind.REFUND, EntryKind.REFUND_REVERSED]
    assert liability() == -3900
    assert [refund.id for refund in all_refunds()] == [requested.id]


def test_the_rest_refunded_by_hand_after_ours_failed_leaves_nothing_to_send(requested, by_hand):
    """A part was heard of while ours was being sent, so ours was not made smaller."""
    change(Refund, requested.id, status=RefundStatus.SENDING)
    by_hand(intent_of(requested), 1000)
    change(Refund, requested.id, status=RefundStatus.FAILED)

    by_hand(intent_of(requested), 2900)

    assert (now(requested).status, now(requested).failure_code) == (
        RefundStatus.CANCELED,
        "returned_outside",
    )
    assert outside() == [(1000, RefundStatus.EXTERNAL), (2900, RefundStatus.EXTERNAL)]
    assert (promise(), liability()) == (PromiseStatus.SETTLED, 0)
