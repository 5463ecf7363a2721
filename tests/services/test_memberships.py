from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from booking_service.errors import (
    BookingServiceError,
    Invalid,
    NoSavedCard,
    NotAllowed,
    NotFound,
    TooLate,
    WindowClosed,
)
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    ChargeStatus,
    Membership,
    MembershipStatus,
    Plan,
    Promise,
    PromiseStatus,
    RefundReason,
    RefundStatus,
    Tender,
)
from booking_service.queries import state
from booking_service.services import membership_pages, memberships, visit_steps
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from tests.factories import (
    PRIYA,
    all_of,
    change,
    in_treatment,
    paid,
    plan,
    refunds,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded", "mail")

UNDO = timedelta(seconds=10)
SAVED_CARD = Tendered(Tender.SAVED_CARD)
RECEIPT = Tendered(Tender.RECORDED, "T-0042")
DECLINES_LATER = "4000000000000341"


def convert(visit, tendered=SAVED_CARD, plan_id=None):
    plan_id = plan_id or plan().id
    return memberships.convert(
        visit.booking_id, plan_id, tendered, PRIYA, UNDO, agreement=Ground.PAPER
    )


def membership(id_) -> Membership:
    return next(row for row in all_of(Membership) if row.id == id_)


def codes(visit, statuses) -> dict[str, str]:
    """Why converting is refused at each status."""
    refused = {}
    for status in statuses:
        change(Booking, visit.booking_id, status=status)
        with pytest.raises(BookingServiceError) as error:
            convert(visit)
        refused[status.value] = error.value.code
    return refused


def test_converting_is_possible_while_the_visit_goes_on_only(stripe):
    visit = paid(stripe)

    refused = codes(visit, set(BookingStatus) - {BookingStatus.IN_TREATMENT})

    assert refused == {
        "held": "not_allowed",
        "confirmed": "not_arrived",
        "arrived": "treatment_not_begun",
        "completed": "window_closed",
        "no_show": "not_allowed",
        "cancelled": "not_allowed",
        "expired": "not_allowed",
    }
    assert all_of(Membership) == []


def test_the_window_closes_when_the_practices_day_ends(travel, stripe):
    visit, other = in_treatment(stripe), in_treatment(stripe, name="Robin Hale", email="r@x.com")
    midnight = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)

    travel(midnight - timedelta(seconds=1))
    assert convert(other)[1] is True
    travel(midnight)
    with pytest.raises(BookingServiceError) as error:
        convert(visit)

    assert error.value.code == "window_closed"
    assert [row.booking_id for row in all_of(Membership)] == [other.booking_id]


def test_a_conversion_that_is_refused_is_refused_in_words(stripe):
    visit = paid(stripe)
    said = {}
    for status in (BookingStatus.CANCELLED, BookingStatus.NO_SHOW, BookingStatus.EXPIRED):
        change(Booking, visit.booking_id, status=status)
        with pytest.raises(NotAllowed) as error:
            convert(visit, Tendered(Tender.CHECKOUT_LINK))
        said[status.value] = str(error.value)

    assert said == {
        "cancelled": "This visit is cancelled; no membership can be started from it.",
        "no_show": "This visit is no show; no membership can be started from it.",
        "expired": "This visit is expired; no membership can be started from it.",
    }


def test_who_converts_the_next_day_is_told_of_goodwill(noon, travel, stripe):
    visit = in_treatment(stripe)
    travel(noon + timedelta(days=1))

    with pytest.raises(WindowClosed) as next_day:
        convert(visit)
    visit_steps.complete(visit.booking_id, PRIYA)
    with pytest.raises(WindowClosed) as completed:
        convert(visit)

    assert "grant" in str(next_day.value)
    assert "goodwill" in str(next_day.value)
    assert "goodwill" in str(completed.value)


