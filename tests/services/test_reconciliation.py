"""One run: what is safe is put right, what is left is named once and has a case."""

from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service.db import transaction
from booking_service.errors import ComparisonUnderWay, GatewayUnavailable
from booking_service.models import (
    Account,
    Case,
    CaseStatus,
    CaseType,
    Discrepancy,
    DiscrepancyKind,
    Dispute,
    EntryKind,
    JournalEntry,
    JournalLine,
    Membership,
    Payment,
    PaymentStatus,
    Payout,
    ReconciliationRun,
    Refund,
    RefundStatus,
    StripeMovement,
)
from booking_service.queries import finance_payouts
from booking_service.services import ledger, reconciliation
from booking_service.services.ledger import Movement
from tests.factories import (
    PRIYA,
    all_of,
    at_stripe,
    change,
    converted,
    payment_of,
    refunds,
    visit_of,
)
from tests.gateways.test_stripe_books import by_another_application

KIND = DiscrepancyKind
DAY = 86400


@pytest.fixture
def compare(gateway):
    """Compare now; the comparison, as finance reads it."""

    def run() -> finance_payouts.Comparison:
        return finance_payouts.comparison(reconciliation.run(gateway, "First Visit"))

    return run


@pytest.fixture
def visit(seeded, noon, stripe):
    return visit_of("Robin Hale", stripe, 5)


def left(found) -> list[tuple]:
    return [(line.kind, line.stripe_id) for line in found.discrepancies]


def open_cases() -> list[tuple]:
    return sorted(
        (case.type.value, case.detail, case.amount_cents)
        for case in all_of(Case)
        if case.status is CaseStatus.OPEN
    )


def entry(stripe_id: str | None, cents: int) -> None:
    """Write an entry that nothing at Stripe explains."""
    with transaction() as session:
        movement = Movement(EntryKind.ADJUSTMENT, uuid4(), stripe_id or "", stripe_id=stripe_id)
        lines = {Account.STRIPE_BALANCE: cents, Account.STRIPE_FEES: -cents}
        ledger.write(session, movement, lines)


def balance() -> int:
    """What Stripe holds for us, as the ledger says."""
    lines = all_of(JournalLine)
    return sum(x.amount_cents for x in lines if x.account is Account.STRIPE_BALANCE)


def pages(payment: Payment) -> str:
    return payment.stripe_checkout_session_id


def test_books_that_agree_leave_no_residue(visit, compare):
    found = compare()

    assert (found.residue_cents, found.discrepancies, found.matched) == (0, [], 1)
    assert found.is_explained
    assert open_cases() == []


def test_a_payment_whose_webhook_was_lost_is_confirmed(visit, compare, stripe):
    missed = at_stripe(name="Dana Whitfield")
    stripe.pay(pages(missed))

    found = compare()

    assert payment_of(missed.booking_id).status is PaymentStatus.PAID
    # The page was never asked for; the ledger lacked it, and so did the payments.
    assert (found.repaired, found.residue_cents, found.matched) == (2, 0, 2)
    assert open_cases() == []


def test_a_refund_that_failed_weeks_later_is_found_without_its_webhook(
    seeded, noon, stripe, work, mail, compare, travel
):
    converted(stripe)
    work()
    [refund] = refunds()
    assert refund.status is RefundStatus.SUCCEEDED
    stripe.advance(30 * DAY)
    travel(noon + timedelta(days=30))
    stripe.bounce(refund.stripe_refund_id)

    compare()

    [refund] = refunds()
    assert (refund.status, refund.failure_code) == (RefundStatus.FAILED, "expired_or_canceled_card")
    assert [case.type for case in all_of(Case)] == [CaseType.REFUND_FAILED]


