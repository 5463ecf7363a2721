import re
from time import monotonic

import pytest
import requests

GOOD = {
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 40",
    "cvc": "123",
    "name": "Pat Payer",
    "email": "payer@example.com",
}


def submit(session_url: str, **facts) -> requests.Response:
    return requests.post(session_url, data=GOOD | facts, timeout=20, allow_redirects=False)


def page(url: str) -> str:
    answer = requests.get(url, timeout=10)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.text


def test_the_page_shows_what_is_paid_and_for_what(sim):
    promise = {"submit": {"message": "Refunded in full if you join."}}
    session = sim.open_session(custom_text=promise)

    text = re.sub(r"\s+", " ", page(session.url))

    assert "First visit" in text
    assert "Pay $39.00</button>" in text
    assert "Refunded in full if you join." in text
    assert 'href="http://clinic.test/back"' in text
    assert "Test payments — no real money" in text
    labelled = re.findall(r'<label for="(\w+)">', text)
    assert labelled == ["email", "number", "expiry", "cvc", "name"]
    assert all(f'<input id="{name}" name="{name}"' in text for name in labelled)
    assert "<script" not in text


def test_a_known_email_is_shown_and_not_asked_for(sim):
    text = page(sim.open_session(customer_email="known@example.com").url)

    assert "known@example.com" in text
    assert 'name="email"' not in text


def test_paying_goes_to_the_clinic_with_the_sessions_id(sim):
    session = sim.open_session()

    answer = submit(session.url)

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"http://clinic.test/done?session={session.id}"
    assert sim.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"number": "4000000000000002"}, "number", "Your card was declined."),
        ({"number": "4000000000009995"}, "number", "Your card has insufficient funds."),
        ({"number": "1234"}, "number", "Your card number is incorrect."),
        ({"expiry": "13 / 40"}, "expiry", "Your card&#39;s expiration month is invalid."),
        ({"expiry": "12/20"}, "expiry", "Your card&#39;s expiration year is in the past."),
        ({"cvc": "12"}, "cvc", "Your card&#39;s security code is invalid."),
        ({"email": ""}, "email", "An email is needed."),
    ],
)
def test_a_refusal_is_told_beside_its_field_and_nothing_is_charged(sim, typed, field, message):
    session = sim.open_session()

    answer = submit(session.url, **typed)

    assert answer.status_code in {400, 402}
    assert f'role="alert">{message}</p>' in answer.text
    marked = re.findall(r'<input id="(\w+)"[^>]*aria-invalid="true"', answer.text)
    assert marked == [field]
    assert 'value="Pat Payer"' in answer.text
    assert GOOD["number"] not in re.findall(r'value="([^"]*)"', answer.text)
    assert sim.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert [charge for charge in sim.stripe.v1.charges.list().data if charge.paid] == []


def test_a_closed_session_says_so(sim):
    paid, expired = sim.paid(), sim.open_session()
    sim.stripe.v1.checkout.sessions.expire(expired.id)

    assert "Already paid" in page(f"{sim.base}/c/pay/{paid.id}")
    assert "This page has expired" in page(f"{sim.base}/c/pay/{expired.id}")
    for session in (paid, expired):
        assert submit(f"{sim.base}/c/pay/{session.id}").status_code == 409
    assert requests.get(f"{sim.base}/c/pay/cs_none", timeout=5).status_code == 404


def test_the_page_waits_until_the_clinic_has_heard(hooked, endpoint):
    session = hooked.open_session()

    answer = submit(session.url)

    assert answer.status_code == 303
    assert "checkout.session.completed" in endpoint.types()


def test_the_page_does_not_wait_for_an_endpoint_that_fails(hooked, endpoint):
    endpoint.answers = [500] * 20
    started = monotonic()

    assert submit(hooked.open_session().url).status_code == 303

    assert monotonic() - started < 5


def test_what_was_typed_cannot_become_markup(sim):
    session = sim.open_session()

    answer = submit(session.url, name='"><script>', number="1")

    assert "<script>" not in answer.text


def test_the_front_page_shows_the_account(sim):
    session = sim.paid()
    refund = sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent})

    text = page(f"{sim.base}/")

    for id_ in (session.id, refund.id, refund.charge):
        assert f"<code>{id_}</code>" in text
