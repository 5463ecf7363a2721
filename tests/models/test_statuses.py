"""Every move of every status: what may follow what, and that nothing else may."""

import re
from datetime import UTC, datetime
from functools import partial

import pytest

from booking_service.errors import IllegalTransition
from booking_service.models import (
    Booking,
    BookingStatus,
    Membership,
    MembershipStatus,
    Payment,
    PaymentTender,
    Promise,
    PromiseStatus,
    Refund,
    RefundStatus,
    name_key,
)
from booking_service.models.bookings import new_code

AT = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)

BOOKINGS = """
held -> confirmed expired
confirmed -> arrived no_show cancelled
arrived -> in_treatment completed
in_treatment -> completed
expired -> confirmed
"""
PROMISES = """
open -> earned lapsed waived void
earned -> settled blocked broken waived void
blocked -> earned settled broken waived void
broken -> earned settled blocked waived void
settled -> broken
lapsed -> open waived void
"""
MEMBERSHIPS = """
pending -> active undone ended
active -> past_due cancelled ended
past_due -> active cancelled ended
cancelled -> ended
"""
REFUNDS = """
blocked -> requested canceled settled_otherwise external
requested -> sending blocked canceled external
sending -> pending requires_action succeeded failed canceled blocked external
pending -> requires_action succeeded failed canceled
requires_action -> pending succeeded failed canceled
succeeded -> failed
failed -> requested canceled settled_otherwise external
canceled -> requested settled_otherwise external
external -> failed canceled
"""


def moves(table: str) -> dict[str, set[str]]:
    rows = (line.split(" -> ") for line in table.strip().splitlines())
    return {before: set(after.split()) for before, after in rows}


TAKEN_BACK = """
arrived -> confirmed
in_treatment -> arrived
completed -> in_treatment arrived
no_show -> confirmed
"""


def move_of(row, status):
    """`move_to` with the time where it asks for one."""
    if isinstance(row, Promise | Refund):
        return partial(row.move_to, status, AT)
    return partial(row.move_to, status)


@pytest.mark.parametrize(
    ("model", "statuses", "table"),
    [
        (Booking, BookingStatus, BOOKINGS),
        (Promise, PromiseStatus, PROMISES),
        (Membership, MembershipStatus, MEMBERSHIPS),
        (Refund, RefundStatus, REFUNDS),
    ],
    ids=["bookings", "promises", "memberships", "refunds"],
)
def test_a_status_follows_only_what_it_may_follow(model, statuses, table):
    allowed: dict[str, set[str]] = {}
    for before in statuses:
        for after in set(statuses) - {before}:
            row = model(status=before)
            try:
                changed = move_of(row, after)()
            except IllegalTransition:
                assert row.status is before
            else:
                assert (changed, row.status) == (True, after)
                allowed.setdefault(before.value, set()).add(after.value)

    assert allowed == moves(table)


def test_a_step_of_a_visit_is_taken_back_to_the_one_before_and_no_further():
    allowed: dict[str, set[str]] = {}
    for before in BookingStatus:
        for after in BookingStatus:
            row = Booking(status=before)
            try:
                row.move_back_to(after)
            except IllegalTransition:
                assert row.status is before
            else:
                assert row.status is after
                allowed.setdefault(before.value, set()).add(after.value)

    assert allowed == moves(TAKEN_BACK)


@pytest.mark.parametrize(
    ("model", "statuses"),
    [
        (Booking, BookingStatus),
        (Promise, PromiseStatus),
        (Membership, MembershipStatus),
        (Refund, RefundStatus),
    ],
    ids=["bookings", "promises", "memberships", "refunds"],
)
def test_the_same_news_twice_changes_nothing(model, statuses):
    for status in statuses:
        row = model(status=status)
        assert move_of(row, status)() is False
        assert row.status is status


def test_a_promise_knows_when_it_moved():
    promise = Promise(status=PromiseStatus.OPEN)

    promise.move_to(PromiseStatus.LAPSED, AT)

    assert promise.changed_at == AT


def test_a_refund_knows_when_stripe_answered():
    answers = {"pending", "requires_action", "succeeded", "failed", "canceled"}
    known = set()
    for status in set(RefundStatus):
        refund = Refund(status=RefundStatus.SENDING)
        if refund.may_become(status):
            refund.move_to(status, AT)
            known |= {status.value} if refund.answered_at == AT else set()

    assert known == answers


def test_a_refusal_tells_a_person_what_the_visit_is():
    refused = "^This visit is no show; it cannot become in treatment.$"
    with pytest.raises(IllegalTransition, match=refused):
        Booking(status=BookingStatus.NO_SHOW).move_to(BookingStatus.IN_TREATMENT)


def test_codes_are_read_aloud_without_doubt():
    codes = {new_code() for _ in range(500)}

    assert len(codes) == 500
    assert [c for c in codes if not re.fullmatch(r"FV-[2-9BCDFGHJKMNPQRSTVWXYZ]{6}", c)] == []


@pytest.mark.parametrize(
    ("brand", "last4", "words"),
    [
        ("visa", "4242", "Visa 4242"),
        ("american express", "0005", "American Express 0005"),
        (None, None, "Card"),
    ],
)
def test_a_card_is_named_as_its_owner_knows_it(brand, last4, words):
    assert Payment(tender=PaymentTender.CARD, card_brand=brand, card_last4=last4).card == words


def test_names_are_compared_without_case_and_spacing():
    assert name_key("  Dana   WHITFIELD ") == name_key("dana whitfield") == "dana whitfield"
    assert name_key("Strauß") == name_key("STRAUSS")
    assert name_key("Dana Whitfield") != name_key("Dan Whitfield")
