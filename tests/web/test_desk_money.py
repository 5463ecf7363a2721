"""The desk pays back in cash, asks finance for goodwill, and counts the drawer."""

from datetime import timedelta

import pytest

from booking_service.models import (
    AuditRow,
    DeskCount,
    PaymentTender,
    RefundReason,
    RefundStatus,
    Tender,
)
from booking_service.queries import availability
from booking_service.services import bookings, memberships, visit_steps, walk_ins
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.walk_ins import DeskPayment
from tests.factories import PRIYA, all_of, details, in_treatment, paid, plan, refunds
from tests.web.staff_browser import StaffBrowser, words

TAKINGS = "/desk/takings"


@pytest.fixture
def priya(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    return browser


@pytest.fixture
def cash(seeded, noon, stripe):
    doctor = availability.practitioners()[0].id
    taken = DeskPayment(PaymentTender.CASH, "R-17", 1)
    booking_id = walk_ins.book((doctor, noon), details(), taken, PRIYA)
    visit_steps.arrive(booking_id, PRIYA)
    return booking_id


@pytest.fixture
def owed(cash, work, mail):
    visit_steps.begin_treatment(cash, PRIYA)
    by_receipt = Tendered(Tender.RECORDED, "M-1")
    memberships.convert(cash, plan().id, by_receipt, PRIYA, timedelta(0), agreement=Ground.PAPER)
    work()
    return cash


def drawer(booking_id) -> str:
    return f"/desk/visit/{booking_id}"


def test_cash_is_paid_back_where_the_membership_was_started(priya, owed):
    page = drawer(owed)
    said = words(priya.get(page))
    assert "Pay Dana $39.00 back now Dana paid with cash, so it goes back the same way." in said
    assert "Say to Dana “You're a member. Here is your $39 back.”" in said
    assert "finance" not in said.partition("Pay Dana")[2]
    assert "$39.00 to be paid back" in words(priya.get("/desk/2026-11-23"))

    answer = priya.post(page, f"{page}/pay-back", reference="R-99")

    said = words(priya.get(answer.location))
    assert "Paid back, and written down." in said
    assert "Dana is a member" in said
    assert "You have your $39 back." in said
    assert "$39.00 paid back" in words(priya.get("/desk/2026-11-23"))
    assert [refund.status for refund in refunds()] == [RefundStatus.SETTLED_OTHERWISE]


def test_without_the_receipt_the_page_says_so_and_nothing_is_settled(priya, owed):
    answer = priya.post(drawer(owed), f"{drawer(owed)}/pay-back", reference="")

    assert answer.status_code == 422
    assert "This was not done Add the check number, the receipt" in words(answer)
    assert [refund.status for refund in refunds()] == [RefundStatus.BLOCKED]


def test_a_visit_paid_in_cash_and_cancelled_by_the_practice_is_paid_back_in_its_drawer(
    priya, seeded, noon, stripe, work, mail
):
    doctor = availability.practitioners()[0].id
    taken = DeskPayment(PaymentTender.CASH, "R-17", 1)
    at = noon + timedelta(hours=3)
    booking_id = walk_ins.book((doctor, at), details(), taken, PRIYA)
    bookings.cancel(booking_id, PRIYA)
    work()

    said = words(priya.get(drawer(booking_id)))
    assert "$39.00 back to cash: to be paid back here. Pay Dana $39.00 back now" in said


def test_finance_is_asked_for_what_the_promise_does_not_owe(priya, seeded, noon, stripe, mail):
    visit = in_treatment(stripe)
    visit_steps.complete(visit.booking_id, PRIYA)
    page = drawer(visit.booking_id)
    assert "Ask finance for goodwill" in words(priya.get(page))

    form = f"{page}/goodwill"
    answer = priya.post(form, form, note="The doctor was called away")

    said = words(priya.get(answer.location))
    assert "Finance is asked to give $39.00 back as goodwill, since Mon, Nov 23, 12:00 PM." in said
    assert "Ask finance for goodwill" not in said
    [refund] = refunds()
    assert (refund.reason, refund.status) == (RefundReason.GOODWILL, RefundStatus.BLOCKED)
    assert refund.note == "The doctor was called away"


def test_asking_without_a_reason_or_twice_asks_nobody(priya, seeded, noon, stripe, mail):
    visit = in_treatment(stripe)
    visit_steps.complete(visit.booking_id, PRIYA)
    form = f"{drawer(visit.booking_id)}/goodwill"

    answer = priya.post(form, form, note=" ")
    assert answer.status_code == 422
    assert "Nobody was asked, and no money moved Say why the money goes back." in words(answer)

    priya.post(form, form, note="The doctor was called away")
    again = priya.post(form, form, note="The doctor was called away")
    assert again.status_code == 409
    assert "Somebody has asked already" in words(again)
    assert len(refunds()) == 1


def test_nobody_is_asked_while_the_promise_can_still_be_kept(priya, seeded, noon, stripe):
    visit = paid(stripe)

    assert "Ask finance" not in words(priya.get(drawer(visit.booking_id)))


def test_the_drawer_is_counted_against_what_was_written_down(priya, owed):
    said = words(priya.get(TAKINGS))
    assert "12:00 PM First visit Cash R-17 Dana Whitfield" in said
    total = f"${(3900 + plan().price_cents) / 100:,.2f}"
    assert f"Should be there {total}" in said

    answer = priya.post(TAKINGS, TAKINGS, counted=total, note="")

    assert f"12:00 PM , Priya Shah: {total} as it should be" in words(priya.get(answer.location))
    assert len(all_of(DeskCount)) == 1


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"counted": "much"}, "Give an amount like 78.00."),
        ({"counted": "1.00"}, "Say what explains the difference."),
    ],
)
def test_a_count_that_says_nothing_is_not_written_down(priya, cash, sent, sentence):
    answer = priya.post(TAKINGS, TAKINGS, **sent)

    assert answer.status_code == 422
    assert f"The count was not written down {sentence}" in words(answer)
    assert all_of(DeskCount) == []


def test_the_takings_of_a_day_are_a_file_and_who_took_it_is_kept(priya, cash):
    answer = priya.get("/desk/takings.csv?day=2026-11-23")

    assert "R-17,3900" in answer.text
    assert [row.action for row in all_of(AuditRow)].count("export.download") == 1


def test_an_empty_day_says_what_would_be_there(priya):
    assert "Nothing was taken or paid back at the desk on this day." in words(priya.get(TAKINGS))
