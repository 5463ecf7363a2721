from datetime import UTC, datetime, timedelta
from threading import Barrier, current_thread

import pytest

from booking_service import clock
from booking_service.db import db
from booking_service.errors import TooLate
from booking_service.models import ChargeStatus, Membership, MembershipStatus, Tender
from booking_service.services import first_payments, memberships
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.concurrency.crowd import at_once
from tests.factories import PRIYA, in_treatment, plan
from workers.work import patience

UNDO = timedelta(seconds=10)


@pytest.fixture
def clocks_differ(monkeypatch):
    """The web's clock is slow by a minute: it would still undo what a worker may start."""
    web = set()

    def now() -> datetime:
        slow = timedelta(minutes=1) if current_thread() in web else timedelta(0)
        return datetime.now(UTC) + UNDO + timedelta(seconds=1) - slow

    def begin() -> None:
        monkeypatch.setattr(clock, "source", now)

    begin.web = web
    return begin


def undo_while_starting(app, membership_id, gateway, clocks_differ):
    """Press undo at the instant a worker begins; return what each said."""

    def one(number: int) -> str:
        if number == 0:
            clocks_differ.web.add(current_thread())
            memberships.undo(membership_id, PRIYA)
            return "undone"
        first_payments.start(membership_id, gateway, patience())
        return "started"

    db.session.rollback()
    return at_once(app, 2, one)


def scheduled(stripe):
    visit = in_treatment(stripe)
    tendered = Tendered(Tender.SAVED_CARD)
    return memberships.convert(
        visit.booking_id, plan().id, tendered, PRIYA, UNDO, agreement=Ground.PAPER
    )[0]


@pytest.mark.parametrize("round_number", range(5))
def test_undoing_while_a_worker_starts_either_undoes_or_charges(
    app, seeded, stripe, gateway, clocks_differ, round_number
):
    membership_id = scheduled(stripe)
    clocks_differ()

    undone, started = undo_while_starting(app, membership_id, gateway, clocks_differ)

    membership = db.session.get_one(Membership, membership_id)
    assert started == "started"
    if undone == "undone":
        assert membership.status is MembershipStatus.UNDONE
        assert stripe.subscriptions() == []
    else:
        assert isinstance(undone, TooLate)
        assert membership.status is MembershipStatus.ACTIVE
        assert len(stripe.subscriptions()) == 1


def test_without_the_lock_a_membership_would_be_undone_and_charged(
    app, seeded, stripe, gateway, clocks_differ, monkeypatch
):
    membership_id = scheduled(stripe)
    both_read = Barrier(2)

    def read_together(session, id_):
        membership = session.get_one(Membership, id_)
        if membership.charge_status is ChargeStatus.SCHEDULED:
            both_read.wait(5)
        return membership

    monkeypatch.setattr(memberships, "with_patient", read_together)
    clocks_differ()

    undone, _ = undo_while_starting(app, membership_id, gateway, clocks_differ)

    assert undone == "undone"
    assert len(stripe.subscriptions()) == 1
