"""Somebody known uses the offer; somebody else pays; cash; and somebody who asks to be forgotten.

Hard cases "existing patient uses the offer", "someone pays for spouse or child", "paid at the desk"
and "a patient asks to be forgotten".
"""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import false, select, text, update

from booking_service.clock import utc_now
from booking_service.db import Base, db
from booking_service.errors import NotANewPatient
from booking_service.gateways.payments import RefundOrder
from booking_service.models import AuditRow, Booking, CaseAction, Patient, Payment, PaymentTender
from booking_service.services import bookings, checkout, patients, refunds, visit_steps
from tests.case_makers import ANA, BY_CASH, case_of, do
from tests.factories import (
    PRIYA,
    all_of,
    at_stripe,
    booking,
    free_slot,
    paid,
    payment_of,
    plan,
)
from tests.factories import refunds as all_refunds
from tests.faults.facts import booked, cases, promise
from tests.web.phone import at_details

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

REFUSAL = "This offer is for a first visit"


# Existing patient uses the offer.


def typed(phone, /, **person: str) -> str:
    """What the page's heading is after somebody gave these details."""
    known = {"name": "Dana Whitfield", "phone": "518 555 0178", "email": "dana@example.com"}
    return at_details(phone, 5).press("Continue", **(known | person)).heading


BY_PHONE = {"email": "new@example.com"}
BY_EMAIL = {"phone": "518 555 0199", "name": " dana  WHITFIELD"}
STRANGER = {"phone": "518 555 0199", "name": "Robin Hale"}  # who knows Dana's address


@pytest.mark.parametrize("person", [{}, BY_PHONE, BY_EMAIL], ids=["both", "phone", "email"])
def test_existing_patient_uses_the_offer_and_is_told_whom_to_call(phone, stripe, person):
    paid(stripe)

    assert typed(phone, **person) == REFUSAL
    assert "Call (518) 555-0142" in phone.words
    assert "dana" not in phone.words.lower()


def test_existing_patient_stays_unknown_to_whoever_types_their_address(phone, stripe):
    paid(stripe)

    known = typed(phone, **STRANGER)

    assert known == typed(phone, **STRANGER, **BY_PHONE) != REFUSAL


def test_matching_on_the_address_alone_would_tell_a_stranger_that_it_is_known(
    phone, stripe, monkeypatch
):
    """The control."""
    paid(stripe)

    keep = patients.keep_holding

    def by_address(session, details, besides):
        if session.scalar(select(Patient.id).where(Patient.email == details.email)):
            raise NotANewPatient("This offer is for a first visit.")
        return keep(session, details, besides)

    monkeypatch.setattr(patients, "keep_holding", by_address)

    assert typed(phone, **STRANGER) == REFUSAL


def test_without_matching_an_existing_patient_has_a_second_first_visit(stripe, monkeypatch):
    paid(stripe)
    monkeypatch.setattr(patients, "name_key", str)  # which is nobody's key

    again = paid(stripe, slot=free_slot(5), **BY_PHONE)

    assert booking(again.booking_id).status == "confirmed"


# Someone pays for spouse or child.


def cancelled_by_the_practice(stripe, gateway, work):
    """Dana's visit, paid by her spouse, who has a visit of their own; return their payments."""
    own = paid(stripe, slot=free_slot(5), name="Robin Whitfield", email="robin@example.com")
    danas = at_stripe(free_slot(40), save_card=False)
    stripe.pay(danas.stripe_checkout_session_id, "5555555555554444", email="robin@example.com")
    checkout.confirm(danas.stripe_checkout_session_id, gateway)
    bookings.cancel(danas.booking_id, PRIYA)
    work()
    return payment_of(danas.booking_id), own.payment


def test_someone_pays_for_spouse_or_child_and_the_refund_goes_to_the_payers_card(
    stripe, gateway, work
):
    payment, _ = cancelled_by_the_practice(stripe, gateway, work)

    patient = db.session.get_one(Patient, booking(payment.booking_id).patient_id)
    assert (patient.name, patient.email) == ("Dana Whitfield", "dana@example.com")
    assert payment.card == "Mastercard 4444"
    assert [r["payment_intent"] for r in stripe.refunds()] == [payment.stripe_payment_intent_id]