@pytest.mark.parametrize("tendered", [SAVED_CARD, RECEIPT])
def test_undoing_in_time_sends_nothing_to_stripe(noon, travel, stripe, gateway, work, tendered):
    visit = in_treatment(stripe)
    before = len(stripe.log())
    id_, _ = convert(visit, tendered)
    travel(noon + UNDO - timedelta(milliseconds=1))
    work()

    membership_pages.undo(id_, PRIYA, gateway)
    travel(noon + 2 * UNDO)
    work()

    assert stripe.log()[before:] == []
    assert membership(id_).status is MembershipStatus.UNDONE


def test_without_waiting_something_would_have_been_sent(noon, stripe, gateway, work):
    """The negative control: the same without time to undo."""
    visit = in_treatment(stripe)
    before = len(stripe.log())
    memberships.convert(
        visit.booking_id, plan().id, SAVED_CARD, PRIYA, timedelta(0), agreement=Ground.PAPER
    )
    work()

    paths = [one["path"] for one in stripe.log()[before:] if one["method"] == "POST"]
    assert paths == ["/v1/prices", "/v1/subscriptions", "/v1/refunds"]


def test_a_decision_is_written_down_whole(noon, stripe):
    visit = in_treatment(stripe)

    id_, decided = convert(visit)

    made = membership(id_)
    assert decided is True
    assert (made.status, made.charge_status) == (MembershipStatus.PENDING, ChargeStatus.SCHEDULED)
    assert (made.booking_id, made.plan_id, made.amount_cents) == (
        visit.booking_id,
        plan().id,
        14900,
    )
    assert (made.decided_at, made.decided_by, made.undo_until) == (noon, PRIYA.name, noon + UNDO)
    [row] = [row for row in all_of(AuditRow) if row.action == "membership.convert"]
    assert (row.subject_id, row.after) == (
        id_,
        {
            "booking": str(visit.booking_id),
            "plan": str(plan().id),
            "tender": "saved_card",
            "agreement": str(made.signature_id),
        },
    )


def test_whoever_presses_second_gets_what_the_first_decided(stripe, work):
    visit = in_treatment(stripe)

    first, second = convert(visit), convert(visit, RECEIPT, plan("Family").id)

    assert (first[1], second) == (True, (first[0], False))
    assert membership(first[0]).amount_cents == 14900
    assert [row.action for row in all_of(AuditRow)].count("membership.convert") == 1


