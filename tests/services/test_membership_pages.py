"""Paying the first month on one's own phone: made, paid, taken back, forgotten."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from booking_service.db import db
from booking_service.errors import GatewayUnavailable, NotAllowed, NotFound, TooLate
from booking_service.gateways.memberships import SubscriptionStatus
from booking_service.models import (
    AuditRow,
    Case,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Promise,
    PromiseStatus,
    RefundStatus,
    Tender,
)
from booking_service.queries import state
from booking_service.services import membership_pages, memberships, promises, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import PRIYA, all_of, change, converted, in_treatment, plan, refunds

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

UNDO = timedelta(seconds=10)
DAY = timedelta(hours=23)
ON_THE_PHONE = Tendered(Tender.CHECKOUT_LINK)
SESSIONS = "/v1/checkout/sessions"
DECLINED = "4000000000000002"


@pytest.fixture
def links(app):
    return app.extensions["links"]


@pytest.fixture
def decide(stripe, gateway, links):
    """Decide at the desk that a patient pays on the phone, and make the page."""

    def do(**more) -> UUID:
        visit = in_treatment(stripe, **more)
        id_, _ = memberships.convert(
            visit.booking_id, plan().id, ON_THE_PHONE, PRIYA, UNDO, agreement=Ground.PAPER
        )
        membership_pages.open_(id_, gateway, links)
        return id_

    return do


def membership(id_) -> Membership:
    return next(row for row in all_of(Membership) if row.id == id_)


def standing(id_) -> tuple[MembershipStatus, ChargeStatus]:
    row = membership(id_)
    return row.status, row.charge_status


def page_of(id_) -> str:
    return membership(id_).stripe_checkout_session_id


def page_at_stripe(stripe, id_) -> dict:
    [page] = [
        one for one in stripe.listed("checkout/sessions", limit=100) if one["id"] == page_of(id_)
    ]
    return page


def promise_status() -> list[PromiseStatus]:
    return [promise.status for promise in all_of(Promise)]


def asked(stripe, path, method="POST") -> list[dict]:
    return [one for one in stripe.log() if (one["method"], one["path"]) == (method, path)]


PENDING = (MembershipStatus.PENDING, ChargeStatus.SCHEDULED)
ACTIVE = (MembershipStatus.ACTIVE, ChargeStatus.PAID)


def test_the_page_is_asked_for_in_neutral_words_and_opaque_ids(noon, decide, stripe, links):
    id_ = decide()

    order = asked(stripe, SESSIONS)[-1]
    ours = {"application": "first_visit", "membership_id": str(id_)}
    [customer] = stripe.listed("customers")
    assert order["params"] == {
        "mode": "subscription",
        "client_reference_id": str(id_),
        "customer": customer["id"],
        "expires_at": str(int((noon + DAY).timestamp())),
        "success_url": links.join(id_),
        "cancel_url": links.join(id_),
        "locale": "en",
        "line_items": {"0": {"price": plan().stripe_price_id, "quantity": "1"}},
        "metadata": ours,
        "subscription_data": {"metadata": ours},
    }
    assert order["idempotency_key"] == f"membership-page:{id_}:{int(noon.timestamp())}"
    assert membership(id_).checkout_url == page_at_stripe(stripe, id_)["url"]


def test_who_kept_no_card_becomes_a_customer_by_paying(decide, stripe, gateway):
    id_ = decide(save_card=False)

    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)

    assert "customer" not in asked(stripe, SESSIONS)[-1]["params"]
    assert standing(id_) == ACTIVE


def test_the_page_is_made_at_once_and_nothing_else_reaches_stripe(noon, decide, stripe, work):
    id_ = decide()
    work()

    made = [one["path"] for one in stripe.log() if one["method"] == "POST"]
    assert made[-2:] == ["/v1/prices", SESSIONS]
    assert stripe.subscriptions() == []
    assert standing(id_) == PENDING


def test_pressing_again_gets_the_same_membership_and_the_same_page(decide, stripe, gateway, links):
    id_ = decide()
    booking_id = membership(id_).booking_id

    again = memberships.convert(
        booking_id, plan().id, ON_THE_PHONE, PRIYA, UNDO, agreement=Ground.PAPER
    )
    url = membership_pages.open_(id_, gateway, links)

    assert again == (id_, False)
    assert url == membership(id_).checkout_url
    assert len(asked(stripe, SESSIONS)) == 2  # the first visit's, and this one


def test_an_answer_that_was_lost_gets_the_same_page(decide, stripe, gateway, links):
    """Stripe made the page, we never heard of it, and the worker asks with the same key."""
    visit = in_treatment(stripe)
    id_, _ = memberships.convert(
        visit.booking_id, plan().id, ON_THE_PHONE, PRIYA, UNDO, agreement=Ground.PAPER
    )
    stripe.fault("drop_after", SESSIONS)
    with pytest.raises(GatewayUnavailable):
        membership_pages.open_(id_, gateway, links)

    membership_pages.open_(id_, gateway, links)

    pages = [one for one in stripe.listed("checkout/sessions") if one["mode"] == "subscription"]
    assert [one["id"] for one in pages] == [page_of(id_)]


def test_a_page_the_desk_could_not_make_is_made_by_a_worker(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    id_, _ = memberships.convert(
        visit.booking_id, plan().id, ON_THE_PHONE, PRIYA, UNDO, agreement=Ground.PAPER
    )

    travel(noon + UNDO)
    work()

    assert page_at_stripe(stripe, id_)["status"] == "open"
    assert standing(id_) == PENDING


def test_a_membership_paid_another_way_gets_no_page(stripe, gateway, links):
    id_ = converted(stripe).membership_id

    assert membership_pages.open_(id_, gateway, links) is None
    assert page_of(id_) is None


def test_paying_on_the_phone_makes_a_member_and_keeps_the_promise(decide, stripe, gateway, work):
    id_ = decide()

    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)
    work()

    [made] = stripe.subscriptions()
    assert standing(id_) == ACTIVE
    assert membership(id_).stripe_subscription_id == made["id"]
    assert promise_status() == [PromiseStatus.SETTLED]
    assert [refund.status for refund in refunds()] == [RefundStatus.SUCCEEDED]
    accounts = state.state()["ledger"]["accounts"]
    assert accounts["membership_revenue"] == -14900


def test_confirming_twice_changes_nothing(decide, stripe, gateway):
    id_ = decide()
    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)
    before = state.state()

    membership_pages.confirm(page_of(id_), gateway)
    membership_pages.confirm_of(id_, gateway)

    assert state.state() == before


def test_a_decline_on_stripes_page_changes_nothing_of_ours(decide, stripe, gateway):
    id_ = decide()
    before = state.state()

    assert stripe.pay(page_of(id_), DECLINED).status_code == 402
    membership_pages.confirm(page_of(id_), gateway)
    assert state.state() == before

    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)
    assert standing(id_) == ACTIVE


def test_a_page_of_another_database_is_left_alone(decide, stripe, gateway):
    id_ = decide()
    session_id = page_of(id_)
    stripe.pay(session_id)
    db.session.delete(membership(id_))
    db.session.commit()

    membership_pages.confirm(session_id, gateway)

    assert all_of(Membership) == []
    assert refunds() == []


def test_undoing_closes_the_page_first(decide, stripe, gateway):
    id_ = decide()

    membership_pages.undo(id_, PRIYA, gateway)
    membership_pages.undo(id_, PRIYA, gateway)

    assert page_at_stripe(stripe, id_)["status"] == "expired"
    assert membership(id_).status is MembershipStatus.UNDONE
    assert stripe.pay(page_of(id_)).status_code == 400
    assert [row.action for row in all_of(AuditRow)].count("membership.undo") == 1


def test_what_was_paid_just_before_cannot_be_undone(decide, stripe, gateway):
    id_ = decide()
    stripe.pay(page_of(id_))

    with pytest.raises(TooLate):
        membership_pages.undo(id_, PRIYA, gateway)

    assert standing(id_) == ACTIVE
    assert promise_status() == [PromiseStatus.EARNED]


def test_without_closing_the_page_a_membership_would_be_undone_and_paid(decide, stripe, gateway):
    """The negative control: a person must look, because nothing could stop the patient."""
    id_ = decide()
    change(Membership, id_, status=MembershipStatus.UNDONE)

    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)

    [case] = all_of(Case)
    assert (case.type, case.subject_id, case.amount_cents) == ("payment_unknown", id_, 14900)
    assert case.detail == stripe.subscriptions()[0]["id"]
    accounts = state.state()["ledger"]["accounts"]
    assert accounts["unmatched_receipts"] == -14900
    assert refunds() == []


def test_after_the_time_to_undo_the_page_stays(noon, travel, decide, stripe, gateway):
    id_ = decide()
    travel(noon + UNDO)

    with pytest.raises(TooLate):
        membership_pages.undo(id_, PRIYA, gateway)

    assert page_at_stripe(stripe, id_)["status"] == "open"


def test_while_stripe_does_not_answer_nothing_is_undone(decide, stripe, gateway):
    id_ = decide()
    for method in ("POST", "GET"):
        stripe.fault("drop_before", "/v1/checkout/sessions/*", method)

    with pytest.raises(GatewayUnavailable):
        membership_pages.undo(id_, PRIYA, gateway)

    assert standing(id_) == PENDING


def test_a_page_made_while_somebody_undoes_is_not_left_open(decide, stripe):
    """Undo saw no page; the second press closes it."""
    id_ = decide()

    with pytest.raises(NotAllowed, match="Press undo again"):
        memberships.undo(id_, PRIYA)

    assert standing(id_) == PENDING


def test_a_page_made_for_what_was_undone_meanwhile_is_closed(stripe, gateway, links):
    visit = in_treatment(stripe)
    id_, _ = memberships.convert(
        visit.booking_id, plan().id, ON_THE_PHONE, PRIYA, UNDO, agreement=Ground.PAPER
    )

    class Slow:
        def __getattr__(self, name):
            return getattr(gateway, name)

        def open_membership_page(self, order):
            page = gateway.open_membership_page(order)
            memberships.undo(id_, PRIYA)
            return page

    assert membership_pages.open_(id_, Slow(), links) is None
    assert page_at_stripe(stripe, id_)["status"] == "expired"


def test_what_does_not_exist_cannot_be_undone(gateway):
    with pytest.raises(NotFound):
        membership_pages.undo(uuid4(), PRIYA, gateway)


def test_a_page_nobody_used_ends_after_23_hours_and_the_promise_lapses(
    noon, travel, decide, stripe, gateway
):
    id_ = decide()
    travel(noon + DAY - timedelta(seconds=1))
    membership_pages.sweep(gateway)
    assert standing(id_) == PENDING

    travel(noon + DAY)
    membership_pages.sweep(gateway)
    promises.sweep()

    assert membership(id_).status is MembershipStatus.ENDED
    assert membership(id_).ended_at == noon + DAY
    assert page_at_stripe(stripe, id_)["status"] == "expired"
    assert promise_status() == [PromiseStatus.LAPSED]
    assert [row.action for row in all_of(AuditRow)].count("membership.lapse") == 1


def test_a_page_paid_in_the_last_second_is_not_ended(noon, travel, decide, stripe, gateway):
    id_ = decide()
    stripe.pay(page_of(id_))

    travel(noon + DAY)
    membership_pages.sweep(gateway)

    assert standing(id_) == ACTIVE
    assert promise_status() == [PromiseStatus.EARNED]


def test_a_page_whose_webhook_never_comes_is_found_by_the_sweep(decide, stripe, gateway):
    id_ = decide()
    stripe.pay(page_of(id_))

    membership_pages.sweep(gateway)

    assert standing(id_) == ACTIVE


@pytest.mark.parametrize("charge", [ChargeStatus.CHARGING, ChargeStatus.UNKNOWN])
def test_nothing_lapses_while_nobody_knows(noon, travel, stripe, gateway, charge):
    id_ = converted(stripe).membership_id
    change(Membership, id_, charge_status=charge)

    travel(noon + 30 * DAY)
    membership_pages.sweep(gateway)

    assert standing(id_) == (MembershipStatus.PENDING, charge)


def test_one_page_stripe_does_not_tell_about_does_not_hold_up_the_others(
    noon, travel, decide, stripe, gateway
):
    kept = decide()
    ended = decide(name="Robin Hale", email="robin@example.com", phone="518 555 0111")
    travel(noon + DAY)
    for method in ("POST", "GET"):
        stripe.fault("drop_before", f"{SESSIONS}/{page_of(kept)}*", method)

    assert membership_pages.sweep(gateway) == 2

    assert standing(kept) == PENDING
    assert membership(ended).status is MembershipStatus.ENDED


def test_a_visit_completed_while_the_patient_pays_on_the_phone_is_still_refunded(
    decide, stripe, gateway, work
):
    id_ = decide()
    visit_steps.complete(membership(id_).booking_id, PRIYA)
    assert promise_status() == [PromiseStatus.OPEN]

    stripe.pay(page_of(id_))
    membership_pages.confirm(page_of(id_), gateway)
    work()

    assert promise_status() == [PromiseStatus.SETTLED]


def test_a_page_that_is_complete_but_not_paid_makes_no_member(
    noon, travel, decide, stripe, gateway
):
    """Signing is not enough. The payment may still settle, so the membership does not end."""
    id_ = decide()
    stripe.pay(page_of(id_))

    class Unpaid:
        status = SubscriptionStatus.INCOMPLETE

        def __getattr__(self, name):
            return getattr(gateway, name)

        def find_subscription(self, subscription_id):
            found = gateway.find_subscription(subscription_id)
            return replace(found, status=self.status, payments=[])

    unpaid = Unpaid()
    travel(noon + DAY)
    membership_pages.sweep(unpaid)
    assert standing(id_) == PENDING

    unpaid.status = SubscriptionStatus.INCOMPLETE_EXPIRED
    membership_pages.sweep(unpaid)
    assert membership(id_).status is MembershipStatus.ENDED
    assert refunds() == []
