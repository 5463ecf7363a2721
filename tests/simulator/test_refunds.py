import pytest
import stripe

from tests.simulator.harness import eventually


def refund(sim, session, **facts):
    return sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent} | facts)


def refusal(sim, **params):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.refunds.create(params)
    return caught.value


def charge_of(sim, session):
    return sim.stripe.v1.charges.list({"payment_intent": session.payment_intent}).data[0]


def movements(sim):
    """Return every movement of the balance, oldest first."""
    found = sim.stripe.v1.balance_transactions.list().data
    return [(move.type, move.amount, move.fee, move.net) for move in reversed(found)]


def test_a_whole_refund_succeeds_at_once_and_returns_no_fee(sim):
    session = sim.paid()

    made = refund(sim, session, metadata={"refund": "r1"}, reason="requested_by_customer")

    assert (made.status, made.amount, made.currency) == ("succeeded", 3900, "usd")
    assert (made.payment_intent, made.reason) == (session.payment_intent, "requested_by_customer")
    assert made.destination_details.card.type == "refund"
    charge = charge_of(sim, session)
    assert (charge.refunded, charge.amount_refunded, made.charge) == (True, 3900, charge.id)
    assert movements(sim) == [("charge", 3900, 143, 3757), ("refund", -3900, 0, -3900)]
    found = sim.stripe.v1.refunds.list({"payment_intent": session.payment_intent}).data
    assert [(r.id, r.metadata.to_dict()) for r in found] == [(made.id, {"refund": "r1"})]


def test_a_payment_is_returned_once(sim):
    session = sim.paid()
    refund(sim, session)

    assert refusal(sim, payment_intent=session.payment_intent).code == "charge_already_refunded"
    assert len(sim.stripe.v1.refunds.list().data) == 1


def test_parts_add_up_to_the_whole_and_no_further(sim):
    session = sim.paid()
    refund(sim, session, amount=1000)

    over = refusal(sim, payment_intent=session.payment_intent, amount=2901)
    assert "greater than unrefunded amount on charge ($29.00)" in str(over)
    assert over.param == "amount"
    assert not charge_of(sim, session).refunded
    assert refund(sim, session).amount == 2900
    assert charge_of(sim, session).refunded


@pytest.mark.parametrize("amount", [3901, 999_999, 0, -1])
def test_an_amount_that_was_not_paid_is_refused(sim, amount):
    session = sim.paid()

    assert refusal(sim, payment_intent=session.payment_intent, amount=amount).param == "amount"
    assert sim.stripe.v1.refunds.list().data == []


def test_what_cannot_be_found_is_refused(sim):
    session = sim.paid()

    assert refusal(sim, payment_intent="pi_none").code == "resource_missing"
    assert refusal(sim, charge="ch_none").code == "resource_missing"
    assert refusal(sim, amount=1).code == "parameter_missing"
    both = {"payment_intent": session.payment_intent, "charge": "ch_other"}
    assert refusal(sim, **both).code == "resource_missing"


def test_a_slow_refund_is_pending_and_then_succeeds(sim):
    session = sim.paid("4000000000007726")

    made = refund(sim, session)
    assert (made.status, made.pending_reason) == ("pending", "processing")
    sim.advance(61)

    retrieve = sim.stripe.v1.refunds.retrieve
    done = eventually(lambda: (found := retrieve(made.id)).status == "succeeded" and found)
    assert done.pending_reason is None
    events = sim.stripe.v1.events.list({"type": "refund.*"}).data
    assert [(e.type, e.data.object["status"]) for e in reversed(events)] == [
        ("refund.created", "pending"),
        ("refund.updated", "succeeded"),
    ]


def test_a_doomed_refund_succeeds_and_then_fails_and_the_money_comes_back(sim):
    session = sim.paid("4000000000005126")

    made = refund(sim, session)
    assert made.status == "succeeded"
    sim.advance(61)

    retrieve = sim.stripe.v1.refunds.retrieve
    failed = eventually(lambda: (found := retrieve(made.id)).status == "failed" and found)
    assert failed.failure_reason == "expired_or_canceled_card"
    back = sim.stripe.v1.balance_transactions.retrieve(failed.failure_balance_transaction)
    assert (back.type, back.amount, back.source) == ("refund_failure", 3900, made.id)
    charge = charge_of(sim, session)
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    events = sim.stripe.v1.events.list({"type": "refund.*"}).data
    assert [(e.type, e.data.object["status"]) for e in reversed(events)] == [
        ("refund.created", "succeeded"),
        ("refund.updated", "failed"),
        ("refund.failed", "failed"),
    ]


