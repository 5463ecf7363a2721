"""Two people press the button that makes a patient a member, or one person twenty times.

Hard case "two people press convert": the second gets the first one's result.
"""

from collections import Counter
from datetime import timedelta
from threading import Barrier

from sqlalchemy.exc import IntegrityError

from booking_service.db import db
from booking_service.errors import GatewayBusy
from booking_service.models import Booking, Membership, Tender, Topic
from booking_service.queries import state
from booking_service.services import bookings, membership_pages, memberships
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.concurrency.crowd import at_once, without_constraint
from tests.factories import PRIYA, in_treatment, plan, refunds, signed

SAVED_CARD = Tendered(Tender.SAVED_CARD)


def press_convert(app, visit, count):
    """Press the button `count` times at once; with nothing left to undo."""
    plan_id = plan().id
    db.session.rollback()
    return at_once(
        app,
        count,
        lambda _: memberships.convert(
            visit.booking_id, plan_id, SAVED_CARD, PRIYA, timedelta(0), agreement=Ground.SIGNATURE
        ),
    )


def without_the_patient_lock(monkeypatch, presses):
    """Let every press read before any of them has written."""
    everybody_read = Barrier(presses)

    def with_patient(session, booking_id):
        booking = session.get_one(Booking, booking_id)
        everybody_read.wait()
        return booking

    monkeypatch.setattr(bookings, "with_patient", with_patient)


def test_two_people_press_convert_and_all_get_the_first_ones_result(
    app, seeded, stripe, work, mail
):
    visit = in_treatment(stripe)
    signed(visit.booking_id)

    outcomes = press_convert(app, visit, 20)
    work()

    assert Counter(decided for _, decided in outcomes) == {True: 1, False: 19}
    assert len({membership_id for membership_id, _ in outcomes}) == 1
    [refund] = refunds()
    assert [made["id"] for made in stripe.refunds()] == [refund.stripe_refund_id]
    assert len(stripe.subscriptions()) == 1
    now = state.state()
    assert [row["status"] for row in now["memberships"]] == ["active"]
    assert Counter(row["topic"] for row in now["notifications"]) == {
        Topic.BOOKING_CONFIRMED: 1,
        Topic.AGREEMENT_TO_SIGN: 1,  # skipped: it is signed
        Topic.AGREEMENT_SIGNED: 1,
        Topic.REFUND_SENT: 1,
    }
    assert now["ledger"]["accounts"]["refund_liability"] == 0


def test_two_desks_with_different_methods_get_one_outcome_and_are_both_told(
    app, seeded, stripe, work, mail
):
    """Card, receipt, and a page on the patient's phone: whoever was first decides for all."""
    visit = in_treatment(stripe)
    signed(visit.booking_id)
    plan_id = plan().id
    db.session.rollback()
    ways = [SAVED_CARD, Tendered(Tender.RECORDED, "T-0042"), Tendered(Tender.CHECKOUT_LINK)] * 4

    def press(number: int):
        id_, decided = memberships.convert(
            visit.booking_id, plan_id, ways[number], PRIYA, timedelta(0), agreement=Ground.SIGNATURE
        )
        known = app.extensions
        return id_, decided, membership_pages.open_(id_, known["gateway"], known["links"])

    outcomes = at_once(app, len(ways), press)
    while any(isinstance(one, GatewayBusy) for one in outcomes):  # told to press again
        outcomes = [press(n) if isinstance(o, GatewayBusy) else o for n, o in enumerate(outcomes)]

    [membership] = db.session.query(Membership).all()
    assert {id_ for id_, _, _ in outcomes} == {membership.id}
    assert {url for _, _, url in outcomes} == {membership.checkout_url}
    assert Counter(decided for _, decided, _ in outcomes)[True] <= 1
    if membership.tender is Tender.CHECKOUT_LINK:
        stripe.pay(membership.stripe_checkout_session_id)
        membership_pages.confirm_of(membership.id, app.extensions["gateway"])
    work()
    assert len(stripe.subscriptions()) == (membership.tender is not Tender.RECORDED)
    assert len(stripe.refunds()) == 1


def test_without_the_patient_lock_people_are_told_of_an_error(app, seeded, stripe, monkeypatch):
    visit = in_treatment(stripe)
    signed(visit.booking_id)
    without_the_patient_lock(monkeypatch, 4)

    outcomes = press_convert(app, visit, 4)

    assert Counter(type(outcome) for outcome in outcomes) == {tuple: 1, IntegrityError: 3}


def test_without_lock_and_index_a_patient_would_be_charged_for_each_press(
    app, seeded, stripe, work, mail, monkeypatch
):
    visit = in_treatment(stripe)
    signed(visit.booking_id)
    without_the_patient_lock(monkeypatch, 3)

    with without_constraint("memberships", "uq_memberships_one_current"):
        press_convert(app, visit, 3)
        work()
        members = db.session.query(Membership).count()

    assert members == 3
    assert len(stripe.subscriptions()) == 3
