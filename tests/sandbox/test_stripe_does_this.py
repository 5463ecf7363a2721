"""What we believe of Stripe, as tests that either Stripe can be asked."""

from time import time
from uuid import uuid4

import pytest
import stripe

from tests.sandbox.asking import customer_with_card, paid, refusal, session


def test_the_sdk_speaks_the_pinned_version(v1):
    headers = v1.customers.list({"limit": 1}).last_response.headers

    assert headers["Stripe-Version"] == "2026-10-28.endive"
    assert headers["Request-Id"].startswith("req_")


def test_a_session_has_no_intent_and_no_customer_until_it_is_paid(v1):
    made = session(v1, payment_intent_data={"metadata": {"a": "b"}})

    assert (made.status, made.payment_status) == ("open", "unpaid")
    assert (made.payment_intent, made.customer, made.amount_total) == (None, None, 3900)
    assert made.customer_creation == "if_required"


def test_a_session_is_open_between_30_minutes_and_24_hours(v1):
    for seconds in (20 * 60, 25 * 3600):
        wrong = {"expires_at": int(time()) + seconds}
        assert refusal(lambda w=wrong: session(v1, **w)).param == "expires_at"
    assert session(v1, expires_at=int(time()) + 31 * 60).status == "open"


def test_only_an_open_session_expires(v1):
    made = session(v1)

    assert v1.checkout.sessions.expire(made.id).status == "expired"
    assert refusal(v1.checkout.sessions.expire, made.id).http_status == 400


def test_payment_method_types_are_not_taken(v1):
    wrong = {"amount": 3900, "currency": "usd", "payment_method_types": ["card"]}

    assert refusal(v1.payment_intents.create, wrong).http_status == 400
    assert refusal(lambda: session(v1, payment_method_types=["card"])).http_status == 400


def test_an_unknown_parameter_is_refused(v1):
    refused = refusal(v1.refunds.create, {"payment_intent": "pi_1", "amout": 1})

    assert (refused.code, refused.param) == ("parameter_unknown", "amout")


def test_what_does_not_exist_is_a_404(v1):
    refused = refusal(v1.payment_intents.retrieve, "pi_none")

    assert (refused.http_status, refused.code) == (404, "resource_missing")


def test_a_payment_books_its_fee(v1):
    expand = ["latest_charge.balance_transaction"]
    intent = v1.payment_intents.retrieve(paid(v1).id, {"expand": expand})

    movement = intent.latest_charge.balance_transaction
    assert (movement.type, movement.amount, movement.fee) == ("charge", 3900, 143)
    assert movement.net == 3757


def test_a_decline_keeps_its_intent_and_its_failed_charge(v1):
    with pytest.raises(stripe.CardError) as caught:
        paid(v1, "pm_card_visa_chargeDeclined")

    error = caught.value
    assert (error.http_status, error.code) == (402, "card_declined")
    assert error.error.decline_code == "generic_decline"
    intent = v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert intent.status == "requires_payment_method"
    assert v1.charges.retrieve(error.error.charge).status == "failed"


def test_a_payment_is_returned_in_parts_and_no_further(v1):
    intent = paid(v1)

    first = v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    too_much = {"payment_intent": intent.id, "amount": 2901}
    assert (first.status, first.amount) == ("succeeded", 1000)
    assert refusal(v1.refunds.create, too_much).param == "amount"
    assert v1.refunds.create({"payment_intent": intent.id}).amount == 2900
    again = refusal(v1.refunds.create, {"payment_intent": intent.id})
    assert again.code == "charge_already_refunded"


def test_a_refund_can_be_pending_first(account, v1):
    intent = paid(v1, "pm_card_pendingRefund")

    made = v1.refunds.create({"payment_intent": intent.id})

    assert made.status == "pending"
    account.eventually(lambda: v1.refunds.retrieve(made.id).status == "succeeded")


def test_a_refund_can_fail_after_it_succeeded(account, v1):
    intent = paid(v1, "pm_card_refundFail")

    made = v1.refunds.create({"payment_intent": intent.id})

    def failed():
        found = v1.refunds.retrieve(made.id)
        return found if found.status == "failed" else None

    assert made.status == "succeeded"
    assert account.eventually(failed).failure_balance_transaction is not None


def test_a_key_repeats_its_first_answer_and_refuses_another_request(v1):
    intent, options = paid(v1), {"idempotency_key": f"sandbox:{uuid4()}"}
    params = {"payment_intent": intent.id, "amount": 1000}

    first = v1.refunds.create(params, options).last_response
    again = v1.refunds.create(params, options).last_response

    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        v1.refunds.create(params | {"amount": 1}, options)


def test_a_disputed_payment_is_not_refunded(account, v1):
    intent = paid(v1, "pm_card_createDispute")
    listed = v1.disputes.list

    dispute = account.eventually(lambda: listed({"payment_intent": intent.id}).data)[0]

    assert (dispute.status, dispute.reason) == ("needs_response", "fraudulent")
    assert refusal(v1.refunds.create, {"payment_intent": intent.id}).code == "charge_disputed"


@pytest.mark.parametrize(
    ("words", "ends"), [("winning_evidence", "won"), ("losing_evidence", "lost")]
)
def test_the_words_of_the_test_mode_decide_a_dispute(account, v1, words, ends):
    intent = paid(v1, "pm_card_createDispute")
    listed, retrieve = v1.disputes.list, v1.disputes.retrieve
    dispute = account.eventually(lambda: listed({"payment_intent": intent.id}).data)[0]

    v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": words}})

    account.eventually(lambda: retrieve(dispute.id).status == ends)


def test_a_card_that_asks_cannot_be_charged_alone(v1):
    customer, method = customer_with_card(v1, "pm_card_authenticationRequired")

    with pytest.raises(stripe.CardError) as caught:
        paid(v1, method, customer=customer, off_session=True)

    assert caught.value.code == "authentication_required"


def test_lists_go_on_from_a_cursor(v1):
    first = v1.customers.create({"name": "First"}).id
    second = v1.customers.create({"name": "Second"}).id

    page = v1.customers.list({"limit": 1, "starting_after": second})

    assert [one.id for one in page.data] == [first]


def test_a_change_is_told_as_an_event_of_the_pinned_version(account, v1):
    made = v1.customers.create({"name": "Told"})
    listed = v1.events.list

    def told():
        found = listed({"type": "customer.created", "limit": 20}).data
        return [event for event in found if event.data.object["id"] == made.id]

    event = account.eventually(told)[0]
    assert (event.livemode, event.data.object["name"]) == (False, "Told")


def test_an_endpoint_tells_its_secret_once(v1):
    facts = {"url": "https://visits.example/hook", "enabled_events": ["refund.failed"]}

    made = v1.webhook_endpoints.create(facts)

    assert made.secret.startswith("whsec_")
    assert getattr(v1.webhook_endpoints.retrieve(made.id), "secret", None) is None
    assert v1.webhook_endpoints.delete(made.id).deleted