def test_payouts_become_rows_and_entries_and_know_what_they_are_made_of(visit, compare, stripe):
    stripe.advance(2 * DAY + 60)
    stripe.pay_out()

    found = compare()

    [row] = finance_payouts.payouts(9)
    assert (row.amount_cents, row.payments_cents, row.fees_cents) == (3757, 3900, -143)
    assert (row.lines_cents, row.lines, row.apart) == (3757, 1, 0)
    [line] = finance_payouts.payout_lines(row.id)
    assert (line.stripe_id, line.net_cents, line.is_matched) == (
        visit.payment.stripe_payment_intent_id,
        3757,
        True,
    )
    assert line.entry_id in {made.id for made in all_of(JournalEntry)}
    assert (found.residue_cents, balance(), open_cases()) == (0, 0, [])


def test_a_payout_the_bank_sent_back_is_with_stripe_again(visit, compare, stripe):
    stripe.advance(3 * DAY)
    compare()
    [payout] = all_of(Payout)
    assert balance() == 0

    stripe.fail_payout(payout.stripe_payout_id)
    found = compare()

    assert [row.status for row in all_of(Payout)] == ["failed"]
    assert (balance(), found.residue_cents) == (3757, 0)


def test_another_applications_money_is_shown_apart(visit, compare, gateway):
    theirs = by_another_application(gateway)
    gateway._client.v1.refunds.create({"payment_intent": theirs.id, "amount": 500})

    found = compare()

    assert (found.other_cents, found.residue_cents, found.discrepancies) == (1897, 0, [])
    assert (found.matched, open_cases()) == (1, [])


@pytest.mark.parametrize("stripe_id", ["pi_gone", "re_gone", "po_gone", "du_gone", None])
def test_an_entry_that_nothing_at_stripe_explains_is_named(visit, compare, stripe_id):
    entry(stripe_id, 700)

    found = compare()

    assert left(found) == [(KIND.LEDGER_DIFFERS, stripe_id or "")]
    assert (found.residue_cents, found.is_explained) == (700, False)
    assert open_cases() == [("books_differ", stripe_id or "ledger_differs", 700)]


def test_one_cent_too_much_under_an_id_is_named_with_both_sums(visit, compare):
    intent = visit.payment.stripe_payment_intent_id
    entry(intent, 1)

    [line] = compare().discrepancies

    assert (line.kind, line.stripe_id) == (KIND.LEDGER_DIFFERS, intent)
    assert (line.our_cents, line.stripe_cents) == (3758, 3757)


def test_differences_do_not_make_up_for_each_other(visit, compare):
    entry("pi_gone", 700)
    entry("re_gone", -700)

    assert compare().residue_cents == 1400


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ({"amount_cents": 4000}, [KIND.PAYMENT_DIFFERS]),
        (
            {"stripe_payment_intent_id": "pi_gone", "stripe_checkout_session_id": None},
            [KIND.PAYMENT_MISSING_AT_STRIPE, KIND.PAYMENT_MISSING_HERE],
        ),
    ],
    ids=["another amount", "another payment"],
)
def test_a_payment_that_was_altered_is_named(visit, compare, facts, kinds):
    change(Payment, visit.payment.id, **facts)

    assert sorted(kind for kind, _ in left(compare())) == kinds


def test_a_refund_that_was_altered_is_named(seeded, noon, stripe, work, mail, compare):
    converted(stripe)
    work()
    [refund] = refunds()
    change(type(refund), refund.id, amount_cents=3800)

    assert (KIND.REFUND_DIFFERS, refund.stripe_refund_id) in left(compare())


def test_a_payout_of_ours_that_stripe_does_not_have_is_named(visit, compare, noon):
    with transaction() as session:
        session.add(
            Payout(
                stripe_payout_id="po_gone",
                amount_cents=100,
                status="paid",
                is_automatic=True,
                created_at=noon,
                arrives_at=noon,
            )
        )

    # Nor can what it is made of be asked for.
    assert left(compare()) == [(KIND.PAYOUT_DIFFERS, "po_gone")]


def test_a_difference_has_one_case_that_closes_by_itself(visit, compare):
    entry("re_gone", 700)
    compare()
    compare()
    assert [case.status for case in all_of(Case)] == [CaseStatus.OPEN]

    entry("re_gone", -700)
    found = compare()

    assert found.is_explained
    assert [case.status for case in all_of(Case)] == [CaseStatus.RESOLVED]


