"""When booking does not go as hoped: every page says first where the money is."""

import re
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select, update

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    Booking,
    BookingStatus,
    Payment,
    RefundReason,
)
from booking_service.services import checkout, holds
from tests import factories
from tests.web.phone import (
    DANA,
    Phone,
    at_details,
    at_review,
    at_stripe,
    bookings,
    hold_path,
    publish,
    statuses,
)


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


def let_time_pass() -> None:
    """End every hold now."""
    db.session.execute(update(Booking).values(hold_expires_at=utc_now() - timedelta(seconds=1)))
    db.session.commit()


def test_a_hold_that_ended_can_be_taken_again_with_the_details(phone):
    at_review(phone)
    let_time_pass()

    phone.open(hold_path("review"))
    assert phone.heading.startswith("We had to let ")
    assert "You haven't been charged." in phone.words
    assert "It is still free. Your details are kept." in phone.words

    phone.press("Take it again")
    assert phone.heading == "Check your booking, then pay $39"
    assert "Dana Whitfield" in phone.words
    assert statuses() == ["expired", "held"]


def test_a_time_nobody_can_book_any_more_is_not_offered_again(phone, noon, travel):
    at_review(phone)
    travel(noon + timedelta(minutes=11))

    phone.open(hold_path("review"))

    assert "It can't be booked any more. Your details are kept." in phone.words
    assert not phone.offers("Take it again")
    assert phone.tap().heading == "Check your booking, then pay $39"


def test_details_typed_after_the_hold_ended_are_kept(phone):
    at_details(phone)
    let_time_pass()

    phone.press("Continue", **DANA).press("Take it again")

    assert "Dana Whitfield dana@example.com" in phone.words
    assert statuses() == ["expired", "held"]


def test_a_hold_that_somebody_else_has_now_leads_to_the_nearest_times(phone):
    at_review(phone)
    first = bookings()[0]
    holds.release(first.id, current_app.extensions["gateway"])
    holds.place(first.practitioner_id, first.starts_at, timedelta(minutes=9), None)
    links = current_app.extensions["links"]

    phone.open(f"/book/{links.token('hold', first.id)}/details")

    assert "You haven't been charged." in phone.words
    assert "Somebody else has it now." in phone.words
    assert phone.offers("Take it again") is False
    assert len(phone.times()) == 3


def test_more_time_is_given_to_those_who_ask(phone):
    at_details(phone)
    db.session.execute(update(Booking).values(hold_expires_at=utc_now() + timedelta(seconds=30)))
    db.session.commit()

    phone.press("Need more time?")

    assert phone.heading == "Who is coming?"
    assert bookings()[0].hold_expires_at > utc_now() + timedelta(minutes=9)


def test_coming_back_from_stripe_unpaid_keeps_the_time_and_the_page(phone):
    stripe_page = at_stripe(phone).path

    phone.open(hold_path("review"))

    assert phone.heading == "Ready when you are"
    assert "You haven't been charged." in phone.words
    assert phone.press("Pay $39.00").path == stripe_page


def test_another_time_closes_stripes_page_first(phone, stripe):
    at_stripe(phone)
    phone.open(hold_path("review")).press("Choose another time")

    assert phone.path == "/book"
    assert statuses() == ["expired"]
    session_id = db.session.scalars(select(Payment.stripe_checkout_session_id)).one()
    assert stripe.pay(session_id).status_code == 400


def test_choosing_another_time_after_paying_leads_to_the_visit(phone, stripe):
    at_stripe(phone)
    phone.open(hold_path("review"))
    stripe.pay(db.session.scalars(select(Payment.stripe_checkout_session_id)).one())

    phone.press("Choose another time")

    assert phone.heading.startswith("You're booked: ")
    assert statuses() == ["confirmed"]


