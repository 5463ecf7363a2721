import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from booking_service.db import locked, transaction
from booking_service.errors import (
    GatewayUnavailable,
    HoldEnded,
    Invalid,
    NotANewPatient,
    TermsChanged,
)
from booking_service.gateways.payments import Event
from booking_service.languages import Language
from booking_service.local.ports import wait_until
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    Case,
    JournalEntry,
    Offer,
    OutboxMessage,
    Patient,
    Payment,
    PaymentStatus,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
    TermsAcceptance,
    Topic,
    WebhookEvent,
)
from booking_service.queries import state
from booking_service.services import checkout, holds, orders, patients, times, webhooks
from tests.factories import (
    HALF_AN_HOUR,
    all_of,
    at_stripe,
    booking,
    change,
    converted,
    details,
    free_slot,
    hold,
    lost_time,
    paid,
    payment_of,
    refunds,
    visit_of,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

SESSIONS = "/v1/checkout/sessions"
AGREED = orders.Consent(1, Language.EN, "203.0.113.9", "a browser", save_card=True)
# Words, and not letters that come together by chance in an id.
HEALTH = re.compile(
    r"(?<![\w.-])(?:chiropract|spin|adjust|exam\b|treat|health|doctor|dr\.|corrective)"
)


@pytest.fixture
def start(app, gateway):
    """Send a patient to Stripe; return the address of the page."""

    def to_stripe(booking_id: UUID, consent: orders.Consent = AGREED) -> str:
        return checkout.start(booking_id, consent, gateway, app.extensions["links"], HALF_AN_HOUR)

    return to_stripe


def with_details(nth: int = 0, **person) -> UUID:
    booking_id = hold(free_slot(nth))
    patients.set_details(booking_id, details(**person), HALF_AN_HOUR)
    return booking_id


def actions(subject_id: UUID) -> list[str]:
    return [row.action for row in all_of(AuditRow) if row.subject_id == subject_id]


def test_what_was_agreed_to_is_kept(noon, start):
    booking_id = with_details()

    consent = orders.Consent(1, Language.ES, "2001:db8::1", "b" * 500, save_card=False)
    start(booking_id, consent)

    [kept] = all_of(TermsAcceptance)
    [offer] = all_of(Offer)
    [patient] = all_of(Patient)
    assert (kept.booking_id, kept.offer_id) == (booking_id, offer.id)
    assert (kept.terms_hash, kept.accepted_at) == (offer.terms_hash_es, noon)
    assert kept.language is patient.locale is Language.ES
    assert (kept.address, kept.user_agent) == ("2001:db8::1", "b" * 400)
    assert actions(booking_id) == ["booking.hold", "terms.accept"]
    assert booking(booking_id).save_card is False


def test_an_offer_without_spanish_is_agreed_to_in_english(noon, start):
    spanish = ("includes_es", "promise_es", "terms_es", "terms_hash_es")
    [offer] = all_of(Offer)
    change(Offer, offer.id, **dict.fromkeys(spanish))

    start(with_details(), replace(AGREED, language=Language.ES))

    [kept] = all_of(TermsAcceptance)
    [patient] = all_of(Patient)
    assert (kept.language, kept.terms_hash) == (Language.EN, offer.terms_hash)
    assert patient.locale is Language.ES


@pytest.mark.parametrize(
    ("language", "title", "promise"),
    [
        (Language.EN, "First visit", "$39.00 goes back to this card if you become a member"),
        (Language.ES, "Primera visita", "$39.00 vuelven a esta tarjeta si usted se hace miembro"),
    ],
)
def test_stripes_page_is_in_the_language_of_the_terms(
    noon, start, stripe, language, title, promise
):
    start(with_details(), replace(AGREED, language=language))

    [page] = stripe.listed("checkout/sessions")
    asked = next(e for e in stripe.log() if e["path"] == "/v1/checkout/sessions")["params"]
    assert page["locale"] == language
    assert asked["line_items"]["0"]["price_data"]["product_data"] == {"name": title}
    assert page["custom_text"]["submit"]["message"].startswith(promise)


def test_the_payment_is_what_the_offer_costs_and_the_hold_lasts_while_paying(noon, travel, start):
    booking_id = with_details()
    travel(noon + timedelta(minutes=5))

    url = start(booking_id)

    payment = payment_of(booking_id)
    assert (payment.amount_cents, payment.currency) == (3900, "usd")
    assert payment.status is PaymentStatus.OPEN
    assert payment.checkout_url == url
    assert booking(booking_id).hold_expires_at == noon + timedelta(minutes=5) + HALF_AN_HOUR


def test_terms_that_changed_meanwhile_must_be_read_again(start, stripe):
    booking_id = with_details()
    with transaction() as session:
        old = session.query(Offer).one()
        facts = ("currency", "includes", "promise", "terms", "terms_hash", "published_at")
        copied = {name: getattr(old, name) for name in facts}
        session.add(Offer(version=2, price_cents=4900, **copied))

    with pytest.raises(TermsChanged):
        start(booking_id)

    assert stripe.log() == []
    assert all_of(TermsAcceptance) == []
    assert all_of(Payment) == []


def test_nobody_is_sent_to_stripe_without_details(start, stripe):
    with pytest.raises(Invalid) as invalid:
        start(hold())

    assert [error.field for error in invalid.value.errors] == ["patient"]
    assert stripe.log() == []


def test_starting_twice_answers_the_same_page(start, stripe):
    booking_id = with_details()

    urls = {start(booking_id), start(booking_id)}

    assert len(urls) == 1
    assert stripe.statuses("POST", SESSIONS) == [200]
    assert len(all_of(TermsAcceptance)) == 1
    assert actions(booking_id).count("terms.accept") == 1


def test_when_stripe_does_not_answer_the_time_stays_held_and_one_page_is_made(start, stripe):
    booking_id = with_details()
    stripe.fault("drop_after", SESSIONS)

    with pytest.raises(GatewayUnavailable):
        start(booking_id)
    assert booking(booking_id).status is BookingStatus.HELD
    url = start(booking_id)

    assert stripe.statuses("POST", SESSIONS) == [0, 200]
    [page] = stripe.listed("checkout/sessions")
    assert url == page["url"]
    assert payment_of(booking_id).stripe_checkout_session_id == page["id"]


def test_a_hold_that_ends_while_stripe_thinks_leaves_no_page_to_pay(app, start, stripe, gateway):
    booking_id = with_details()
    fault = stripe.fault("hold", SESSIONS)

    def in_a_request() -> str:
        with app.app_context():
            return start(booking_id)

    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(in_a_request)
        wait_until(lambda: stripe.blocked(fault) == 1, "the request to reach Stripe")
        holds.release(booking_id, gateway)
        stripe.release(fault)
        with pytest.raises(HoldEnded):
            page.result()

    assert [page["status"] for page in stripe.listed("checkout/sessions")] == ["expired"]
    assert booking(booking_id).status is BookingStatus.EXPIRED


def test_a_hold_that_is_being_let_go_when_stripe_answers_leaves_no_page_to_pay(app, start, stripe):
    """The page is kept only after who lets the time go has written that down."""
    booking_id = with_details()
    fault = stripe.fault("hold", SESSIONS)

    def in_a_request() -> str:
        with app.app_context():
            return start(booking_id)

    with ThreadPoolExecutor(1) as pool:
        page = pool.submit(in_a_request)
        wait_until(lambda: stripe.blocked(fault) == 1, "the request to reach Stripe")
        with transaction() as session:
            locked(session, Booking, booking_id).status = BookingStatus.EXPIRED
            session.flush()
            asked = select(Payment).where(Payment.booking_id == booking_id).with_for_update()
            session.scalars(asked).one().status = PaymentStatus.EXPIRED
            session.flush()
            stripe.release(fault)
            waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            wait_until(lambda: session.scalar(waiting) == 1, "the page to wait for the time")
        with pytest.raises(HoldEnded):
            page.result()

    assert [page["status"] for page in stripe.listed("checkout/sessions")] == ["expired"]
    kept = payment_of(booking_id)
    assert kept.status is PaymentStatus.EXPIRED
    assert kept.stripe_checkout_session_id is not None


def test_who_had_a_first_visit_meanwhile_is_not_sent_to_pay_again(start, stripe):
    second = with_details(5)
    paid(stripe)

    with pytest.raises(NotANewPatient):
        start(second)


def outcome(booking_id: UUID) -> dict:
    """Everything that a confirmation writes down."""
    payment = payment_of(booking_id)
    about = {booking_id, payment.id}
    return {
        "booking": booking(booking_id).status,
        "payment": (payment.status, payment.fee_cents, payment.card, payment.amount_cents),
        "promises": [p.status for p in all_of(Promise) if p.booking_id == booking_id],
        "ledger": sorted(e.kind for e in all_of(JournalEntry) if e.subject_id in about),
        "mails": [m.topic for m in all_of(OutboxMessage) if m.subject_id == booking_id],
        "audit": actions(booking_id),
        "refunds": [r.id for r in refunds() if r.payment_id == payment.id],
    }


CONFIRMED = {
    "booking": BookingStatus.CONFIRMED,
    "payment": (PaymentStatus.PAID, 143, "Visa 4242", 3900),
    "promises": [PromiseStatus.OPEN],
    "ledger": ["payment", "payment_fee"],
    "mails": [Topic.BOOKING_CONFIRMED],
    "audit": ["booking.hold", "terms.accept", "booking.confirm"],
    "refunds": [],
}


def test_return_page_webhook_and_sweep_agree_in_every_order(gateway, stripe):
    def by_webhook(payment: Payment) -> None:
        page = payment.stripe_checkout_session_id
        webhooks.receive(Event(f"evt_{page}", "checkout.session.completed", page))
        [event] = [e for e in all_of(WebhookEvent) if e.object_id == page]
        webhooks.process(event.id, gateway)

    ways = {
        "return": lambda payment: checkout.confirm(payment.stripe_checkout_session_id, gateway),
        "webhook": by_webhook,
        "sweep": lambda payment: holds.release(payment.booking_id, gateway),
    }

    outcomes = {}
    for nth, order in enumerate(permutations(ways)):
        person = {"name": f"Patient {nth}", "email": f"{nth}@example.com"}
        payment = at_stripe(free_slot(), phone=f"518 555 100{nth}", **person)
        stripe.pay(payment.stripe_checkout_session_id)
        for way in order:
            ways[way](payment)
        outcomes[order] = outcome(payment.booking_id)

    assert outcomes == dict.fromkeys(permutations(ways), CONFIRMED)
    assert state.state()["audit"]["verified"]


def test_paid_for_a_time_that_is_taken_waits_for_the_patients_choice(noon, gateway, stripe, work):
    slot = free_slot()
    late, winner = lost_time(stripe, gateway)

    for _ in range(2):
        checkout.confirm(late.stripe_checkout_session_id, gateway)
        work()

    kept = booking(late.booking_id)
    assert (kept.status, kept.starts_at) == (BookingStatus.EXPIRED, slot.starts_at)
    assert kept.choose_until == noon + timedelta(hours=24)
    assert payment_of(late.booking_id).status is PaymentStatus.PAID
    assert booking(winner.booking_id).status is BookingStatus.CONFIRMED
    assert [p.booking_id for p in all_of(Promise)] == [winner.booking_id]
    assert (refunds(), stripe.refunds()) == ([], [])
    assert state.state()["ledger"]["accounts"]["refund_liability"] == -7800


def test_paid_when_the_time_was_over_waits_for_the_patients_choice(noon, travel, gateway, stripe):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)
    travel(booking(payment.booking_id).ends_at)

    checkout.confirm(payment.stripe_checkout_session_id, gateway)

    assert booking(payment.booking_id).status is BookingStatus.EXPIRED
    assert booking(payment.booking_id).choose_until is not None


