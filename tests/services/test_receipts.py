"""Money of another amount, of another currency, for nothing we have, or that never comes."""

from dataclasses import replace
from uuid import uuid4

import pytest

from booking_service.db import transaction
from booking_service.errors import NotAllowed
from booking_service.gateways.payments import Checkout, CheckoutStatus
from booking_service.models import (
    BookingStatus,
    Case,
    CaseType,
    JournalEntry,
    Payment,
    PaymentStatus,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
)
from booking_service.queries import state
from booking_service.services import checkout, patients
from tests.factories import (
    HALF_AN_HOUR,
    all_of,
    at_stripe,
    booking,
    change,
    details,
    free_slot,
    hold,
    paid,
    payment_of,
    refunds,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")


@pytest.fixture
def mismatched(stripe, gateway) -> Payment:
    """$39.00 came where the price was $40.00."""
    payment = at_stripe()
    change(Payment, payment.id, amount_cents=4000)
    stripe.pay(payment.stripe_checkout_session_id)
    checkout.confirm(payment.stripe_checkout_session_id, gateway)
    return payment_of(payment.booking_id)


def decided(decide, payment: Payment) -> None:
    with transaction() as session:
        decide(session, payment.id)


def test_another_amount_than_the_price_is_kept_as_it_is_and_a_case(mismatched, gateway):
    checkout.confirm(mismatched.stripe_checkout_session_id, gateway)

    [case] = all_of(Case)
    assert (case.type, case.subject_id) == (CaseType.PAYMENT_MISMATCH, mismatched.id)
    assert (case.detail, case.amount_cents) == (mismatched.stripe_payment_intent_id, 3900)
    assert (mismatched.status, mismatched.amount_cents) == (PaymentStatus.PAID, 3900)
    assert booking(mismatched.booking_id).status is BookingStatus.EXPIRED
    assert booking(mismatched.booking_id).choose_until is None
    assert sorted(entry.kind for entry in all_of(JournalEntry)) == ["payment", "payment_fee"]
    assert (refunds(), all_of(Promise)) == ([], [])


def test_another_currency_is_kept_and_left_to_the_comparison_of_the_books(stripe, gateway):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)
    found = gateway.find_checkout(payment.stripe_checkout_session_id)
    card = replace(found.payment, currency="cad", fee_cents=None)

    for _ in range(2):
        checkout.write_down(replace(found, payment=card))

    kept = payment_of(payment.booking_id)
    assert (kept.status, kept.amount_cents, kept.currency) == (PaymentStatus.PAID, 3900, "cad")
    assert [case.type for case in all_of(Case)] == [CaseType.PAYMENT_MISMATCH]
    assert all_of(JournalEntry) == []
    with pytest.raises(NotAllowed, match="not with us"):
        decided(checkout.accept_mismatched, kept)


def test_what_is_returned_goes_back_once(mismatched, stripe, work):
    for _ in range(2):
        decided(checkout.return_mismatched, mismatched)
        work()

    [refund] = refunds()
    assert (refund.reason, refund.amount_cents) == (RefundReason.SLOT_LOST, 3900)
    assert refund.status is RefundStatus.SUCCEEDED
    assert len(stripe.refunds()) == 1
    with pytest.raises(NotAllowed):
        decided(checkout.accept_mismatched, mismatched)
    assert booking(mismatched.booking_id).status is BookingStatus.EXPIRED


def test_what_is_accepted_is_the_visit_with_a_promise_over_what_was_paid(mismatched):
    decided(checkout.accept_mismatched, mismatched)

    assert booking(mismatched.booking_id).status is BookingStatus.CONFIRMED
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]
    assert state.state()["ledger"]["accounts"]["refund_liability"] == -3900
    for decide in (checkout.accept_mismatched, checkout.return_mismatched):
        with pytest.raises(NotAllowed, match="has its visit already"):
            decided(decide, mismatched)
    assert refunds() == []