def test_a_refund_that_looked_for_the_person_would_go_to_another_card(
    stripe, gateway, work, monkeypatch
):
    """The control: the order names the payment that the payer's name leads to."""

    def by_name(refund_id, _intent, *more):
        theirs = select(Payment.stripe_payment_intent_id).join(Booking)
        theirs = theirs.join(Patient, Patient.id == Booking.patient_id)
        payers = db.session.scalars(theirs.where(Patient.name == "Robin Whitfield")).one()
        return RefundOrder(refund_id, payers, *more)

    monkeypatch.setattr(refunds, "RefundOrder", by_name)

    _, own = cancelled_by_the_practice(stripe, gateway, work)

    assert [r["payment_intent"] for r in stripe.refunds()] == [own.stripe_payment_intent_id]


# Paid at the desk.


def walk_in_who_joins(desk, travel, work):
    """Cash for the visit, cash for the first month; return how the refund stands."""
    body = {
        "practitioner_id": str(free_slot().practitioner_id),
        "patient": {"name": "Dana W", "email": "dana@example.com", "phone": "518 555 0178"},
        "payment": {"tender": "cash", "reference": "R-17"},
        "accept_terms_version": 1,
    }
    visit = f"/bookings/{desk.post('/walk-ins', body).get_json()['id']}"
    for step in ("arrive", "begin-treatment"):
        desk.post(f"{visit}/{step}")
    recorded = {"method": "recorded", "reference": "R-18"}
    desk.post(f"{visit}/convert", {"plan_id": str(plan().id), "payment": recorded})
    travel(utc_now() + timedelta(seconds=11))
    work()
    [refund] = all_refunds()
    return refund.status.value, promise().value


def test_paid_at_the_desk_is_paid_back_at_the_desk_with_a_receipt(desk, stripe, travel, work):
    assert walk_in_who_joins(desk, travel, work) == ("blocked", "earned")
    [refund] = all_refunds()

    do(case_of(refund.id).id, CaseAction.SETTLE, ANA, BY_CASH)

    assert (all_refunds()[0].status, promise()) == ("settled_otherwise", "settled")
    assert (stripe.log(), booked()) == ([], [])


def test_without_its_tender_stripe_is_asked_for_money_it_never_had_and_nobody_is_told(
    desk, stripe, travel, work, monkeypatch
):
    monkeypatch.setattr(refunds, "PaymentTender", SimpleNamespace(CARD=PaymentTender.CASH))

    assert walk_in_who_joins(desk, travel, work) == ("sending", "earned")
    assert (len(stripe.keys("/v1/refunds")), cases()) == (1, [])


# A patient asks to be forgotten.

CANARIES = ("whitfield", "lovelace", "dana@example", "5550178", "203.0.113.9", "a browser")


def left_of_dana() -> set[tuple[str, str]]:
    """Return where in the whole database anything about her is."""
    db.session.rollback()
    found = set()
    for table in Base.metadata.sorted_tables:
        for row in db.session.scalars(text(f"SELECT row_to_json(t)::text FROM {table.name} t")):
            found |= {(table.name, canary) for canary in CANARIES if canary in row.lower()}
    return found


@pytest.fixture
def gone_home(stripe, work):
    """Dana's visit, booked by Ada Lovelace, is over and the money was kept."""
    visit = paid(stripe, booked_by="Ada Lovelace")
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.complete(visit.booking_id, PRIYA)
    work()
    assert {canary for _, canary in left_of_dana()} == set(CANARIES)
    return visit


def money_facts() -> dict[str, int]:
    names = ("payments", "promises", "journal_entries", "journal_lines", "terms_acceptances")
    return {name: db.session.scalar(text(f"SELECT count(*) FROM {name}")) for name in names}


def test_a_patient_asks_to_be_forgotten_and_the_money_facts_stay(gone_home):
    before = money_facts()

    for _ in range(2):
        patients.erase(booking(gone_home.booking_id).patient_id, PRIYA)

    assert left_of_dana() == set()
    assert money_facts() == before
    assert payment_of(gone_home.booking_id).amount_cents == 3900
    assert [r.actor_kind for r in all_of(AuditRow) if r.action == "patient.erase"] == ["staff"]


def test_forgetting_the_patients_row_alone_leaves_who_booked_and_where_they_agreed_from(
    gone_home, monkeypatch
):
    """The control."""
    monkeypatch.setattr(patients, "update", lambda model: update(model).where(false()))

    patients.erase(booking(gone_home.booking_id).patient_id, PRIYA)

    assert left_of_dana() == {
        ("bookings", "lovelace"),
        ("terms_acceptances", "203.0.113.9"),
        ("terms_acceptances", "a browser"),
    }
