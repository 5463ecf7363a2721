"""Disputes: what the bank asks back blocks our refund, and the outcome decides it."""

import random

import pytest

from booking_service.db import db, transaction
from booking_service.errors import NotAllowed
from booking_service.gateways.payments import Event
from booking_service.models import (
    Case,
    CaseType,
    Dispute,
    DisputeStatus,
    EntryKind,
    JournalEntry,
    JournalLine,
    OutboxMessage,
    Payment,
    PromiseStatus,
    Refund,
    RefundStatus,
    Topic,
)
from booking_service.services import disputes, goodwill, promises, refunds, webhooks
from tests.factories import PRIYA, all_of, converted, paid
from tests.factories import refunds as all_refunds
from tests.faults.facts import (
    attempts,
    cases,
    decide,
    dispute,
    intent_of,
    now,
    owed,
    promise,
    requested_refund,
    send,
)

REFUND_PENDS = "4000000000007726"
D = DisputeStatus


@pytest.fixture
def visit(app, seeded, stripe):
    return paid(stripe)


@pytest.fixture
def requested(app, seeded, stripe, celery, mail):
    return requested_refund(stripe, celery)


@pytest.fixture
def hear(gateway):
    """Hear the newest about a dispute, twice."""

    def do(stripe_dispute_id: str) -> Dispute:
        for _ in range(2):
            disputes.apply_news(stripe_dispute_id, gateway)
        [row] = [d for d in all_of(Dispute) if d.stripe_dispute_id == stripe_dispute_id]
        return row

    return do


@pytest.fixture
def opened(stripe, hear):
    """A dispute of a refund's payment, which we have heard of."""

    def do(refund, status: str = "needs_response") -> str:
        made = dispute(stripe, intent_of(refund), status)
        hear(made)
        return made

    return do


def accounts() -> dict[str, int]:
    totals: dict[str, int] = {}
    for line in all_of(JournalLine):
        totals[line.account] = totals.get(line.account, 0) + line.amount_cents
    return {account: cents for account, cents in totals.items() if cents}


def payment() -> Payment:
    [row] = all_of(Payment)
    return row


def entries(kind: EntryKind) -> list[JournalEntry]:
    return [entry for entry in all_of(JournalEntry) if entry.kind is kind]


def test_a_dispute_is_written_down_as_stripe_tells_it(visit, stripe, hear):
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    [told] = stripe.listed("disputes")

    row = hear(made)

    assert (row.payment_id, row.membership_id) == (visit.payment.id, None)
    assert (row.status, row.amount_cents, row.reason) == (D.NEEDS_RESPONSE, 3900, "fraudulent")
    assert row.opened_at.timestamp() == told["created"]
    assert row.evidence_due_at.timestamp() == told["evidence_details"]["due_by"]
    assert row.closed_at is None
    assert payment().disputed_at is not None


def test_the_case_is_due_when_the_evidence_is(visit, stripe, hear):
    row = hear(dispute(stripe, visit.payment.stripe_payment_intent_id))

    [case] = [c for c in all_of(Case) if c.type is CaseType.DISPUTE_OPEN]
    assert (case.subject_id, case.due_at) == (row.id, row.evidence_due_at)
    assert (case.detail, case.amount_cents) == ("fraudulent", 3900)


def test_what_the_bank_takes_is_disputed_and_its_fee_is_gone(visit, stripe, hear):
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    before = accounts()

    row = hear(made)

    [entry] = entries(EntryKind.DISPUTE_WITHDRAWN)
    assert (entry.subject_id, entry.payment_id) == (row.id, visit.payment.id)
    assert entry.stripe_id == made
    assert accounts()["disputed_funds"] == 3900
    assert accounts()["stripe_fees"] - before["stripe_fees"] == 1500
    assert accounts()["stripe_balance"] - before["stripe_balance"] == -5400


