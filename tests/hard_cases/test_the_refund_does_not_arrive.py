"""The card is closed; or Stripe has no money of ours just now.

Hard cases "the card refund fails" and "refund pending because the Stripe balance is low".
"""

import pytest

from booking_service.errors import NotAllowed
from booking_service.gateways import stripe_reading
from booking_service.local.ports import wait_until
from booking_service.models import CaseAction, RefundStatus
from booking_service.services import refund_exceptions, refunds, resolutions
from tests.case_makers import ANA, BEN, BY_CHECK, case_of, do, settlements
from tests.factories import converted
from tests.factories import refunds as all_refunds
from tests.faults.facts import booked, cases, promise, sent_topics
from tests.web.staff_browser import words

pytestmark = pytest.mark.usefixtures("seeded", "mail")

DAY = 24 * 3600


# The card refund fails.


def bounced(stripe, gateway, work, why):
    """A member whose $39 the bank sent back; return the case."""
    converted(stripe)
    work()
    [refund] = all_refunds()
    stripe.bounce(refund.stripe_refund_id, why)
    refunds.apply_news(refund.stripe_refund_id, gateway)
    work()
    return case_of(refund.id).id


def said_to(action, case_id, actor) -> str:
    """What a person is told who tries something about a case."""
    try:
        do(case_id, action, actor, BY_CHECK)
    except NotAllowed as refused:
        return str(refused)
    return "done"


def test_the_card_is_closed_and_a_check_by_two_people_keeps_the_promise(
    noon, stripe, gateway, work, mail, sign_in
):
    case_id = bounced(stripe, gateway, work, "expired_or_canceled_card")
    assert promise() == "broken"
    page = words(sign_in("finance").get(f"/finance/cases/{case_id}"))
    assert "$39.00 is still owed. The card is closed or has expired." in page

    said = [
        said_to(CaseAction.RETRY, case_id, ANA),
        said_to(CaseAction.SETTLE, case_id, ANA),
        said_to(CaseAction.APPROVE_SETTLEMENT, case_id, ANA),
        said_to(CaseAction.APPROVE_SETTLEMENT, case_id, BEN),
    ]
    work()

    assert said == [
        "The card is gone, so Stripe would fail again. Pay it back another way.",
        "done",
        "You recorded this payment. Somebody else must approve it.",
        "done",
    ]
    assert (promise(), cases()) == ("settled", [("refund_failed", "resolved")])
    assert [made["status"] for made in stripe.refunds()] == ["failed"]
    assert mail.letters[-1].subject == "Your $39.00 was paid back"


def check_recorded_then_tried_again(stripe, gateway, work):
    """Ana writes a check; Ben, who does not know, sends it to the card again."""
    case_id = bounced(stripe, gateway, work, "unknown")
    said_to(CaseAction.SETTLE, case_id, ANA)
    tried = said_to(CaseAction.RETRY, case_id, BEN)
    work()
    back = [made["status"] for made in stripe.refunds()].count("succeeded")
    return tried, {"by card": back, "by check": len(settlements())}


def test_while_a_check_is_out_stripe_is_locked_and_nothing_is_paid_twice(
    noon, stripe, gateway, work
):
    tried, paid = check_recorded_then_tried_again(stripe, gateway, work)

    assert tried.startswith("A payment outside Stripe is recorded.")
    assert paid == {"by card": 0, "by check": 1}


def test_without_the_lock_on_stripe_the_same_debt_is_paid_twice(
    noon, stripe, gateway, work, monkeypatch
):
    monkeypatch.setattr(resolutions, "objection", lambda *_: None)
    monkeypatch.setattr(refund_exceptions.rows, "is_paid_another_way", lambda *_: False)

    tried, paid = check_recorded_then_tried_again(stripe, gateway, work)

    assert tried == "done"
    assert paid == {"by card": 1, "by check": 1}


# Refund pending because the Stripe balance is low.


@pytest.fixture
def empty_balance(stripe):
    """Stripe has no money of ours, and does not fetch any from the bank."""
    stripe.settings(bank_debits=False)
    yield
    stripe.settings(bank_debits=True)


def joined(stripe, work):
    converted(stripe)
    work()
    [refund] = all_refunds()
    return refund


def test_a_refund_waiting_for_money_at_stripe_is_on_its_way_and_not_done(
    noon, stripe, gateway, work, empty_balance, sign_in
):
    refund = joined(stripe, work)

    assert (refund.status, promise(), booked()) == (RefundStatus.PENDING, "earned", [])
    assert "Dana Whitfield" in words(sign_in("finance").get("/finance/refunds?status=pending"))

    stripe.advance(3 * DAY)  # the charge becomes available
    wait_until(lambda: stripe.refunds()[0]["status"] == "succeeded", "the refund is sent")
    refunds.apply_news(refund.stripe_refund_id, gateway)

    assert (all_refunds()[0].status, promise()) == (RefundStatus.SUCCEEDED, "settled")
    assert booked() == ["refund"]
    assert sent_topics().count("notifications.refund_sent") == 1


def test_taking_on_its_way_for_done_says_the_money_is_back_while_stripe_has_it(
    noon, stripe, gateway, work, empty_balance, monkeypatch
):
    """The control: Stripe's word for a refund is not read, every answer means it is back."""
    monkeypatch.setattr(stripe_reading, "RefundStatus", lambda _: RefundStatus.SUCCEEDED)

    joined(stripe, work)

    assert promise() == "settled"
    assert [made["status"] for made in stripe.refunds()] == ["pending"]
