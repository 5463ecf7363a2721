import pytest
import stripe

from tests.simulator.harness import eventually

DAY = 86_400


def charge_of(sim, session):
    return sim.stripe.v1.charges.list({"payment_intent": session.payment_intent}).data[0]


def disputed(sim, **facts):
    session = sim.paid()
    answer = sim.post("/_sim/disputes", payment_intent=session.payment_intent, **facts)
    assert answer.status_code == 201, answer.text
    return session, sim.stripe.v1.disputes.retrieve(answer.json()["id"])


def moved(sim):
    found = sim.stripe.v1.balance_transactions.list({"type": "adjustment"}).data
    return [(m.reporting_category, m.amount, m.fee, m.net) for m in reversed(found)]


def told(sim):
    found = sim.stripe.v1.events.list({"type": "charge.dispute.*"}).data
    return [(e.type.removeprefix("charge.dispute."), e.data.object["status"]) for e in found[::-1]]


def to(sim, dispute, status):
    return sim.post(f"/_sim/disputes/{dispute.id}", status=status)


@pytest.mark.parametrize(
    ("card", "status", "reason"),
    [
        ("4000000000000259", "needs_response", "fraudulent"),
        ("4000000000002685", "needs_response", "product_not_received"),
        ("4000000000001976", "warning_needs_response", "fraudulent"),
    ],
)
def test_a_card_disputes_what_it_paid(sim, card, status, reason):
    session = sim.paid(card)

    sim.advance(2)

    listed = sim.stripe.v1.disputes.list
    found = eventually(lambda: listed({"payment_intent": session.payment_intent}).data)[0]
    assert (found.status, found.reason, found.amount) == (status, reason, 3900)
    assert charge_of(sim, session).disputed


def test_a_dispute_takes_the_money_and_a_fee(sim):
    _, dispute = disputed(sim)

    assert moved(sim) == [("dispute", -3900, 1500, -5400)]
    assert [m.net for m in dispute.balance_transactions] == [-5400]
    assert dispute.evidence_details.due_by == dispute.created + 7 * DAY
    assert not dispute.is_charge_refundable
    assert told(sim) == [("created", "needs_response"), ("funds_withdrawn", "needs_response")]


def test_a_disputed_charge_is_not_refunded(sim):
    session, dispute = disputed(sim)

    for status in (None, "under_review", "lost"):
        if status:
            assert to(sim, dispute, status).status_code == 200
        with pytest.raises(stripe.InvalidRequestError) as caught:
            sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent})
        assert caught.value.code == "charge_disputed"


def test_an_inquiry_takes_nothing_and_a_whole_refund_closes_it(sim):
    session, inquiry = disputed(sim, status="warning_needs_response")
    assert inquiry.is_charge_refundable
    assert moved(sim) == []

    sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent, "amount": 900})
    assert sim.stripe.v1.disputes.retrieve(inquiry.id).status == "warning_needs_response"
    sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent})

    retrieve = sim.stripe.v1.disputes.retrieve
    eventually(lambda: retrieve(inquiry.id).status == "warning_closed")
    assert moved(sim) == []


def test_an_inquiry_can_become_a_dispute(sim):
    _, inquiry = disputed(sim, status="warning_needs_response")

    assert to(sim, inquiry, "needs_response").json()["is_charge_refundable"] is False

    assert moved(sim) == [("dispute", -3900, 1500, -5400)]


@pytest.mark.parametrize(
    ("words", "status", "money"),
    [("winning_evidence", "won", [-5400, 3900]), ("losing_evidence", "lost", [-5400])],
)
def test_evidence_decides(sim, words, status, money):
    _, dispute = disputed(sim)

    ended = sim.stripe.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": words}})

    assert ended.status == status
    assert ended.evidence_details.submission_count == 1
    assert [net for *_, net in moved(sim)] == money
    assert ("closed", status) in told(sim)
    assert ("updated", "under_review") in told(sim)


def test_evidence_can_wait(sim):
    _, dispute = disputed(sim)
    evidence = {"uncategorized_text": "The patient came."}

    staged = sim.stripe.v1.disputes.update(dispute.id, {"evidence": evidence, "submit": False})

    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    assert staged.evidence_details.submission_count == 0
    sent = sim.stripe.v1.disputes.update(dispute.id, {"evidence": evidence})
    assert sent.status == "under_review"


def test_a_closed_dispute_is_lost(sim):
    _, dispute = disputed(sim)

    assert sim.stripe.v1.disputes.close(dispute.id).status == "lost"

    with pytest.raises(stripe.InvalidRequestError):
        sim.stripe.v1.disputes.close(dispute.id)


@pytest.mark.parametrize(
    ("begins", "ends"),
    [("needs_response", "lost"), ("warning_needs_response", "warning_closed")],
)
def test_who_does_not_respond_in_time_has_responded(sim, begins, ends):
    _, dispute = disputed(sim, status=begins)

    sim.advance(7 * DAY - 60)
    assert sim.stripe.v1.disputes.retrieve(dispute.id).status == begins
    sim.advance(61)

    assert sim.stripe.v1.disputes.retrieve(dispute.id).status == ends


def test_a_lost_dispute_can_be_appealed_and_won(sim):
    _, dispute = disputed(sim)
    steps = ("lost", "appeal_needs_response", "appeal_under_review", "won")

    assert [to(sim, dispute, step).json()["status"] for step in steps] == list(steps)
    assert [net for *_, net in moved(sim)] == [-5400, 3900]


def test_a_dispute_cannot_jump(sim):
    _, dispute = disputed(sim)

    assert to(sim, dispute, "warning_closed").status_code == 400
    assert to(sim, dispute, "won").status_code == 200
    assert to(sim, dispute, "lost").status_code == 400


def test_a_prevented_dispute_takes_nothing(sim):
    _, dispute = disputed(sim, status="prevented")

    assert dispute.status == "prevented"
    assert moved(sim) == []


def test_a_dispute_stops_the_refunds_under_way(sim):
    session = sim.paid("4000000000007726")
    refund = sim.stripe.v1.refunds.create({"payment_intent": session.payment_intent, "amount": 900})

    sim.post("/_sim/disputes", payment_intent=session.payment_intent)

    failed = sim.stripe.v1.refunds.retrieve(refund.id)
    reason = "charge_for_pending_refund_disputed"
    assert (failed.status, failed.failure_reason) == ("failed", reason)
    assert sim.stripe.v1.disputes.list().data[0].amount == 3900


def test_a_charge_is_disputed_once(sim):
    session, _ = disputed(sim)

    again = sim.post("/_sim/disputes", payment_intent=session.payment_intent)

    assert again.status_code == 400
    assert sim.post("/_sim/disputes", charge="ch_none").status_code == 404
    assert sim.post("/_sim/disputes").status_code == 400