def test_an_inquiry_that_closes_closes_its_case(visit, stripe, hear):
    made = dispute(stripe, visit.payment.stripe_payment_intent_id, "warning_needs_response")
    hear(made)
    decide(stripe, made, "warning_closed")

    row = hear(made)

    assert row.status is D.WARNING_CLOSED
    assert row.closed_at is not None
    assert cases() == [("dispute_open", "resolved")]


def test_an_inquiry_that_becomes_a_dispute_blocks(requested, gateway, stripe, opened, hear):
    made = opened(requested, "warning_needs_response")
    decide(stripe, made, "needs_response")

    hear(made)

    assert (now(requested).status, promise()) == (RefundStatus.BLOCKED, PromiseStatus.BLOCKED)


def test_what_is_being_sent_is_left_to_stripes_answer(requested, gateway, stripe, opened):
    with transaction() as session:
        session.get_one(Refund, requested.id).status = RefundStatus.SENDING

    opened(requested)
    assert now(requested).status is RefundStatus.SENDING
    send(requested, gateway)

    assert (now(requested).status, promise()) == (RefundStatus.BLOCKED, PromiseStatus.BLOCKED)
    assert attempts() == [(1, "charge_disputed")]


def test_a_dispute_we_have_not_heard_of_blocks_by_stripes_answer(requested, gateway, stripe):
    dispute(stripe, intent_of(requested))

    send(requested, gateway)

    assert (now(requested).status, promise()) == (RefundStatus.BLOCKED, PromiseStatus.BLOCKED)


def test_lost_before_anything_was_earned_leaves_nothing_to_promise(visit, stripe, hear):
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    decide(stripe, made, "lost")

    hear(made)
    with transaction() as session:
        again = refunds.request(
            session, visit.payment.id, refunds.RefundReason.CANCELLATION, "Priya"
        )

    assert again is None
    assert promise() is PromiseStatus.VOID


def test_lost_after_the_promise_lapsed_is_a_loss(visit, stripe, hear):
    with transaction() as session:
        promises.lapse(session, visit.booking_id)
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    decide(stripe, made, "lost")

    hear(made)

    assert promise() is PromiseStatus.VOID
    assert accounts()["dispute_losses"] == 3900
    assert accounts()["first_visit_revenue"] == -3900


def test_lost_after_a_check_was_paid_is_a_loss_and_the_promise_stays_kept(requested, stripe, hear):
    with transaction() as session:
        session.get_one(Refund, requested.id).status = RefundStatus.SETTLED_OTHERWISE
        promises.money_returned(session, requested.payment_id)
    made = dispute(stripe, intent_of(requested))
    decide(stripe, made, "lost")

    hear(made)

    assert promise() is PromiseStatus.SETTLED
    assert now(requested).status is RefundStatus.SETTLED_OTHERWISE


def test_won_on_appeal_after_the_promise_ended_is_shown_to_a_person(
    requested, stripe, opened, hear
):
    made = opened(requested)
    for status in ("lost", "appeal_needs_response", "appeal_under_review", "won"):
        decide(stripe, made, status)
        hear(made)

    assert promise() is PromiseStatus.VOID
    assert now(requested).status is RefundStatus.CANCELED
    assert ("promise_in_doubt", "open") in cases()
    assert accounts()["refund_liability"] == -3900
    assert "disputed_funds" not in accounts()


