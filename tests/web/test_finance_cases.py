"""Needs action, as finance sees it in a browser without JavaScript."""

import csv
import io

import pytest
from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import db
from booking_service.models import (
    AuditRow,
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    Payment,
    RefundStatus,
    StaffMember,
    Topic,
)
from tests.case_makers import ANA as SOMEBODY
from tests.case_makers import (
    BY_CHECK,
    case,
    decided,
    desk_payout,
    do,
    failed,
    hired,
    opened,
    refund_of,
    stuck,
)
from tests.factories import booking, change, later, paid
from tests.factories import refunds as all_refunds
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def ana(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))
    return browser


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def post(browser, case_id, action, **form):
    return browser.post(f"/finance/cases/{case_id}", f"/finance/cases/{case_id}/{action}", **form)


def said(browser, case_id) -> str:
    return words(browser.get(f"/finance/cases/{case_id}"))


def me() -> StaffMember:
    of_finance = select(StaffMember).where(StaffMember.role == "finance")
    return db.session.scalars(of_finance.order_by(StaffMember.created_at).limit(1)).one()


def test_a_case_says_the_money_first_then_what_to_do(ana, visit):
    page = said(ana, failed(visit))

    assert "The refund failed · $39.00" in page
    assert "$39.00 is still owed. The card is closed or has expired." in page
    assert f"Dana Whitfield · {booking(visit.booking_id).code}" in page
    assert "Try the card again: The card is gone" in page


def test_a_payout_is_recorded_and_waits_for_somebody_else(ana, visit):
    case_id = failed(visit)

    answer = post(ana, case_id, "settle", method="check", reference="1042")

    assert (answer.status_code, answer.location) == (303, f"/finance/cases/{case_id}")
    page = said(ana, case_id)
    assert f"$39.00 was paid by check, {me().name} says: 1042." in page
    assert "Approve the payout: You recorded this payment. Somebody else must" in page


def test_somebody_elses_payout_is_approved_from_the_page(ana, visit):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, SOMEBODY, BY_CHECK)

    answer = post(ana, case_id, "approve_settlement")

    assert answer.status_code == 303
    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE
    assert f"Approve settlement, by {me().name}." in said(ana, case_id)


def test_a_form_that_lacks_something_comes_back_with_what_was_typed(ana, visit):
    case_id = failed(visit)

    answer = post(ana, case_id, "settle", reference="1042")

    assert answer.status_code == 422
    assert "This was not done, and no money moved" in words(answer)
    assert "Choose how the money is paid." in words(answer)
    assert 'value="1042"' in answer.text


def test_what_may_not_be_done_is_said_and_not_done(ana, visit):
    case_id = failed(visit)

    answer = post(ana, case_id, "retry")

    assert answer.status_code == 409
    assert "The card is gone" in words(answer)


def test_a_form_without_its_token_changes_nothing(ana, visit):
    case_id = failed(visit)

    assert ana.post_without_token(f"/finance/cases/{case_id}/settle").status_code == 400
    assert post(ana, case_id, "dance").status_code == 404


def test_a_desk_payout_is_done_by_one_person(ana, visit):
    case_id = desk_payout(visit)

    shown = said(ana, case_id)
    post(ana, case_id, "settle", method="cash", reference="R-0417")

    assert "You hand over $39.00 and write the receipt down." in shown
    assert refund_of(case_id).status is RefundStatus.SETTLED_OTHERWISE


def test_stuck_work_says_which_work_and_how_to_do_it_again(ana):
    case_id = stuck()

    shown = said(ana, case_id)
    answer = post(ana, case_id, "retry")

    assert "Sending a refund to Stripe was tried too often, and has stopped." in shown
    assert "Tried 23 times" in shown
    assert f"booking outbox replay --id {case(case_id).subject_id}" in shown
    assert answer.status_code == 303
    assert case(case_id).status is CaseStatus.RESOLVED


@pytest.mark.parametrize("topic", list(Topic))
def test_every_kind_of_work_has_words(ana, topic):
    shown = said(ana, stuck(topic))

    assert topic.value not in shown.split("Facts")[0]


@pytest.mark.parametrize("type_", list(CaseType))
def test_every_kind_of_case_has_a_page_and_a_line(ana, visit, type_):
    refund = decided(visit, status=RefundStatus.BLOCKED)
    case_id = opened(type_, refund.id)

    assert "$39.00" in said(ana, case_id)
    assert f"/finance/cases/{case_id}" in ana.get("/finance/cases").text


def test_a_refund_that_arrived_after_all_says_so_while_a_check_is_out(ana, visit):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, SOMEBODY, BY_CHECK)
    decided(visit, reason="external", status=RefundStatus.EXTERNAL)

    page = said(ana, case_id)

    assert "$39.00 went back through Stripe after all." in page
    assert "Approve the payout: The money went back through Stripe after all." in page


