from contextlib import suppress
from datetime import timedelta

import pytest

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.errors import GatewayRefused, GatewayUnavailable
from booking_service.models import (
    Attempt,
    ChargeStatus,
    EntryKind,
    JournalEntry,
    Membership,
    MembershipStatus,
    Plan,
    PromiseStatus,
    Tender,
)
from booking_service.queries import state
from booking_service.services import first_payments, memberships, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.outbox import Patience
from tests.factories import PRIYA, converted, in_treatment, plan, refunds

LEASE = timedelta(seconds=60)
PATIENCE = Patience(LEASE, (LEASE,), timedelta(hours=23))
SUBSCRIPTIONS = "/v1/subscriptions"
DECLINES_ONCE_SAVED = "4000000000000341"
IN_CASH = Tendered(Tender.RECORDED, "receipt 4711")


@pytest.fixture
def decided(app, seeded, stripe):
    """A membership the desk has decided, and nobody can undo any more."""
    return converted(stripe).membership_id


def start(membership_id, gateway) -> None:
    """Try once; having no answer is an outcome like any other."""
    with suppress(GatewayUnavailable):
        first_payments.start(membership_id, gateway, PATIENCE)


def now(membership_id) -> Membership:
    db.session.rollback()
    return db.session.get_one(Membership, membership_id, populate_existing=True)


def standing(membership_id) -> tuple[MembershipStatus, ChargeStatus]:
    membership = now(membership_id)
    return membership.status, membership.charge_status


def promises() -> list[str]:
    db.session.rollback()
    return [booking["promise_status"] for booking in state.state()["bookings"]]


def attempts() -> list[tuple[int, str | None]]:
    db.session.rollback()
    ours = db.session.query(Attempt).where(Attempt.idempotency_key.startswith("membership:"))
    return [(a.number, a.outcome) for a in ours.order_by(Attempt.number)]


def booked(kind: EntryKind) -> int:
    db.session.rollback()
    return db.session.query(JournalEntry).where(JournalEntry.kind == kind).count()


def test_a_first_payment_makes_a_member_and_earns_the_promise(decided, gateway, stripe):
    start(decided, gateway)

    [made] = stripe.subscriptions()
    assert standing(decided) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert now(decided).stripe_subscription_id == made["id"]
    assert stripe.keys(SUBSCRIPTIONS) == [f"membership:{decided}:1"]
    assert promises() == [PromiseStatus.EARNED]
    assert [(r.reason, r.amount_cents) for r in refunds()] == [("membership", 3900)]


def test_starting_twice_charges_once(decided, gateway, stripe):
    start(decided, gateway)
    start(decided, gateway)

    assert len(stripe.keys(SUBSCRIPTIONS)) == 1
    assert booked(EntryKind.MEMBERSHIP_PAYMENT) == 1
    assert len(refunds()) == 1


def test_a_declined_card_charges_nobody_and_returns_nothing(app, seeded, gateway, stripe):
    membership_id = converted(stripe, card=DECLINES_ONCE_SAVED).membership_id

    start(membership_id, gateway)
    start(membership_id, gateway)

    assert standing(membership_id) == (MembershipStatus.PENDING, ChargeStatus.DECLINED)
    assert now(membership_id).decline_code == "generic_decline"
    assert stripe.subscriptions() == []
    assert stripe.statuses("POST", SUBSCRIPTIONS) == [402]
    assert promises() == [PromiseStatus.OPEN]
    assert refunds() == []


def test_after_a_declined_card_money_at_the_desk_keeps_the_promise(
    app, seeded, gateway, stripe, work, mail
):
    visit = converted(stripe, card=DECLINES_ONCE_SAVED)
    work()

    again, decided = memberships.convert(
        visit.booking_id, plan().id, IN_CASH, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()

    assert (again, decided) == (visit.membership_id, True)
    assert standing(again) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert stripe.subscriptions() == []
    assert promises() == [PromiseStatus.SETTLED]


def test_after_a_declined_card_another_try_has_a_key_of_its_own(app, seeded, gateway, stripe):
    """Stripe repeats a decline for as long as the key is the same."""
    visit = converted(stripe, card=DECLINES_ONCE_SAVED)
    start(visit.membership_id, gateway)

    card = Tendered(Tender.SAVED_CARD)
    memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    start(visit.membership_id, gateway)

    first, second = stripe.keys(SUBSCRIPTIONS)
    assert (first, second) == (
        f"membership:{visit.membership_id}:1",
        f"membership:{visit.membership_id}:2",
    )


def test_nothing_is_sent_while_it_can_be_undone(app, seeded, gateway, stripe):
    visit = in_treatment(stripe)
    card = Tendered(Tender.SAVED_CARD)
    membership_id, _ = memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, LEASE, agreement=Ground.PAPER
    )

    start(membership_id, gateway)

    assert standing(membership_id) == (MembershipStatus.PENDING, ChargeStatus.SCHEDULED)
    assert stripe.keys(SUBSCRIPTIONS) == []