@pytest.mark.parametrize("refund_first", [True, False], ids=["refund first", "dispute first"])
@pytest.mark.parametrize(
    ("verdict", "ends"),
    [
        ("won", (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)),
        ("lost", (RefundStatus.CANCELED, PromiseStatus.VOID)),
    ],
)
def test_a_refund_on_its_way_that_a_dispute_stopped_follows_the_verdict(
    app, seeded, stripe, gateway, work, mail, hear, persevere, refund_first, verdict, ends
):
    visit = converted(stripe, card=REFUND_PENDS)
    work()
    [refund] = all_refunds()
    assert refund.status is RefundStatus.PENDING
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    news = [
        lambda: refunds.apply_news(refund.stripe_refund_id, gateway),
        lambda: hear(made),
    ]
    for tell in news if refund_first else reversed(news):
        tell()
    assert (now(refund).status, promise()) == (RefundStatus.FAILED, PromiseStatus.BLOCKED)
    assert owed(Topic.REFUND_FAILED) == 0
    assert sorted(cases()) == [("dispute_open", "open"), ("refund_blocked", "open")]

    decide(stripe, made, verdict)
    hear(made)
    persevere()
    for again in stripe.refunds():
        if again["status"] == "pending":
            stripe._post(f"/_sim/refunds/{again['id']}", {"status": "succeeded", "reason": ""})
            refunds.apply_news(again["id"], gateway)

    assert (now(refund).status, promise()) == ends
    assert {status for _, status in cases()} == {"resolved"}


def test_the_refunds_failure_heard_of_after_the_verdict_is_sent_again(
    app, seeded, stripe, gateway, work, mail, hear
):
    visit = converted(stripe, card=REFUND_PENDS)
    work()
    [refund] = all_refunds()
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    decide(stripe, made, "won")
    hear(made)

    refunds.apply_news(refund.stripe_refund_id, gateway)

    assert (now(refund).status, promise()) == (RefundStatus.REQUESTED, PromiseStatus.EARNED)


def test_a_dispute_of_another_applications_payment_is_not_ours(visit, stripe, gateway):
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    with transaction() as session:
        session.get_one(Payment, visit.payment.id).stripe_payment_intent_id = "pi_another"

    disputes.apply_news(made, gateway)

    assert all_of(Dispute) == []


class Overtaken:
    """A gateway that is so slow that another worker hears, and writes down, what came next."""

    def __init__(self, gateway, meanwhile):
        self._gateway = gateway
        self._meanwhile = meanwhile

    def find_dispute(self, id_):
        facts = self._gateway.find_dispute(id_)
        self._meanwhile()
        return facts


def overtaken(stripe, gateway, requested) -> str:
    made = dispute(stripe, intent_of(requested))

    def meanwhile() -> None:
        decide(stripe, made, "won")
        disputes.apply_news(made, gateway)

    disputes.apply_news(made, Overtaken(gateway, meanwhile))
    return made


def test_older_facts_that_were_overtaken_are_asked_for_again(requested, stripe, gateway):
    with pytest.raises(disputes.GatewayBusy):
        overtaken(stripe, gateway, requested)

    assert [row.status for row in all_of(Dispute)] == [D.WON]
    assert payment().disputed_at is None


def test_without_noticing_it_a_dispute_that_was_won_would_block_for_ever(
    requested, stripe, gateway, monkeypatch
):
    """The control."""
    made = dispute(stripe, intent_of(requested))
    older = gateway.find_dispute(made)
    decide(stripe, made, "won")
    disputes.apply_news(made, gateway)
    monkeypatch.setattr(gateway, "find_dispute", lambda _: older, raising=False)
    disputes.apply_news(made, gateway)
    monkeypatch.undo()

    assert payment().disputed_at is not None
    assert now(requested).status is RefundStatus.BLOCKED


STEPS = {
    "won": ("warning_needs_response", "needs_response", "under_review", "won"),
    "lost": ("needs_response", "under_review", "lost"),
    "inquiry": ("warning_needs_response", "warning_under_review", "warning_closed"),
}
ENDS = {
    "won": (RefundStatus.REQUESTED, PromiseStatus.EARNED),
    "lost": (RefundStatus.CANCELED, PromiseStatus.VOID),
    "inquiry": (RefundStatus.REQUESTED, PromiseStatus.EARNED),
}