def test_metadata_can_be_added_later(sim):
    made = refund(sim, sim.paid(), metadata={"a": "1"})

    changed = sim.stripe.v1.refunds.update(made.id, {"metadata": {"b": "2"}})

    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}


def test_a_card_refund_cannot_be_cancelled(sim):
    made = refund(sim, sim.paid("4000000000007726"))

    with pytest.raises(stripe.InvalidRequestError):
        sim.stripe.v1.refunds.cancel(made.id)


def test_the_balance_is_the_sum_of_its_movements(sim):
    sim.post("/_sim/settings", payout_interval="manual")
    refund(sim, sim.paid(), amount=900)

    now = sim.stripe.v1.balance.retrieve()
    sim.advance(2 * 86_400 + 1)
    later = sim.stripe.v1.balance.retrieve()

    assert (now.available[0].amount, now.pending[0].amount) == (-900, 3757)
    assert (later.available[0].amount, later.pending[0].amount) == (2857, 0)


def test_a_refund_waits_for_money_and_goes_on_when_it_is_there(sim):
    sim.post("/_sim/settings", bank_debits=False, payout_interval="manual")
    session = sim.paid()

    made = refund(sim, session, amount=3000)

    assert (made.status, made.pending_reason) == ("pending", "insufficient_funds")
    assert made.balance_transaction is None
    assert charge_of(sim, session).amount_refunded == 3000
    assert refusal(sim, payment_intent=session.payment_intent, amount=901).param == "amount"
    sim.advance(2 * 86_400 + 1)
    sent = sim.stripe.v1.refunds.retrieve(made.id)
    assert (sent.status, sent.pending_reason) == ("succeeded", None)
    assert sim.stripe.v1.balance.retrieve().available[0].amount == 757
    told = sim.stripe.v1.events.list({"type": "refund.updated"}).data
    assert [e.data.previous_attributes.to_dict() for e in told] == [
        {"status": "pending", "pending_reason": "insufficient_funds"}
    ]


def test_money_that_is_there_at_once_pays_for_a_refund(sim):
    sim.post("/_sim/settings", bank_debits=False, payout_interval="manual")
    sim.paid("4000000000000077")

    assert refund(sim, sim.paid("4000000000000077")).status == "succeeded"


def test_a_refund_that_waits_too_long_fails(sim):
    sim.post("/_sim/settings", bank_debits=False, payout_interval="manual")
    session = sim.paid()
    made = refund(sim, session)

    sim.advance(31 * 86_400)

    failed = sim.stripe.v1.refunds.retrieve(made.id)
    assert (failed.status, failed.failure_reason) == ("failed", "insufficient_funds")
    assert failed.failure_balance_transaction is None
    assert [move[0] for move in movements(sim)] == ["charge"]
    assert charge_of(sim, session).amount_refunded == 0


def test_a_refund_that_needs_its_receiver_can_be_cancelled(sim):
    session = sim.paid()
    made = refund(sim, session)
    assert sim.post(f"/_sim/refunds/{made.id}", status="requires_action").status_code == 200

    cancelled = sim.stripe.v1.refunds.cancel(made.id)

    assert (cancelled.status, cancelled.failure_reason) == ("canceled", "merchant_request")
    assert charge_of(sim, session).amount_refunded == 0
    assert [move[1] for move in movements(sim)] == [3900, -3900, 3900]


def test_a_bank_can_return_a_refund_weeks_later(sim):
    made = refund(sim, sim.paid())
    sim.advance(20 * 86_400)

    answer = sim.post(f"/_sim/refunds/{made.id}", status="failed", reason="lost_or_stolen_card")

    assert answer.json()["failure_reason"] == "lost_or_stolen_card"
    assert sim.post(f"/_sim/refunds/{made.id}", status="succeeded").status_code == 400
    assert sim.stripe.v1.events.list({"type": "refund.failed"}).data[0].data.object["id"] == made.id