def test_what_was_undone_is_never_charged(app, seeded, gateway, stripe, travel):
    visit = in_treatment(stripe)
    card = Tendered(Tender.SAVED_CARD)
    membership_id, _ = memberships.convert(
        visit.booking_id, plan().id, card, PRIYA, LEASE, agreement=Ground.PAPER
    )
    memberships.undo(membership_id, PRIYA)

    travel(utc_now() + 2 * LEASE)
    start(membership_id, gateway)

    assert now(membership_id).status is MembershipStatus.UNDONE
    assert stripe.keys(SUBSCRIPTIONS) == []
    assert promises() == [PromiseStatus.OPEN]


def test_an_answer_that_was_lost_is_found_without_asking_again(decided, gateway, stripe):
    stripe.fault("drop_after", SUBSCRIPTIONS)

    start(decided, gateway)

    assert standing(decided) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert len(stripe.keys(SUBSCRIPTIONS)) == 1
    assert booked(EntryKind.MEMBERSHIP_FEE) == 1


def test_without_an_answer_the_desk_sees_that_nobody_knows(decided, gateway, stripe):
    stripe.fault("drop_before", SUBSCRIPTIONS)

    start(decided, gateway)

    assert standing(decided) == (MembershipStatus.PENDING, ChargeStatus.UNKNOWN)


@pytest.mark.parametrize("kind", ["drop_before", "rate_limit", "conflict", "unauthorized"])
def test_what_stripe_did_not_do_is_asked_again_under_the_same_key(decided, gateway, stripe, kind):
    stripe.fault(kind, SUBSCRIPTIONS)

    start(decided, gateway)
    start(decided, gateway)

    assert standing(decided) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert stripe.keys(SUBSCRIPTIONS) == [f"membership:{decided}:1"] * 2


def test_another_key_is_used_only_after_two_empty_lists_a_lease_apart(
    decided, gateway, stripe, travel
):
    stripe.fault("error_500_before", SUBSCRIPTIONS)
    started = utc_now()
    for seconds in (0, 59, 60):
        travel(started + timedelta(seconds=seconds))
        start(decided, gateway)
    assert attempts() == [(1, "not_found")]

    start(decided, gateway)

    assert attempts() == [(1, "not_found"), (2, "paid")]
    assert len(stripe.subscriptions()) == 1


def test_a_key_older_than_its_age_is_not_used_again(decided, gateway, stripe, travel):
    stripe.fault("drop_before", SUBSCRIPTIONS)
    started = utc_now()
    travel(started)
    start(decided, gateway)

    for minutes in (0, 1, 2):
        travel(started + timedelta(hours=23, minutes=minutes))
        start(decided, gateway)

    assert stripe.keys(SUBSCRIPTIONS) == [f"membership:{decided}:1", f"membership:{decided}:2"]
    assert standing(decided) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)


def test_a_plans_price_is_made_once(decided, gateway, stripe):
    stripe.fault("drop_after", "/v1/prices")

    start(decided, gateway)
    start(decided, gateway)

    assert stripe.keys("/v1/prices") == [f"price:{plan().id}"] * 2
    price_ids = [item["price"]["id"] for item in stripe.subscriptions()[0]["items"]["data"]]
    db.session.rollback()
    assert [db.session.get_one(Plan, plan().id).stripe_price_id] == price_ids


def test_hearing_of_a_member_again_changes_nothing(decided, gateway, stripe):
    start(decided, gateway)
    made = gateway.find_subscription(now(decided).stripe_subscription_id)
    before = state.state()

    with transaction() as session:
        first_payments.activate(session, decided, made)

    assert state.state() == before


def test_a_decline_that_slept_through_its_lease_is_not_believed(decided, gateway, stripe):
    """The next worker had the card accepted meanwhile."""

    class Late:
        def __getattr__(self, name):
            return getattr(gateway, name)

        def subscribe(self, _order):
            start(decided, gateway)
            raise GatewayRefused("card_declined", "declined", "generic_decline")

    start(decided, Late())

    assert standing(decided) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert now(decided).decline_code is None


def test_a_payment_recorded_at_the_desk_needs_no_stripe(app, seeded, gateway, stripe):
    membership_id = converted(stripe, IN_CASH).membership_id

    start(membership_id, gateway)

    assert standing(membership_id) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert stripe.keys(SUBSCRIPTIONS) == []
    accounts = state.state()["ledger"]["accounts"]
    assert accounts["desk_takings"] == 14_900
    assert promises() == [PromiseStatus.EARNED]


def test_a_bank_that_takes_longer_than_the_visit_does_not_cost_the_refund(
    app, seeded, gateway, stripe, work, mail
):
    visit = converted(stripe)
    stripe.fault("drop_before", SUBSCRIPTIONS)
    start(visit.membership_id, gateway)

    visit_steps.complete(visit.booking_id, PRIYA)
    work()

    assert promises() == [PromiseStatus.SETTLED]
