"""The account in a browser: all is shown, and every button does what it says."""

import re

import pytest
import requests

from tests.simulator.harness import eventually


def page(sim, path):
    answer = requests.get(sim.base + path, timeout=10)
    assert answer.status_code == 200, answer.text
    assert "Stripe simulator" in answer.text
    assert "no real money" in answer.text
    assert "<script" not in answer.text
    return answer.text


def press(sim, action, **facts):
    return requests.post(f"{sim.base}/do/{action}", data=facts, timeout=10)


def buttons(text):
    return re.findall(r'<button class="small">([^<]+)</button>', text)


FORM = re.compile(
    r'action="/do/(\w+)"[^>]*>\s*<input type="hidden" name="id" value="(\w+)">'
    r'<input type="hidden" name="sends" value="(\w*)">.*?<button class="small">([^<]+)',
    re.DOTALL,
)


def press_on(sim, id_, words, **facts):
    """Press the button of an object's page that has these words."""
    forms = FORM.findall(page(sim, f"/object/{id_}"))
    action, id_, sends, _ = next(form for form in forms if form[3] == words)
    return press(sim, action, id=id_, sends=sends, **facts)


@pytest.fixture
def full(sim):
    """An account in which everything has happened once."""
    session = sim.paid()
    sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent, "amount": 100})
    sim.post("/_sim/disputes", payment_intent=sim.paid().payment_intent)
    customer, method = sim.with_saved_card()
    facts = {"customer": customer, "items": [{"price": sim.plan()}]}
    sim.stripe.v1.subscriptions.create(facts | {"default_payment_method": method})
    sim.stripe.v1.test_helpers.test_clocks.create({"frozen_time": 1_900_000_000})
    sim.paid(mode="setup", currency="usd", line_items=[])
    sim.paid("4000000000000077")
    sim.post("/_sim/payouts")
    return sim


def test_objects_are_found_by_a_text_they_hold(full):
    rows = re.compile(r'<a href="/object/\w+"><code>(\w+)</code>')
    everything = rows.findall(page(full, "/objects/charge"))

    found = rows.findall(page(full, "/objects/charge?with=0077"))

    assert len(everything) > len(found) == 1
    assert rows.findall(page(full, f"/objects/charge?with={found[0].upper()}")) == found
    assert "None." in page(full, "/objects/charge?with=%25")


def test_every_kind_and_every_object_has_a_page(full):
    menu = re.findall(r'<a href="(/objects/[\w.]+)"', page(full, "/"))
    shown = set()
    for path in dict.fromkeys(menu):
        for id_ in re.findall(r'<a href="/object/(\w+)"', page(full, path)):
            assert f"<code>{id_}</code>" in page(full, f"/object/{id_}")
            shown.add(path)

    assert len(set(menu)) == 18
    assert set(menu) - shown == {"/objects/webhook_endpoint"}


def test_a_person_pays_is_declined_and_walks_away(sim):
    sessions = sim.stripe.v1.checkout.sessions
    first, second = sim.open_session(), sim.open_session()

    press_on(sim, first.id, "Be declined")
    assert sessions.retrieve(first.id).status == "open"
    press_on(sim, first.id, "Pay")
    press_on(sim, second.id, "Walk away (expire it)")

    assert sessions.retrieve(first.id).payment_status == "paid"
    assert sessions.retrieve(second.id).status == "expired"
    assert buttons(page(sim, f"/object/{first.id}")) == []
    assert press(sim, "expire", id=first.id).status_code == 400


def test_a_person_refunds_and_the_bank_returns_it(sim):
    charge = sim.stripe.v1.charges.list({"payment_intent": sim.paid().payment_intent}).data[0]

    press_on(sim, charge.id, "Refund", amount="9.00")
    refund = sim.stripe.v1.refunds.list().data[0]
    assert (refund.amount, refund.status) == (900, "succeeded")
    press_on(sim, refund.id, "Let it fail")

    assert sim.stripe.v1.refunds.retrieve(refund.id).status == "failed"
    assert press(sim, "refund", id=charge.id, amount="much").status_code == 400


def test_a_person_wins_a_dispute_and_pays_out(sim):
    intent = sim.paid("4000000000000077").payment_intent
    charge = sim.stripe.v1.charges.list({"payment_intent": intent}).data[0]

    press_on(sim, charge.id, "Dispute it")
    dispute = sim.stripe.v1.disputes.list().data[0]
    press_on(sim, dispute.id, "Under review")
    press_on(sim, dispute.id, "Won")
    press(sim, "pay_out")
    payout = sim.stripe.v1.payouts.list().data[0]
    press_on(sim, payout.id, "Let the bank return it")

    assert sim.stripe.v1.disputes.retrieve(dispute.id).status == "won"
    assert payout.amount == 3900 - 143 - 1500
    assert sim.stripe.v1.payouts.retrieve(payout.id).status == "failed"


def test_a_person_moves_the_clock(sim):
    before = sim.get("/_sim/clock")["offset"]

    assert press(sim, "move_clock", count="3", unit="days").status_code == 200

    assert sim.get("/_sim/clock")["offset"] == before + 3 * 86_400
    assert press(sim, "move_clock", count="-1", unit="days").status_code == 400


def test_deliveries_are_shown_and_sent_again(hooked, endpoint):
    hooked.stripe.v1.customers.create({"name": "Told"})
    eventually(lambda: "received" in page(hooked, "/deliveries"))
    event = hooked.stripe.v1.events.list().data[0]

    assert "customer.created" in page(hooked, "/deliveries")
    press_on(hooked, event.id, "Send again")

    eventually(lambda: len(endpoint.received) == 2)


def test_requests_and_departures_are_shown(sim):
    sim.raw("POST", "/v1/refunds", {"amout": "1"}, **{"Idempotency-Key": "k7"})

    text = page(sim, "/requests")

    assert "POST /v1/refunds" in text
    assert "k7" in text
    assert "Received unknown parameter: amout" in text


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}],
)
def test_no_other_site_presses_our_buttons(sim, headers):
    for path in ("/do/pay_out", "/_sim/reset", f"/c/pay/{sim.open_session().id}"):
        answer = requests.post(sim.base + path, headers=headers, timeout=10)
        assert answer.status_code == 403
    own = {"Origin": sim.base, "Sec-Fetch-Site": "same-origin"}
    path, facts = f"{sim.base}/do/move_clock", {"count": "1", "unit": "hours"}
    assert requests.post(path, facts, headers=own, timeout=10).status_code == 200


def test_what_is_not_there_is_told(sim):
    for path in ("/object/ch_none", "/objects/unicorn", "/objects/charge?after=ch_none"):
        assert requests.get(sim.base + path, timeout=10).status_code == 404
    assert press(sim, "explode").status_code == 404


def test_a_cardholder_confirms_on_the_page(sim):
    session = sim.open_session()
    card = {"number": "4000002760003184", "expiry": "12 / 40", "cvc": "123"}
    card |= {"name": "Pat", "email": "payer@example.com"}
    browser = requests.Session()

    asked = browser.post(session.url, card, timeout=10)
    assert asked.url.endswith("/authenticate")
    assert "Confirm your payment" in asked.text
    failed = browser.post(asked.url, {"answer": "fail"}, timeout=10)
    assert (failed.status_code, "could not confirm that it is you" in failed.text) == (402, True)
    again = browser.post(session.url, card, timeout=10)
    done = browser.post(again.url, {"answer": "complete"}, timeout=10, allow_redirects=False)

    assert done.status_code == 303
    assert sim.stripe.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