def test_paid_for_a_taken_time_by_somebody_with_a_visit_goes_back(gateway, stripe, work):
    slot = free_slot()
    late = at_stripe(slot)
    change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
    paid(stripe, slot=slot, name="Robin Hale", email="robin@example.com")
    other = at_stripe(free_slot(5))
    for payment in (other, late):
        stripe.pay(payment.stripe_checkout_session_id)
        checkout.confirm(payment.stripe_checkout_session_id, gateway)
    work()

    [refund] = refunds()
    assert (refund.payment_id, refund.reason) == (late.id, RefundReason.DUPLICATE_PAYMENT)
    assert booking(late.booking_id).choose_until is None


def test_paid_for_a_visit_that_was_cancelled_meanwhile_goes_back(gateway, stripe, work):
    payment = at_stripe()
    change(Booking, payment.booking_id, status=BookingStatus.CANCELLED)
    stripe.pay(payment.stripe_checkout_session_id)

    for _ in range(2):
        checkout.confirm(payment.stripe_checkout_session_id, gateway)
        work()

    [refund] = refunds()
    assert (refund.reason, refund.status) == (RefundReason.CANCELLATION, RefundStatus.SUCCEEDED)
    assert booking(payment.booking_id).status is BookingStatus.CANCELLED


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"application": "a_shop", "booking_id": "THEIRS"},
        {"application": "first_visit"},
        {"application": "first_visit", "booking_id": "7"},
    ],
    ids=["no metadata", "another application", "no booking", "no id"],
)
def test_a_page_that_is_not_ours_changes_nothing(gateway, stripe, metadata):
    held = with_details()
    metadata = {name: str(held) if v == "THEIRS" else v for name, v in metadata.items()}
    page = stripe.page(**metadata)
    stripe.pay(page)

    checkout.confirm(page, gateway)

    assert booking(held).status is BookingStatus.HELD
    assert (all_of(Payment), all_of(JournalEntry), all_of(Case)) == ([], [], [])