def test_the_lines_that_were_put_right_are_kept_as_such(visit, compare, stripe):
    missed = at_stripe(name="Dana Whitfield")
    stripe.pay(pages(missed))

    found = compare()

    kinds = sorted((line.kind, line.repaired) for line in all_of(Discrepancy))
    assert kinds == [(KIND.LEDGER_DIFFERS, True), (KIND.PAYMENT_MISSING_HERE, True)]
    assert found.discrepancies == []


@pytest.fixture
def paid_while_we_look(visit, stripe, monkeypatch):
    """Somebody pays between the two looks: the first does not have it, the second has."""
    entry("re_gone", 700)
    real = reconciliation.repairs.repair

    def meanwhile(lines, gateway):
        real(lines, gateway)
        newer = at_stripe(name="Dana Whitfield")
        stripe.pay(pages(newer))

    monkeypatch.setattr(reconciliation.repairs, "repair", meanwhile)


def test_what_began_while_we_looked_is_no_difference(paid_while_we_look, compare):
    assert left(compare()) == [(KIND.LEDGER_DIFFERS, "re_gone")]


def test_without_asking_what_differed_twice_work_under_way_would_be_a_case(
    paid_while_we_look, compare, monkeypatch
):
    monkeypatch.setattr(reconciliation, "_differed_twice", lambda _, second: second.lines)

    found = sorted(kind for kind, _ in left(compare()))

    assert found == [KIND.LEDGER_DIFFERS, KIND.LEDGER_DIFFERS, KIND.PAYMENT_MISSING_HERE]
    assert len(open_cases()) == 2


def test_two_at_once_are_one(visit, gateway):
    with reconciliation._alone(), pytest.raises(ComparisonUnderWay):
        reconciliation.run(gateway, "Ana Ruiz")

    assert all_of(ReconciliationRun) == []


def test_a_run_that_dies_leaves_nothing_half_done(visit, compare, gateway, stripe):
    entry("re_gone", 700)
    stripe.fault("drop_before", "/v1/payouts", "GET")

    with pytest.raises(GatewayUnavailable):
        compare()

    [run] = all_of(ReconciliationRun)
    assert (run.finished_at, run.read_until, open_cases()) == (None, None, [])
    assert all_of(Discrepancy) == []
    assert finance_payouts.latest() is None
    assert compare().residue_cents == 700


def test_only_what_is_new_is_read_again(visit, compare, stripe, noon, travel):
    compare()
    stripe.advance(2 * 3600)
    travel(noon + timedelta(hours=2))
    visit_of("Dana Whitfield", stripe, 7)
    before = len(stripe.log())

    found = compare()

    asked = [a for a in stripe.log()[before:] if a["path"] == "/v1/balance_transactions"]
    assert len(asked) == 1
    assert found.matched == 2
    assert len(all_of(StripeMovement)) == 2


def test_a_comparison_that_was_asked_for_is_made_once(visit, gateway, mail, work):
    run_id = reconciliation.ask(PRIYA)
    assert finance_payouts.under_way_since() is not None

    assert "reconciliation.asked" in work()
    reconciliation.run_asked(run_id, gateway)

    [run] = all_of(ReconciliationRun)
    assert (run.id, run.asked_by, run.matched) == (run_id, "Priya Shah", 1)
    assert finance_payouts.under_way_since() is None


def test_every_night_the_books_are_compared(visit, celery, settings, mail, work):
    rings = celery.conf.beat_schedule.values()
    [nightly] = [entry for entry in rings if entry["task"] == "reconciliation.nightly"]

    celery.tasks[nightly["task"]].run()
    work()

    assert nightly["schedule"] == settings.reconcile_interval.total_seconds() == DAY
    assert [(run.asked_by, run.matched) for run in all_of(ReconciliationRun)] == [
        ("First Visit", 1)
    ]


