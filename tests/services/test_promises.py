from datetime import date, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from booking_service.clock import day_bounds, local_day
from booking_service.db import transaction
from booking_service.errors import BookingServiceError
from booking_service.models import (
    Account,
    Booking,
    BookingStatus,
    EntryKind,
    JournalEntry,
    Membership,
    MembershipStatus,
    Payment,
    Promise,
    PromiseStatus,
    Tender,
)
from booking_service.queries import state
from booking_service.services import memberships, promises, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.taking_back import take_back
from tests.factories import (
    PRIYA,
    all_of,
    change,
    converted,
    in_treatment,
    paid,
    plan,
    refunds,
    visit_of,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

UNDO = timedelta(seconds=10)
HOURS = timedelta(hours=6)
# When the next day begins in Albany, seen from Monday noon.
MIDNIGHT = timedelta(hours=12)


def status_of(booking_id: UUID) -> PromiseStatus:
    return next(p.status for p in all_of(Promise) if p.booking_id == booking_id)


def accounts() -> dict[str, int]:
    return state.state()["ledger"]["accounts"]


def test_a_promise_opens_when_the_visit_is_paid(noon, stripe):
    visit = paid(stripe)

    [promise] = all_of(Promise)
    assert (promise.payment_id, promise.booking_id) == (visit.payment.id, visit.booking_id)
    assert (promise.status, promise.opened_at) == (PromiseStatus.OPEN, noon)
    assert (promise.member_at, promise.treatment_began_at) == (None, None)
    assert accounts()["refund_liability"] == -3900


def test_completing_without_a_membership_ends_the_promise_and_earns_the_money(stripe):
    visit = in_treatment(stripe)

    visit_steps.complete(visit.booking_id, PRIYA)

    assert status_of(visit.booking_id) is PromiseStatus.LAPSED
    assert accounts() == {
        "stripe_balance": 3900 - 143,
        "stripe_fees": 143,
        "refund_liability": 0,
        "first_visit_revenue": -3900,
    }


def test_both_proofs_are_kept_with_their_times(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    tendered = Tendered(Tender.SAVED_CARD)
    id_, _ = memberships.convert(
        visit.booking_id, plan().id, tendered, PRIYA, UNDO, agreement=Ground.PAPER
    )
    travel(noon + UNDO)
    work()

    [promise] = all_of(Promise)
    assert (promise.treatment_began_at, promise.member_at) == (noon, noon + UNDO)
    assert (promise.membership_id, promise.status) == (id_, PromiseStatus.SETTLED)


def test_membership_alone_earns_nothing(noon, stripe):
    visit = paid(stripe)
    with transaction() as session:
        facts = {"plan_id": plan().id, "tender": Tender.RECORDED, "reference": "T-1"}
        facts |= {"decided_at": noon, "decided_by": "Priya Shah", "undo_until": noon}
        patient_id = session.get_one(Booking, visit.booking_id).patient_id
        membership = Membership(booking_id=visit.booking_id, patient_id=patient_id, **facts)
        membership.amount_cents = 14900
        session.add(membership)
        session.flush()
        assert promises.prove_member(session, membership) is None

    assert status_of(visit.booking_id) is PromiseStatus.OPEN


@pytest.mark.parametrize(
    ("move", "before", "after"),
    [
        ("block", "earned", "blocked"),
        ("block", "open", "open"),
        ("block", "settled", "settled"),
        ("money_returned", "open", "void"),
        ("money_returned", "earned", "settled"),
        ("money_returned", "blocked", "settled"),
        ("money_returned", "broken", "settled"),
        ("money_returned", "settled", "settled"),
        ("money_returned", "lapsed", "lapsed"),
        ("money_bounced", "earned", "broken"),
        ("money_bounced", "settled", "broken"),
        ("money_bounced", "void", "void"),
        ("block", "broken", "blocked"),
        ("try_again", "blocked", "earned"),
        ("try_again", "broken", "earned"),
        ("try_again", "void", "void"),
        ("waive", "earned", "waived"),
        ("waive", "blocked", "waived"),
        ("waive", "broken", "waived"),
        ("waive", "settled", "settled"),
        ("all_is_back", "open", "void"),
        ("all_is_back", "lapsed", "void"),
        ("all_is_back", "waived", "waived"),
        ("bank_took_it", "open", "void"),
        ("bank_took_it", "earned", "void"),
        ("bank_took_it", "blocked", "void"),
        ("bank_took_it", "broken", "void"),
        ("bank_took_it", "lapsed", "void"),
        ("bank_took_it", "settled", "settled"),
    ],
)
def test_what_becomes_of_the_money_moves_the_promise(noon, stripe, move, before, after):
    visit = paid(stripe)
    [promise] = all_of(Promise)
    proofs = {"member_at": noon, "treatment_began_at": noon}
    change(Promise, promise.id, status=PromiseStatus(before), **proofs)

    with transaction() as session:
        getattr(promises, move)(session, visit.payment.id)

    assert status_of(visit.booking_id) is PromiseStatus(after)


def test_the_sweep_ends_promises_of_past_days_unless_the_patient_is_joining(
    noon, travel, stripe, work
):
    no_one_closed = visit_of("Avery North", stripe)
    declined = converted(stripe, name="Blake South", email="b@x.com", card="4000000000000341")
    work()
    joining = converted(stripe, name="Casey West", email="c@x.com")
    tomorrow = visit_of("Drew East", stripe, 40)
    starts_at = noon + MIDNIGHT
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
    change(Booking, tomorrow.booking_id, **times)

    travel(noon + MIDNIGHT - timedelta(seconds=1))
    assert promises.sweep() == 0
    assert {p.status for p in all_of(Promise)} == {PromiseStatus.OPEN}

    travel(noon + MIDNIGHT)
    assert promises.sweep() == 2
    assert promises.sweep() == 0
    visits = (no_one_closed, declined, joining, tomorrow)
    assert [status_of(visit.booking_id) for visit in visits] == [
        PromiseStatus.LAPSED,
        PromiseStatus.LAPSED,
        PromiseStatus.OPEN,
        PromiseStatus.OPEN,
    ]
    lapsed = [e.subject_id for e in all_of(JournalEntry) if e.kind is EntryKind.PROMISE_LAPSED]
    assert sorted(lapsed) == sorted([no_one_closed.payment.id, declined.payment.id])

    work()
    assert status_of(joining.booking_id) is PromiseStatus.SETTLED


SECOND = timedelta(seconds=1)
ZONES = [
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",  # its clocks used to change at midnight
    "Asia/Beirut",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Europe/London",
    "Asia/Kathmandu",
]


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.dates(date(2000, 1, 1), date(2037, 12, 31)),
    share=st.integers(0, 999_999),  # millionths of the day
)
@example(zone=ZoneInfo("America/New_York"), day=date(2026, 11, 1), share=999_999)  # 25 hours
@example(zone=ZoneInfo("America/New_York"), day=date(2027, 3, 14), share=999_999)  # 23 hours
@hypothesis(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # it reads no row
)
def test_a_visit_of_a_local_day_is_open_until_the_midnight_after_it_and_not_a_second_longer(
    zone, day, share
):
    begins, midnight = day_bounds(day, zone)
    if begins == midnight:
        return  # a day the calendar skipped
    starts_at = begins + (midnight - begins) * share // 1_000_000

    assert local_day(midnight - SECOND, zone) == day < local_day(midnight, zone)
    assert promises.ended_before(midnight - SECOND, zone) <= starts_at
    assert promises.ended_before(midnight, zone) > starts_at


def test_the_database_refuses_an_earned_promise_without_both_proofs(noon, stripe):
    paid(stripe)
    [promise] = all_of(Promise)

    for proofs in ({}, {"member_at": noon}, {"treatment_began_at": noon}):
        with pytest.raises(Exception, match="earned_by_both_proofs"):
            change(Promise, promise.id, status=PromiseStatus.EARNED, **proofs)


NOBODY_COMES = timedelta(minutes=10)
BACK = {
    "arrived": BookingStatus.ARRIVED,
    "treatment": BookingStatus.IN_TREATMENT,
    "ended": BookingStatus.COMPLETED,
    "no-show": BookingStatus.NO_SHOW,
}


class Desk(RuleBasedStateMachine):
    """Whatever the desk presses, in whatever order, while workers work and time passes."""

    def __init__(self, parts) -> None:
        super().__init__()
        self.parts = parts

    @initialize(card=st.sampled_from(["4242424242424242", "4000000000000341"]))
    def book(self, card):
        parts = self.parts
        parts.number += 1
        parts.travel(parts.noon)
        self.now = parts.noon
        person = f"Patient {parts.number}"
        # Stripe's clock goes on while ours stands still: a page must outlive the whole test.
        person_facts = {"email": f"{parts.number}@x.com", "card": card}
        self.visit = visit_of(person, parts.stripe, lifetime=HOURS, **person_facts)
        self.booking_id = self.visit.booking_id

    def press(self, step, *args) -> None:
        try:
            step(*args)
        except BookingServiceError:
            return

    @rule()
    def arrive(self):
        self.press(visit_steps.arrive, self.booking_id, PRIYA)

    @rule()
    def begin(self):
        self.press(visit_steps.begin_treatment, self.booking_id, PRIYA)

    @rule()
    def complete(self):
        self.press(visit_steps.complete, self.booking_id, PRIYA)

    @rule()
    def no_show(self):
        self.press(visit_steps.mark_no_show, self.booking_id, PRIYA)

    @rule(step=st.sampled_from(list(BACK)))
    def take_back(self, step):
        self.press(take_back, self.booking_id, BACK[step], PRIYA)

    @rule(method=st.sampled_from(Tender))
    def convert(self, method):
        tendered = Tendered(method, "T-7" if method is Tender.RECORDED else None)
        convert = partial(memberships.convert, agreement=Ground.PAPER)
        self.press(convert, self.booking_id, plan().id, tendered, PRIYA, UNDO)

    @rule()
    def undo(self):
        for membership in self.mine(Membership):
            self.press(memberships.undo, membership.id, PRIYA)

    @rule(span=st.sampled_from([UNDO / 2, UNDO, NOBODY_COMES]))
    def wait(self, span):
        self.now += span
        self.parts.travel(self.now)
        self.parts.work()

    @precondition(lambda self: self.now < self.parts.noon + MIDNIGHT)
    @rule()
    def day_ends(self):
        self.now = self.parts.noon + MIDNIGHT
        self.parts.travel(self.now)
        promises.sweep()
        self.parts.work()

    def mine(self, model) -> list:
        return [row for row in all_of(model) if row.booking_id == self.booking_id]

    @invariant()
    def money_goes_back_once_and_only_with_both_proofs(self):
        owed = [r for r in refunds() if r.payment_id == self.visit.payment.id]
        [promise] = self.mine(Promise)
        active = [m for m in self.mine(Membership) if m.status is MembershipStatus.ACTIVE]
        both = bool(active) and promise.treatment_began_at is not None
        assert len(owed) == (1 if both and promise.member_at else 0)
        assert (promise.status in {PromiseStatus.EARNED, PromiseStatus.SETTLED}) == bool(owed)
        assert len(active) <= 1
        intent = self.visit.payment.stripe_payment_intent_id
        returned = [r for r in self.parts.stripe.refunds() if r["payment_intent"] == intent]
        assert len(returned) == len([r for r in owed if r.stripe_refund_id])

    @invariant()
    def the_ledger_balances_and_owes_what_promises_hold(self):
        owing = {PromiseStatus.OPEN, PromiseStatus.EARNED}
        held = {p.payment_id for p in all_of(Promise) if p.status in owing}
        ledger = state.state()["ledger"]
        cents = sum(p.amount_cents for p in all_of(Payment) if p.id in held)
        assert ledger["balanced"]
        assert ledger["accounts"].get(Account.REFUND_LIABILITY, 0) == -cents


def test_whatever_the_desk_presses_the_promise_is_kept_once(noon, travel, stripe, work):
    class Parts:
        number = 0

    parts = Parts()
    parts.noon, parts.travel, parts.stripe, parts.work = noon, travel, stripe, work

    run_state_machine_as_test(
        lambda: Desk(parts),
        settings=hypothesis(max_examples=12, stateful_step_count=12, deadline=None),
    )

    ends = {status.value: 0 for status in BookingStatus}
    for row in all_of(Booking):
        ends[row.status] += 1
    assert sum(ends.values()) == parts.number
    assert stripe.violations() == []
