"""Booked and paid at the desk: the same visit, the same promise, another drawer."""

from datetime import timedelta
from uuid import uuid4

import pytest
from flask import current_app

from booking_service.errors import (
    Invalid,
    NoSavedCard,
    NotANewPatient,
    SlotTaken,
    TermsChanged,
)
from booking_service.languages import Language
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    JournalLine,
    Offer,
    OutboxMessage,
    Payment,
    PaymentStatus,
    PaymentTender,
    Promise,
    PromiseStatus,
    Tender,
    TermsAcceptance,
    Topic,
)
from booking_service.queries import availability
from booking_service.services import checkout, memberships, orders, visit_steps, walk_ins
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.walk_ins import DeskPayment
from tests.factories import HALF_AN_HOUR, PRIYA, all_of, booking, details, hold, payment_of, plan

pytestmark = pytest.mark.usefixtures("seeded", "mail")

CASH = DeskPayment(PaymentTender.CASH, "R-17", 1)


def a_doctor():
    return availability.practitioners()[0].id


def walk_in(at, paid: DeskPayment = CASH, **person):
    return walk_ins.book((a_doctor(), at), details(**person), paid, PRIYA)


@pytest.mark.parametrize("tender", [PaymentTender.CASH, PaymentTender.TERMINAL])
def test_a_walk_in_is_a_paid_visit_with_its_promise(noon, stripe, tender):
    paid = DeskPayment(tender, " R-17 ", 1)

    booking_id = walk_in(noon, paid)

    made, payment = booking(booking_id), payment_of(booking_id)
    assert (made.status, made.starts_at) == (BookingStatus.CONFIRMED, noon)
    assert (made.confirmed_at, made.source) == (noon, "desk")
    assert (payment.status, payment.amount_cents) == (PaymentStatus.PAID, 3900)
    assert (payment.tender, payment.reference, payment.paid_at) == (tender, "R-17", noon)
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]
    lines = {line.account.value: line.amount_cents for line in all_of(JournalLine)}
    assert lines == {"desk_takings": 3900, "refund_liability": -3900}
    assert [row.topic for row in all_of(OutboxMessage)] == [Topic.BOOKING_CONFIRMED]
    assert [(row.action, row.after) for row in all_of(AuditRow)][-1] == (
        "booking.walk_in",
        {"tender": tender},
    )
    assert stripe.log() == []


def test_the_terms_were_agreed_to_in_front_of_the_desk(noon):
    booking_id = walk_in(noon)

    [kept], [offer] = all_of(TermsAcceptance), all_of(Offer)
    assert (kept.booking_id, kept.terms_hash) == (booking_id, offer.terms_hash)
    assert (kept.address, kept.user_agent, kept.accepted_at) == ("at the desk", "Priya Shah", noon)


def test_a_mail_says_how_it_was_paid_and_where_it_goes_back(noon, work, mail):
    walk_in(noon)

    work()

    [letter] = mail.letters
    words = " ".join(letter.text.split())
    assert "Paid: $39.00 with cash" in words
    assert "Your $39.00 goes back to you at the desk if you become a member" in words


def test_a_payment_by_card_at_the_desk_says_so(noon):
    payment = payment_of(walk_in(noon, DeskPayment(PaymentTender.TERMINAL, "R-17", 1)))

    assert (payment.card, payment.way_back) == ("a card at the desk", "you at the desk")


def test_a_walk_in_is_converted_with_a_recorded_payment_only(noon):
    booking_id = walk_in(noon)
    visit_steps.arrive(booking_id, PRIYA)
    visit_steps.begin_treatment(booking_id, PRIYA)

    def convert(tendered):
        return memberships.convert(
            booking_id, plan().id, tendered, PRIYA, timedelta(0), agreement=Ground.PAPER
        )

    with pytest.raises(NoSavedCard):
        convert(Tendered(Tender.SAVED_CARD))
    _, is_new = convert(Tendered(Tender.RECORDED, "R-18"))

    assert is_new


def test_a_time_somebody_has_is_not_given_away_at_the_desk(noon):
    [slot] = availability.soonest(1, a_doctor())
    hold(slot)

    with pytest.raises(SlotTaken, match="give the money back"):
        walk_in(slot.starts_at)

    assert (all_of(Payment), all_of(Promise)) == ([], [])


def test_who_had_a_first_visit_is_refused_at_the_desk_too(noon):
    walk_in(noon)

    with pytest.raises(NotANewPatient):
        walk_in(noon + timedelta(hours=2))

    assert len(all_of(Booking)) == 1


def test_the_terms_shown_must_be_those_on_sale(noon):
    with pytest.raises(TermsChanged):
        walk_in(noon, DeskPayment(PaymentTender.CASH, "R-17", 2))

    assert all_of(Booking) == []


def test_what_makes_no_walk_in(noon):
    wrong = {
        "tender": lambda: walk_in(noon, DeskPayment(PaymentTender.CARD, "R-17", 1)),
        "reference": lambda: walk_in(noon, DeskPayment(PaymentTender.CASH, "  ", 1)),
        "starts_at": lambda: walk_in(noon + timedelta(days=1)),
        "practitioner_id": lambda: walk_ins.book((uuid4(), noon), details(), CASH, PRIYA),
    }

    for field, ask in wrong.items():
        with pytest.raises(Invalid) as invalid:
            ask()
        assert [error.field for error in invalid.value.errors] == [field]
    assert all_of(Booking) == []


def test_a_time_is_held_for_who_pays_on_their_phone_and_booked_when_they_have(noon, stripe):
    booking_id = walk_ins.hold((a_doctor(), noon), details(), HALF_AN_HOUR, PRIYA)

    held = booking(booking_id)
    assert (held.status, held.held_by, held.source) == (BookingStatus.HELD, "Priya Shah", "desk")
    assert held.hold_expires_at == noon + HALF_AN_HOUR
    consent = orders.Consent(1, Language.EN, "203.0.113.9", "a phone", False, False)
    known = current_app.extensions
    checkout.start(booking_id, consent, known["gateway"], known["links"], HALF_AN_HOUR)
    page = payment_of(booking_id).stripe_checkout_session_id
    stripe.pay(page)
    checkout.confirm(page, known["gateway"])
    visit_steps.arrive(booking_id, PRIYA)

    assert booking(booking_id).status is BookingStatus.ARRIVED
    assert payment_of(booking_id).tender is PaymentTender.CARD


def test_a_held_walk_in_is_of_today_and_not_over_another_visit(noon, stripe):
    with pytest.raises(Invalid):
        walk_ins.hold((a_doctor(), noon + timedelta(days=1)), details(), HALF_AN_HOUR, PRIYA)
    walk_in(noon)
    with pytest.raises(SlotTaken):
        walk_ins.hold(
            (a_doctor(), noon + timedelta(minutes=20)),
            details(name="Robin Hale", email="robin@example.com", phone="518 555 0101"),
            HALF_AN_HOUR,
            PRIYA,
        )
    with pytest.raises(NotANewPatient):
        walk_ins.hold((a_doctor(), noon + timedelta(hours=2)), details(), HALF_AN_HOUR, PRIYA)