def test_the_list_is_filtered_by_kind_owner_and_due_time(ana, noon, travel):
    opened(CaseType.BOOKS_DIFFER, cents=100)
    other = hired("Cleo Park")
    change(Case, opened(CaseType.PAYMENT_UNKNOWN, cents=200), owner_id=other.id)
    change(Case, opened(CaseType.STRIPE_LOCKED_OUT, cents=None), owner_id=None)
    travel(later(utc_now(), hours=2))

    def shows(query):
        page = words(ana.get(f"/finance/cases?{query}"))
        return page.split(" open case")[0].split()[-1] if " open case" in page else "0"

    assert shows("") == "3"
    assert shows("type=books_differ") == "1"
    assert (shows("owner=mine"), shows("owner=nobody"), shows(f"owner={other.id}")) == ("1",) * 3
    assert shows("overdue=1") == "1"
    assert shows("q=nothing") == "0"
    assert "No cases match." in words(ana.get("/finance/cases?q=nothing"))


def test_a_case_is_found_by_booking_code_or_stripe_id(ana, visit):
    case_id = failed(visit)
    opened(CaseType.BOOKS_DIFFER, detail="po_1")

    for query in (booking(visit.booking_id).code, visit.payment.stripe_payment_intent_id):
        page = ana.get(f"/finance/cases?q={query}")
        assert "1 open case" in words(page)
        assert str(case_id) in page.text
    assert "1 open case" in words(ana.get("/finance/cases?q=po_1"))


def test_the_file_holds_exactly_the_filter_and_is_noted(ana, visit):
    case_id = failed(visit)
    opened(CaseType.BOOKS_DIFFER)

    answer = ana.get("/finance/cases.csv?type=refund_failed")

    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["id"], row["amount_cents"]) for row in rows] == [(str(case_id), "3900")]
    noted = db.session.scalars(select(AuditRow).where(AuditRow.action == "export.download")).one()
    assert noted.after == {"what": "cases", "count": 1}


def test_ticked_cases_are_given_to_somebody_and_the_list_stays_as_it_was(ana):
    ticked = [opened(CaseType.BOOKS_DIFFER), opened(CaseType.PAYMENT_UNKNOWN)]
    left = opened(CaseType.STRIPE_LOCKED_OUT)
    other = hired("Cleo Park")

    answer = ana.post(
        "/finance/cases",
        "/finance/cases/assign",
        case=[str(case_id) for case_id in ticked],
        owner_id=str(other.id),
        overdue="1",
    )

    assert (answer.status_code, answer.location) == (303, "/finance/cases?overdue=1")
    assert {case(case_id).owner_id for case_id in ticked} == {other.id}
    assert case(left).owner_id == me().id
    assert "2 cases assigned." in words(ana.get("/finance/cases"))


def test_cases_cannot_be_given_to_nobody(ana):
    case_id = opened(CaseType.BOOKS_DIFFER)

    ana.post("/finance/cases", "/finance/cases/assign", case=str(case_id))

    assert "Nothing was assigned. Choose somebody in finance." in words(ana.get("/finance/cases"))


def test_goodwill_is_asked_for_on_its_own_page(ana, visit):
    page = f"/finance/goodwill/{visit.payment.id}"

    shown = words(ana.get(page))
    wrong = ana.post(page, page, amount="39 dollars", note="Why")
    more = ana.post(page, page, amount="39.01", note="Why")
    asked = ana.post(page, page, amount="$15.00", note="Came the next day")

    assert "Nothing of this payment has gone back." in shown
    assert (wrong.status_code, more.status_code, asked.status_code) == (422, 422, 303)
    assert "Give an amount like 39.00." in words(wrong)
    assert "which is what is left" in words(more)
    [refund] = all_refunds()
    assert (refund.amount_cents, refund.note) == (1500, "Came the next day")
    told = words(ana.get(f"/finance/refunds/{refund.id}"))
    assert "asked: “Came the next day”" in told
    assert "Waits for a second person." in told
    assert "Needs action: Goodwill to approve" in told


def test_an_unknown_case_or_payment_is_not_found(ana, visit):
    assert ana.get(f"/finance/cases/{visit.booking_id}").status_code == 404
    assert ana.get(f"/finance/goodwill/{visit.booking_id}").status_code == 404


def test_older_cases_are_a_page_away(ana):
    for _ in range(51):
        opened(CaseType.BOOKS_DIFFER, cents=1)

    first = ana.get("/finance/cases")

    assert "51 open cases · $0.51" in words(first)
    assert 'rel="next"' in first.text


def test_the_desk_may_not_enter(app, seeded):
    desk = StaffBrowser(app)
    desk.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))
    case_id = opened(CaseType.BOOKS_DIFFER)

    assert desk.get(f"/finance/cases/{case_id}").status_code == 403


def test_a_goodwill_refund_that_was_paid_before_says_what_is_decided(ana, visit):
    decided(visit, status=RefundStatus.SUCCEEDED, amount_cents=1000)
    change(Payment, visit.payment.id, amount_cents=3900)

    shown = words(ana.get(f"/finance/goodwill/{visit.payment.id}"))

    assert "Cancelled in time , refunded $10.00" in shown
