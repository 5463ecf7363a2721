import pytest
import stripe

DAY = 86_400


def balance(sim):
    found = sim.stripe.v1.balance.retrieve()
    return found.available[0].amount, found.pending[0].amount


def to_midnight(sim) -> float:
    """Return the seconds until the next payout, and a few more."""
    return DAY - sim.get("/_sim/clock")["now"] % DAY + 5


def test_a_payout_names_the_movements_in_it(sim):
    sim.post("/_sim/settings", payout_interval="manual")
    sim.paid()
    sim.stripe.v1.refunds.create({"payment_intent": sim.paid().payment_intent})
    sim.advance(2 * DAY + 1)
    assert balance(sim) == (3614, 0)

    payout = sim.post("/_sim/payouts").json()

    assert (payout["amount"], payout["status"], payout["automatic"]) == (3614, "pending", True)
    assert balance(sim) == (0, 0)
    inside = sim.stripe.v1.balance_transactions.list({"payout": payout["id"]}).data
    assert sorted(m.type for m in inside) == ["charge", "charge", "payout", "refund"]
    assert sum(m.net for m in inside) == 0
    assert sim.post("/_sim/payouts").status_code == 400


def test_a_payout_is_sent_arrives_and_is_reconciled(sim):
    sim.paid("4000000000000077")
    id_ = sim.post("/_sim/payouts").json()["id"]

    sim.advance(3601)
    assert sim.stripe.v1.payouts.retrieve(id_).status in {"in_transit", "paid"}
    sim.advance(2 * DAY)

    arrived = sim.stripe.v1.payouts.retrieve(id_)
    assert (arrived.status, arrived.reconciliation_status) == ("paid", "completed")
    types = [e.type for e in sim.stripe.v1.events.list({"type": "payout.*"}).data]
    assert types[::-1] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.reconciliation_completed",
    ]


def test_payouts_follow_the_clock_day_by_day(sim):
    sim.paid()

    sim.advance(2 * DAY + to_midnight(sim))

    (payout,) = sim.stripe.v1.payouts.list().data
    assert (payout.amount, payout.automatic) == (3757, True)
    assert payout.created % DAY == 0
    assert balance(sim) == (0, 0)
    settled = sim.stripe.v1.balance_transactions.list({"type": "charge"}).data[0]
    assert (settled.status, settled.available_on <= payout.created) == ("available", True)
    assert sim.stripe.v1.events.list({"type": "balance.available"}).data


def test_a_debt_is_taken_from_the_bank(sim):
    sim.stripe.v1.refunds.create({"payment_intent": sim.paid().payment_intent})
    assert balance(sim) == (-3900, 3757)

    sim.advance(to_midnight(sim))

    assert [p.amount for p in sim.stripe.v1.payouts.list().data] == [-3900]
    assert balance(sim) == (0, 3757)


def test_refunds_that_wait_come_before_payouts(sim):
    sim.post("/_sim/settings", bank_debits=False)
    sim.paid("4000000000000077")
    sim.paid("4000000000000077")
    dear = sim.paid(
        line_items=[
            {
                "quantity": 3,
                "price_data": {
                    "currency": "usd",
                    "unit_amount": 3900,
                    "product_data": {"name": "Three"},
                },
            }
        ]
    )
    held = sim.stripe.v1.refunds.create({"payment_intent": dear.payment_intent})
    assert held.pending_reason == "insufficient_funds"

    assert sim.post("/_sim/payouts").status_code == 400
    sim.advance(3 * DAY)

    assert sim.stripe.v1.refunds.retrieve(held.id).status == "succeeded"


def test_money_is_paid_out_by_hand_up_to_what_is_there(sim):
    sim.paid("4000000000000077")

    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.payouts.create({"amount": 3758, "currency": "usd"})
    assert caught.value.code == "balance_insufficient"
    made = sim.stripe.v1.payouts.create({"amount": 3000, "currency": "usd"})

    assert (made.automatic, made.reconciliation_status) == (False, "not_applicable")
    assert balance(sim)[0] == 757
    with pytest.raises(stripe.InvalidRequestError, match="automatic"):
        sim.stripe.v1.balance_transactions.list({"payout": made.id})
    assert sim.stripe.v1.payouts.cancel(made.id).status == "canceled"
    assert balance(sim)[0] == 3757


def test_a_bank_can_return_a_payout(sim):
    sim.paid("4000000000000077")
    id_ = sim.post("/_sim/payouts").json()["id"]

    failed = sim.post(f"/_sim/payouts/{id_}/fail").json()

    assert (failed["status"], failed["failure_code"]) == ("failed", "account_closed")
    assert balance(sim)[0] == 3757
    assert sim.post(f"/_sim/payouts/{id_}/fail").status_code == 400