def test_nothing_reaches_stripe_before_the_time_to_undo_is_over(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    convert(visit)
    before = len(stripe.log())

    travel(noon + UNDO - timedelta(milliseconds=1))
    assert "memberships.start" not in work()
    assert len(stripe.log()) == before

    travel(noon + UNDO)
    assert "memberships.start" in work()
    assert len(stripe.subscriptions()) == 1
    assert [refund.status for refund in refunds()] == [RefundStatus.SUCCEEDED]


def test_without_a_kept_card_none_is_charged(stripe):
    visit = in_treatment(stripe, save_card=False)

    with pytest.raises(NoSavedCard):
        convert(visit)

    assert all_of(Membership) == []


@pytest.mark.parametrize("reference", [None, "", "R" * 65])
def test_a_recorded_payment_names_its_receipt(stripe, reference):
    visit = in_treatment(stripe)

    with pytest.raises(Invalid) as invalid:
        convert(visit, Tendered(Tender.RECORDED, reference))

    assert [error.field for error in invalid.value.errors] == ["reference"]
    assert all_of(Membership) == []


def test_only_a_plan_on_sale_can_be_joined(stripe):
    visit = in_treatment(stripe)
    change(Plan, plan("Family").id, is_on_sale=False)

    for plan_id in (uuid4(), plan("Family").id):
        with pytest.raises(Invalid) as invalid:
            convert(visit, plan_id=plan_id)
        assert [error.field for error in invalid.value.errors] == ["plan_id"]
    assert all_of(Membership) == []


def test_a_payment_that_went_back_cannot_be_earned(stripe):
    visit = in_treatment(stripe)
    [promise] = all_of(Promise)
    change(Promise, promise.id, status=PromiseStatus.VOID)

    with pytest.raises(NotAllowed, match="already went back"):
        convert(visit)


def test_an_undone_membership_never_reaches_stripe(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    id_, _ = convert(visit)
    travel(noon + UNDO - timedelta(milliseconds=1))

    memberships.undo(id_, PRIYA)
    memberships.undo(id_, PRIYA)
    travel(noon + UNDO)
    work()

    undone = membership(id_)
    assert undone.status is MembershipStatus.UNDONE
    assert undone.ended_at == noon + UNDO - timedelta(milliseconds=1)
    assert (stripe.subscriptions(), refunds()) == ([], [])
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]
    assert [row.action for row in all_of(AuditRow)].count("membership.undo") == 1


def test_after_undoing_the_patient_can_join_again(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    first, _ = convert(visit)
    memberships.undo(first, PRIYA)

    second, decided = convert(visit, RECEIPT)
    travel(noon + UNDO)
    work()

    assert decided is True
    assert second != first
    assert membership(second).status is MembershipStatus.ACTIVE
    assert len(refunds()) == 1


def test_undoing_too_late_changes_nothing(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    id_, _ = convert(visit)

    travel(noon + UNDO)
    with pytest.raises(TooLate):
        memberships.undo(id_, PRIYA)
    work()
    with pytest.raises(TooLate):
        memberships.undo(id_, PRIYA)

    assert membership(id_).status is MembershipStatus.ACTIVE
    assert membership(id_).ended_at is None


def test_what_does_not_exist_cannot_be_undone():
    with pytest.raises(NotFound):
        memberships.undo(uuid4(), PRIYA)


def test_after_a_declined_card_another_way_to_pay_keeps_the_promise(noon, travel, stripe, work):
    visit = in_treatment(stripe, card=DECLINES_LATER)
    id_, _ = convert(visit)
    travel(noon + UNDO)
    work()
    declined = membership(id_)
    assert (declined.status, declined.charge_status, declined.decline_code) == (
        MembershipStatus.PENDING,
        ChargeStatus.DECLINED,
        "generic_decline",
    )
    assert (refunds(), stripe.refunds()) == ([], [])

    assert convert(visit, RECEIPT) == (id_, True)
    travel(noon + 2 * UNDO)
    work()

    active = membership(id_)
    assert (active.status, active.charge_status) == (MembershipStatus.ACTIVE, ChargeStatus.PAID)
    assert (active.tender, active.reference, active.decline_code) == (
        Tender.RECORDED,
        "T-0042",
        None,
    )
    [refund] = refunds()
    assert (refund.reason, refund.status) == (RefundReason.MEMBERSHIP, RefundStatus.SUCCEEDED)
    assert len(stripe.refunds()) == 1
    assert state.state()["ledger"]["accounts"]["desk_takings"] == 14900


def test_a_visit_completed_while_the_first_payment_is_under_way_is_still_refunded(
    noon, travel, stripe, work
):
    visit = in_treatment(stripe)
    convert(visit)

    visit_steps.complete(visit.booking_id, PRIYA)
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]
    travel(noon + UNDO)
    work()

    assert [refund.status for refund in refunds()] == [RefundStatus.SUCCEEDED]
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.SETTLED]


def test_a_declined_membership_of_a_visit_that_ended_cannot_be_tried_again(
    noon, travel, stripe, work
):
    visit = in_treatment(stripe, card=DECLINES_LATER)
    convert(visit)
    travel(noon + UNDO)
    work()
    visit_steps.complete(visit.booking_id, PRIYA)

    with pytest.raises(BookingServiceError) as error:
        convert(visit, RECEIPT)

    assert error.value.code == "window_closed"
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.LAPSED]


def test_only_this_visits_promise_is_kept(noon, travel, stripe, work):
    visit = in_treatment(stripe)
    other = in_treatment(stripe, name="Robin Hale", email="robin@example.com")
    convert(visit)
    travel(noon + UNDO)
    work()

    status = {promise.booking_id: promise.status for promise in all_of(Promise)}
    assert status == {
        visit.booking_id: PromiseStatus.SETTLED,
        other.booking_id: PromiseStatus.OPEN,
    }
    assert [refund.payment_id for refund in refunds()] == [visit.payment.id]