def test_what_is_accepted_for_a_time_that_is_taken_waits_for_the_patients_choice(
    mismatched, stripe
):
    paid(stripe, slot=free_slot(), name="Robin Hale", email="robin@example.com")

    decided(checkout.accept_mismatched, mismatched)

    assert booking(mismatched.booking_id).status is BookingStatus.EXPIRED
    assert booking(mismatched.booking_id).choose_until is not None
    with pytest.raises(NotAllowed, match="spoken for"):
        decided(checkout.accept_mismatched, mismatched)


def test_money_for_a_booking_we_do_not_have_is_a_case_once(stripe, gateway, work):
    claimed = uuid4()
    page = stripe.page(4200, application="first_visit", booking_id=str(claimed))

    checkout.confirm(page, gateway)
    assert all_of(Case) == []
    stripe.pay(page)
    for _ in range(2):
        checkout.confirm(page, gateway)

    [case] = all_of(Case)
    [intent] = stripe.listed("payment_intents")
    assert (case.type, case.subject_id) == (CaseType.PAYMENT_UNKNOWN, claimed)
    assert (case.detail, case.amount_cents) == (intent["id"], 4200)
    assert all_of(JournalEntry) == []


def test_a_case_that_was_resolved_is_not_opened_again_by_late_news(stripe, gateway):
    page = stripe.page(application="first_visit", booking_id=str(uuid4()))
    stripe.pay(page)
    checkout.confirm(page, gateway)
    [case] = all_of(Case)
    change(Case, case.id, status="resolved")

    checkout.confirm(page, gateway)

    assert len(all_of(Case)) == 1


@pytest.mark.parametrize("has_patient", [True, False])
def test_money_for_a_time_nobody_was_sent_to_pay_for_is_a_case(stripe, gateway, has_patient):
    held = hold()
    if has_patient:
        patients.set_details(held, details(), HALF_AN_HOUR)
    page = stripe.page(application="first_visit", booking_id=str(held))
    stripe.pay(page)

    checkout.confirm(page, gateway)

    assert [(case.type, case.subject_id) for case in all_of(Case)] == [
        (CaseType.PAYMENT_UNKNOWN, held)
    ]
    assert booking(held).status is BookingStatus.HELD


def test_a_second_payment_of_a_booking_that_is_paid_is_a_case(stripe, gateway):
    visit = paid(stripe)
    page = stripe.page(application="first_visit", booking_id=str(visit.booking_id))
    stripe.pay(page)

    for _ in range(2):
        checkout.confirm(page, gateway)

    [case] = all_of(Case)
    assert (case.type, case.subject_id) == (CaseType.PAYMENT_UNKNOWN, visit.booking_id)
    assert case.detail != visit.payment.stripe_payment_intent_id
    assert payment_of(visit.booking_id).amount_cents == 3900


def test_money_that_takes_days_keeps_the_time_until_it_fails(gateway):
    """Stripe completes the page at once, and says days later that nothing came."""
    payment = at_stripe()
    on_its_way = Checkout(
        payment.stripe_checkout_session_id,
        CheckoutStatus.COMPLETE,
        payment.booking_id,
        payment=None,
        has_failed=False,
    )

    checkout.write_down(on_its_way)
    assert booking(payment.booking_id).status is BookingStatus.HELD
    assert payment_of(payment.booking_id).status is PaymentStatus.OPEN
    for _ in range(2):
        checkout.write_down(replace(on_its_way, has_failed=True))

    assert booking(payment.booking_id).status is BookingStatus.EXPIRED
    assert payment_of(payment.booking_id).status is PaymentStatus.FAILED
    assert (all_of(Case), all_of(JournalEntry)) == ([], [])


def test_news_of_a_failure_after_the_money_came_changes_nothing(stripe):
    visit = paid(stripe)
    late = Checkout(
        visit.payment.stripe_checkout_session_id,
        CheckoutStatus.COMPLETE,
        visit.booking_id,
        payment=None,
        has_failed=True,
    )

    checkout.write_down(late)

    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED
    assert payment_of(visit.booking_id).status is PaymentStatus.PAID