def test_a_night_on_which_stripe_is_busy_is_compared_a_little_later(
    visit, stripe, celery, mail, persevere
):
    stripe.fault("rate_limit", "/v1/balance_transactions", "GET")

    celery.tasks["reconciliation.nightly"].run()
    persevere()

    assert [run.matched for run in all_of(ReconciliationRun)] == [1]


def stripes_own(noon, type_: str) -> None:
    """Let Stripe move money of its own accord, as it does each month."""
    with transaction() as session:
        session.add(
            StripeMovement(
                stripe_transaction_id="txn_own",
                type=type_,
                moved_under="txn_own",
                amount_cents=-250,
                net_cents=-250,
                moved_at=noon,
            )
        )


@pytest.mark.parametrize("type_", ["stripe_fee", "adjustment"])
def test_what_stripe_takes_of_its_own_accord_is_booked_as_its_fee(visit, compare, noon, type_):
    stripes_own(noon, type_)

    found = compare()

    assert (found.repaired, found.residue_cents, balance()) == (1, 0, 3757 - 250)
    [own] = [made for made in all_of(JournalEntry) if made.kind is EntryKind.ADJUSTMENT]
    assert (own.stripe_id, own.reference) == ("txn_own", "txn_own")


def test_a_movement_nobody_foresaw_is_named(visit, compare, noon):
    stripes_own(noon, "reserve_hold")

    [line] = compare().discrepancies

    assert (line.stripe_id, line.our_cents, line.stripe_cents) == ("txn_own", None, -250)


def test_a_line_that_cannot_be_put_right_stops_no_other(visit, compare, stripe):
    entry("re_gone", 700)
    missed = at_stripe(name="Dana Whitfield")
    stripe.pay(pages(missed))

    assert left(compare()) == [(KIND.LEDGER_DIFFERS, "re_gone")]
    assert payment_of(missed.booking_id).status is PaymentStatus.PAID


def test_when_stripe_is_busy_a_repair_waits_for_the_next_night(visit, compare, stripe):
    entry("re_gone", 700)
    stripe.fault("rate_limit", "/v1/refunds/re_gone", "GET")

    assert left(compare()) == [(KIND.LEDGER_DIFFERS, "re_gone")]


def test_a_refund_that_waited_longer_than_a_month_is_still_asked_for(
    seeded, noon, stripe, work, mail, compare, travel
):
    converted(stripe)
    work()
    [refund] = refunds()
    change(Refund, refund.id, status=RefundStatus.PENDING)
    stripe.advance(40 * DAY)
    travel(noon + timedelta(days=40))

    compare()

    assert refunds()[0].status is RefundStatus.SUCCEEDED


def test_a_dispute_whose_webhooks_were_lost_is_followed(visit, compare, stripe):
    dispute = stripe.dispute(visit.payment.stripe_payment_intent_id)
    assert compare().discrepancies == []
    stripe.move_dispute(dispute["id"], "won")

    found = compare()

    assert [row.status.value for row in all_of(Dispute)] == ["won"]
    assert (found.residue_cents, found.discrepancies) == (0, [])
    assert balance() == 3757 - 1500


def test_a_dispute_of_ours_that_stripe_does_not_have_is_named(visit, compare, stripe):
    stripe.dispute(visit.payment.stripe_payment_intent_id)
    compare()
    [dispute] = all_of(Dispute)
    change(Dispute, dispute.id, stripe_dispute_id="du_gone")

    assert (KIND.DISPUTE_DIFFERS, "du_gone") in left(compare())


def test_another_applications_dispute_is_none_of_ours(visit, compare, stripe, gateway):
    stripe.dispute(by_another_application(gateway).id)

    found = compare()

    assert (all_of(Dispute), found.discrepancies, found.other_cents) == ([], [], 2397 - 4000)


def test_a_membership_stripe_has_and_we_do_not_is_named(seeded, noon, stripe, work, mail, compare):
    converted(stripe)
    work()
    [joined] = all_of(Membership)
    theirs = joined.stripe_subscription_id
    change(Membership, joined.id, stripe_subscription_id=None)

    assert left(compare()) == [(KIND.MEMBERSHIP_MISSING_HERE, theirs)]