def test_when_stripe_does_not_answer_the_time_stays_held(phone, stripe, texts):
    at_review(phone)
    stripe.fault("drop_before", "/v1/checkout/sessions", times=9)
    phone.press("Continue to pay", agree="on", save_card="on", texts="on")

    assert phone.answer.status_code == 503
    assert "You haven't been charged. We're still holding " in phone.words
    stripe.heal()
    phone.press("Try again")
    assert phone.path == db.session.scalars(select(Payment.checkout_url)).one()
    assert (statuses(), bookings()[0].save_card) == (["held"], True)
    assert bookings()[0].texts_agreed_at


def test_a_known_patient_learns_only_what_the_offer_is_for(phone, app, stripe):
    factories.paid(stripe, slot=factories.free_slot(200))

    known = at_details(phone).press("Continue", **DANA)

    assert known.answer.status_code == 409
    assert known.heading == "This offer is for a first visit"
    assert "You haven't been charged." in known.words
    for word in ("Dana", "example.com", "0178"):
        assert word not in known.words


def test_a_new_price_is_shown_before_it_is_asked_for(phone):
    at_review(phone)
    publish(price_cents=4500)

    phone.press("Continue to pay", agree="on")

    assert phone.heading == "The price has changed to $45.00"
    assert "You haven't been charged. It was $39.00 when you started." in phone.words
    assert db.session.scalars(select(Payment)).all() == []
    phone.press("Continue to pay $45.00", agree="on")
    assert db.session.scalars(select(Payment.amount_cents)).all() == [4500]


def test_new_terms_are_read_before_they_are_agreed_to(phone):
    at_review(phone)
    publish(price_cents=3900)

    phone.press("Continue to pay", agree="on")

    assert phone.heading == "The terms have changed"
    assert 'href="/terms/2"' in phone.html


def test_the_return_page_waits_twenty_seconds_and_then_says_so(phone):
    at_stripe(phone)

    first = phone.open(hold_path("done"))
    assert first.heading == "We're confirming your payment"
    following = re.search(
        r'<noscript><meta http-equiv="refresh" content="2;url=([^"]+)">', first.html
    )
    assert following[1].endswith("/done?look=2")
    last = phone.open(hold_path("done?look=10"))
    assert "http-equiv" not in last.html
    assert "This is taking longer than usual." in last.words


def test_the_return_page_waits_when_stripe_does_not_answer(phone, stripe):
    at_stripe(phone)
    stripe.fault("drop_before", "/v1/checkout/sessions/*", method="GET", times=9)

    phone.open(hold_path("done"))

    assert (phone.answer.status_code, phone.heading) == (200, "We're confirming your payment")


def test_paid_after_the_time_was_gone_says_where_the_money_is(phone, stripe, gateway):
    at_stripe(phone)
    lost = bookings()[0]
    session_id = db.session.scalars(select(Payment.stripe_checkout_session_id)).one()
    db.session.execute(update(Booking).values(status=BookingStatus.EXPIRED))
    db.session.commit()
    holds.place(lost.practitioner_id, lost.starts_at, timedelta(minutes=9), None)
    stripe.pay(session_id)
    checkout.confirm(session_id, gateway)

    links = current_app.extensions["links"]
    phone.open(f"/book/{links.token('hold', lost.id)}/done")

    assert phone.heading == "Your $39.00 was taken, and the time was gone"
    assert phone.offers("Send my $39.00 back now")
    assert factories.refunds() == []


def test_paid_twice_says_that_one_goes_back(phone, app, stripe):
    other = Phone(app.test_client())
    at_stripe(phone)
    first = hold_path("done")
    at_stripe(other, 12)
    second = hold_path("done")
    for session_id in db.session.scalars(select(Payment.stripe_checkout_session_id)).all():
        stripe.pay(session_id)

    assert phone.open(first).heading.startswith("You're booked: ")
    assert other.open(second).heading == "You're booked once"
    assert "The second $39.00 is going back to Visa 4242." in other.words
    assert [refund.reason for refund in factories.refunds()] == [RefundReason.DUPLICATE_PAYMENT]