def test_a_declined_card_charges_nothing_and_the_time_stays_held(gateway, stripe):
    payment = at_stripe()

    declined = stripe.pay(payment.stripe_checkout_session_id, "4000000000000002")
    checkout.confirm(payment.stripe_checkout_session_id, gateway)

    assert declined.status_code == 402
    assert booking(payment.booking_id).status is BookingStatus.HELD
    assert payment_of(payment.booking_id).status is PaymentStatus.OPEN
    assert all_of(JournalEntry) == []
    stripe.pay(payment.stripe_checkout_session_id)
    checkout.confirm(payment.stripe_checkout_session_id, gateway)
    assert outcome(payment.booking_id) == CONFIRMED


def test_a_fee_that_stripe_books_late_is_booked_when_it_comes(gateway, stripe):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)
    found = gateway.find_checkout(payment.stripe_checkout_session_id)
    without_fee = replace(found, payment=replace(found.payment, fee_cents=None))

    checkout.write_down(without_fee)
    assert payment_of(payment.booking_id).fee_cents is None
    checkout.write_down(found)
    checkout.write_down(found)

    assert outcome(payment.booking_id) == CONFIRMED


@pytest.mark.parametrize("save_card", [True, False])
def test_a_card_is_kept_only_when_the_patient_agreed(stripe, save_card):
    visit = paid(stripe, save_card=save_card)

    kept = (visit.payment.stripe_payment_method_id, visit.payment.stripe_customer_id)
    assert [fact is not None for fact in kept] == [save_card, save_card]


