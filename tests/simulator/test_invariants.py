"""What must be true of an account after anything that people, banks and time may do to it."""

from contextlib import suppress

import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking_service.simulator.account import EVENTS_KEPT
from booking_service.simulator.serving import running
from tests.simulator.harness import Sim

CARDS = (
    "4242424242424242",
    "4000000000000002",
    "4000000000007726",
    "4000000000005126",
    "4000000000000259",
    "4000000000001976",
    "4000000000000077",
)
STATUSES = ("needs_response", "under_review", "won", "lost", "warning_closed")
TOLD = ("charge", "refund", "dispute", "payout")  # kinds whose every change has an event
nth = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("pay"), st.sampled_from(CARDS)),
    st.tuples(st.just("refund"), nth, st.sampled_from([None, 1, 900, 3899, 3900])),
    st.tuples(st.just("refund"), nth, st.sampled_from([900, 3899])),
    st.tuples(st.just("force"), nth, st.sampled_from(["failed", "canceled", "requires_action"])),
    st.tuples(
        st.just("dispute"), nth, st.sampled_from(["needs_response", "warning_needs_response"])
    ),
    st.tuples(st.just("proceed"), nth, st.sampled_from(STATUSES)),
    st.tuples(st.just("expire")),
    st.tuples(st.just("replay")),
    st.tuples(st.just("pay_out")),
    st.tuples(st.just("advance"), st.sampled_from([1, 61, 3600, 86_400, 3 * 86_400, 31 * 86_400])),
)


class World:
    """A simulator, and what is done to it. What Stripe refuses is refused, and life goes on."""

    def __init__(self, base: str) -> None:
        self.sim, self.v1, self.replayable = Sim(base), Sim(base).stripe.v1, []

    def do(self, step) -> None:
        with suppress(stripe.StripeError):
            getattr(self, step[0])(*step[1:])

    def of(self, noun, n):
        found = getattr(self.v1, noun).list({"limit": 100}).data
        return found[n % len(found)] if found else None

    def pay(self, card):
        self.sim.pay(self.sim.open_session().id, card)

    def refund(self, n, amount):
        if charge := self.of("charges", n):
            params = {"charge": charge.id} | ({"amount": amount} if amount else {})
            options = {"idempotency_key": f"refund:{len(self.replayable)}"}
            made = self.v1.refunds.create(params, options)
            self.replayable.append((params, options, made.last_response.body))

    def force(self, n, status):
        if refund := self.of("refunds", n):
            self.sim.post(f"/_sim/refunds/{refund.id}", status=status)

    def dispute(self, n, status):
        if charge := self.of("charges", n):
            self.sim.post("/_sim/disputes", charge=charge.id, status=status)

    def proceed(self, n, status):
        if dispute := self.of("disputes", n):
            self.sim.post(f"/_sim/disputes/{dispute.id}", status=status)

    def expire(self):
        self.v1.checkout.sessions.expire(self.sim.open_session().id)

    def replay(self):
        for params, options, body in self.replayable:
            again = self.v1.refunds.create(params, options).last_response
            if again.headers.get("Idempotent-Replayed"):
                assert again.body == body

    def pay_out(self):
        self.sim.post("/_sim/payouts")

    def advance(self, seconds):
        self.sim.advance(seconds)
        if seconds >= 86_400:
            self.replayable.clear()  # the keys are forgotten by now


def every(page):
    return list(page.auto_paging_iter())


def refunds_never_exceed_the_charge(v1) -> None:
    back: dict[str, int] = {}
    for refund in every(v1.refunds.list({"limit": 100})):
        if refund.status not in {"failed", "canceled"}:
            back[refund.charge] = back.get(refund.charge, 0) + refund.amount
    for charge in every(v1.charges.list({"limit": 100})):
        assert charge.amount_refunded == back.get(charge.id, 0)
        assert charge.amount_refunded <= charge.amount_captured
        assert charge.refunded == (charge.paid and charge.amount_refunded == charge.amount)


def movements_sum_to_the_balance(v1) -> None:
    moves = every(v1.balance_transactions.list({"limit": 100}))
    balance = v1.balance.retrieve()
    paid_out = -sum(move.net for move in moves if move.type.startswith("payout"))
    earned = sum(move.net for move in moves if not move.type.startswith("payout"))
    assert earned == balance.available[0].amount + balance.pending[0].amount + paid_out
    for payout in every(v1.payouts.list({"limit": 100})):
        inside = every(v1.balance_transactions.list({"payout": payout.id, "limit": 100}))
        assert sum(move.net for move in inside) == 0
    assert all(move.net == move.amount - move.fee for move in moves)
    assert all(move.source for move in moves)


def events_and_changes_belong_together(sim) -> None:
    """The last event of an object is the object; no event is told twice of one state of it."""
    events = every(sim.stripe.v1.events.list({"limit": 100}))[::-1]
    last, said = {}, {}
    for event in events:
        thing = event.data.object.to_dict()
        if thing["object"] not in TOLD:
            continue
        if last.get(thing["id"]) != thing:
            said[thing["id"]] = set()
        assert event.type not in said[thing["id"]], f"{event.type} tells nothing new"
        said[thing["id"]].add(event.type)
        last[thing["id"]] = thing
    oldest_told = sim.get("/_sim/clock")["now"] - EVENTS_KEPT
    for noun in TOLD:
        for thing in every(getattr(sim.stripe.v1, f"{noun}s").list({"limit": 100})):
            told = last.pop(thing.id, None)
            if told is None:
                assert thing.created < oldest_told, f"{thing.id} has no event"
            else:
                assert thing.to_dict() == told, f"a change of {thing.id} has no event"
    assert last == {}, "events of what does not exist"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    cards=st.lists(st.sampled_from(CARDS), min_size=1, max_size=3),
    todo=st.lists(steps, min_size=5, max_size=20),
    bank_debits=st.booleans(),
)
def test_an_account_stays_in_order_whatever_happens(cards, todo, bank_debits):
    with running(refund_delay_seconds=60) as base:
        world = World(base)
        world.sim.post("/_sim/settings", bank_debits=bank_debits)
        for card in cards:
            world.pay(card)
        for step in todo:
            world.do(step)
        world.sim.advance(2)

        refunds_never_exceed_the_charge(world.v1)
        movements_sum_to_the_balance(world.v1)
        events_and_changes_belong_together(world.sim)
        world.replay()
        assert world.sim.get("/_sim/violations") == []