@pytest.mark.parametrize("story", STEPS)
@pytest.mark.parametrize("heard", ["everything", "the end", "none of the middle", "late"])
def test_however_much_of_a_dispute_is_heard_the_rows_end_the_same(
    requested, stripe, gateway, story, heard
):
    """Each event is only news: what is written down is what the dispute is when it is looked up."""
    first, *then = STEPS[story]
    made = dispute(stripe, intent_of(requested), first)
    for status in then:
        if heard == "everything" or (heard == "none of the middle" and status == then[0]):
            disputes.apply_news(made, gateway)
        decide(stripe, made, status)
    for _ in range(3 if heard == "late" else 1):
        disputes.apply_news(made, gateway)

    assert (now(requested).status, promise()) == ENDS[story]
    assert payment().disputed_at is None
    assert "disputed_funds" not in accounts()
    assert [c for c in all_of(Case) if c.status == "open"] == []


def deliver(events) -> None:
    for told in events:
        webhooks.receive(Event(told["id"], told["type"], told["data"]["object"]["id"]))


def told_so_far(stripe) -> list[dict]:
    kinds = ("charge.dispute.", "refund.")
    return [e for e in stripe.listed("events", limit=100) if e["type"].startswith(kinds)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("verdict", "ends"),
    [
        ("won", (RefundStatus.SUCCEEDED, PromiseStatus.SETTLED)),
        ("lost", (RefundStatus.CANCELED, PromiseStatus.VOID)),
    ],
)
def test_stripes_own_events_in_any_order_and_number_end_in_the_same_rows(
    noon, requested, stripe, work, persevere, verdict, ends, seed
):
    """Some are heard at once, some late, some twice; the worker works in between."""
    chance = random.Random(seed)
    made = dispute(stripe, intent_of(requested))
    for status in ("under_review", verdict):
        events = told_so_far(stripe)
        deliver(chance.sample(events, chance.randint(0, len(events))))
        if chance.random() < 0.5:
            work()
        decide(stripe, made, status)
    events = told_so_far(stripe) * 2
    assert {e["type"] for e in events} >= {
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.closed",
    }
    chance.shuffle(events)
    deliver(events)
    persevere()

    assert (now(requested).status, promise()) == ends
    assert [d.status for d in all_of(Dispute)] == [D(verdict)]
    assert len(entries(EntryKind.DISPUTE_WITHDRAWN)) == 1
    assert not {"disputed_funds", "refund_liability", "dispute_losses"} & accounts().keys()
    assert payment().disputed_at is None
    assert "open" not in {status for _, status in cases()}
    assert len(stripe.refunds()) == (1 if verdict == "won" else 0)


def test_the_refund_is_sent_a_minute_after_a_dispute_ended(requested, stripe, opened, hear, noon):
    """Stripe may still see it for a moment, and would say no."""
    made = opened(requested)
    decide(stripe, made, "won")
    hear(made)

    db.session.rollback()
    waiting = db.session.query(OutboxMessage).where(
        OutboxMessage.topic == Topic.REFUND_REQUESTED, OutboxMessage.done_at.is_(None)
    )
    assert max(message.not_before for message in waiting) > noon


def asked_goodwill(visit) -> Refund:
    goodwill.ask(visit.payment.id, None, "a long drive", PRIYA)
    [refund] = all_refunds()
    return refund


def test_a_dispute_that_is_won_does_not_approve_what_somebody_only_asked_for(visit, stripe, hear):
    asked = asked_goodwill(visit)
    made = dispute(stripe, visit.payment.stripe_payment_intent_id)
    hear(made)
    decide(stripe, made, "won")

    hear(made)

    assert now(asked).status is RefundStatus.BLOCKED
    assert owed(Topic.REFUND_REQUESTED) == 0


def test_what_somebody_only_asked_for_makes_nothing_smaller_and_cannot_be_given_up(visit):
    asked = asked_goodwill(visit)

    with transaction() as session:
        decided = refunds.request(
            session, visit.payment.id, refunds.RefundReason.CANCELLATION, "Priya"
        )
        assert decided.amount_cents == 3900
    with pytest.raises(NotAllowed, match="has not failed"), transaction() as session:
        refunds.give_up(session, asked.id)