def test_stripe_is_told_nothing_personal_and_nothing_about_health(stripe, work):
    converted(stripe, name="Canaria Whitfield", email="canary@canary.example", phone="518 555 0199")
    visit_of("Canaria Second", stripe, 5, save_card=False)
    work()

    sent = json.dumps([entry["params"] for entry in stripe.log()]).lower()
    keys = " ".join(entry["idempotency_key"] or "" for entry in stripe.log()).lower()
    assert len(stripe.refunds()) == 1
    personal = ["canar", "whitfield", "5550199", "555 0199"]
    assert [word for word in personal if word in sent + keys] == []
    assert HEALTH.findall(sent + keys) == []


def test_a_page_nobody_told_us_about_is_closed_and_asked_about(noon, travel, gateway, stripe):
    unpaid = at_stripe()
    was_paid = at_stripe(free_slot(5), name="Robin Hale", email="robin@example.com")
    stripe.pay(was_paid.stripe_checkout_session_id)
    assert checkout.sweep(gateway) == 0
    travel(noon + HALF_AN_HOUR + timedelta(seconds=61))

    assert checkout.sweep(gateway) == 2

    assert payment_of(unpaid.booking_id).status is PaymentStatus.EXPIRED
    assert booking(unpaid.booking_id).status is BookingStatus.EXPIRED
    assert outcome(was_paid.booking_id) == CONFIRMED
    assert checkout.sweep(gateway) == 0


def test_an_open_page_of_a_time_let_go_is_closed_too(gateway, stripe):
    payment = at_stripe()
    change(Booking, payment.booking_id, status=BookingStatus.EXPIRED)

    assert checkout.sweep(gateway) == 1

    assert [page["status"] for page in stripe.listed("checkout/sessions")] == ["expired"]
    assert payment_of(payment.booking_id).status is PaymentStatus.EXPIRED


def test_a_page_that_cannot_be_asked_about_never_stands_in_the_way(noon, travel, gateway, stripe):
    gone = at_stripe()
    change(Payment, gone.id, stripe_checkout_session_id="cs_of_another_account")
    payment = at_stripe(free_slot(5), name="Robin Hale", email="robin@example.com")
    stripe.pay(payment.stripe_checkout_session_id)
    travel(noon + timedelta(hours=1))

    checkout.sweep(gateway)

    assert outcome(payment.booking_id) == CONFIRMED
    assert payment_of(gone.booking_id).status is PaymentStatus.OPEN


def test_a_refusal_of_a_rule_nobody_foresaw_is_not_taken_for_a_taken_time(
    gateway, stripe, monkeypatch
):
    slot = free_slot()
    late = at_stripe(slot)
    change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
    hold(slot)
    stripe.pay(late.stripe_checkout_session_id)
    monkeypatch.setattr(times, "NO_OVERLAP", "another")

    with pytest.raises(IntegrityError):
        checkout.confirm(late.stripe_checkout_session_id, gateway)

    assert payment_of(late.booking_id).status is PaymentStatus.OPEN
