"""Finance's pages and files: exactly the filter, nothing a spreadsheet would run, all noted."""

import csv
import io
import re

import pytest
from sqlalchemy import select

from booking_service.clock import utc_now
from booking_service.db import db, transaction
from booking_service.models import (
    AuditRow,
    Case,
    CaseType,
    Patient,
    Refund,
    RefundReason,
    RefundStatus,
)
from booking_service.services import cases
from tests.factories import booking, converted, paid
from tests.web.staff_browser import StaffBrowser, words


@pytest.fixture
def ana(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))
    return browser


def goodwill(visit, cents, **more):
    with transaction() as session:
        row = Refund(
            payment_id=visit.payment.id,
            reason=RefundReason.GOODWILL,
            amount_cents=cents,
            requested_at=utc_now(),
            requested_by="Ana Ruiz",
            **more,
        )
        session.add(row)
    return row


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_finance_starts_at_the_refunds(ana):
    assert ana.get("/finance").location == "/finance/refunds"
    assert "No refunds yet." in words(ana.get("/finance/refunds"))


def test_the_list_adds_up_exactly_what_it_shows(ana, stripe):
    visit = paid(stripe)
    goodwill(visit, 1000, status=RefundStatus.FAILED, failure_code="lost_or_stolen_card")
    goodwill(visit, 1)

    everything = words(ana.get("/finance/refunds"))
    failed = words(ana.get("/finance/refunds?status=failed"))
    nothing = words(ana.get("/finance/refunds?q=nobody"))

    assert "2 records · $10.01" in everything
    assert "1 record · $10.00" in failed
    assert "The card was reported lost or stolen." in failed
    assert "No refunds match. Clear filters" in nothing


def test_older_refunds_are_a_page_away_and_keep_the_filter(ana, stripe):
    visit = paid(stripe)
    for _ in range(51):
        goodwill(visit, 1)

    first = ana.get("/finance/refunds?q=dana")
    older = re.search(r'rel="next" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    second = ana.get(older)

    assert "51 records · $0.51" in words(first)
    assert "51 records · $0.51" in words(second)
    assert [page.text.count('<th scope="row">') for page in (first, second)] == [50, 1]
    assert "q=dana" in older


def test_a_cursor_of_somebody_else_is_refused(ana):
    assert ana.get("/finance/refunds?cursor=x").status_code == 422


def test_the_file_holds_exactly_the_filter_and_is_noted(ana, stripe):
    visit = paid(stripe)
    goodwill(visit, 1000, status=RefundStatus.FAILED)
    goodwill(visit, 1)

    answer = ana.get("/finance/refunds.csv?status=failed")

    assert answer.mimetype == "text/csv"
    assert [(row["amount_cents"], row["status"]) for row in rows_of(answer)] == [("1000", "failed")]
    noted = db.session.scalars(select(AuditRow).where(AuditRow.action == "export.download")).one()
    assert noted.after == {"what": "refunds", "count": 1}
    assert noted.actor_id is not None


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_that_is_a_formula_is_only_text_in_the_file(ana, stripe, first):
    visit = paid(stripe)
    goodwill(visit, 1)
    with transaction() as session:
        patient = session.get_one(Patient, booking(visit.booking_id).patient_id)
        patient.name = f"{first}HYPERLINK(1)"

    row = rows_of(ana.get("/finance/refunds.csv"))[0]

    assert row["patient"] == f"'{first}HYPERLINK(1)"


def test_a_refund_is_told_with_its_proof(ana, stripe, work, mail):
    converted(stripe)
    work()
    link = re.search(r"/finance/refunds/[0-9a-f-]{36}", ana.get("/finance/refunds").text)[0]

    said = words(ana.get(link))

    assert "$39.00 to Dana Whitfield" in said
    assert "Refunded Became a member" in said
    for step in ("Terms accepted", "Paid online", "Arrived", "Treatment began", "Sent to Stripe"):
        assert step in said
    assert "Refund accepted by Stripe" in said
    assert stripe.refunds()[0]["id"] in said


def test_open_cases_say_what_how_much_and_since_when(ana, stripe):
    row = goodwill(paid(stripe), 3900)
    with transaction() as session:
        cases.open_(session, CaseType.REFUND_FAILED, row.id, "expired_or_canceled_card", 3900)

    page = ana.get("/finance/cases")

    assert "1 open case · $39.00" in words(page)
    assert "The refund failed The card is closed or has expired." in words(page)
    [case] = db.session.scalars(select(Case))
    assert f'href="/finance/cases/{case.id}"' in page.text
    assert f'href="/finance/refunds/{row.id}"' in ana.get(f"/finance/cases/{case.id}").text


def test_no_open_case_is_good_news(ana):
    assert "Nothing needs you." in words(ana.get("/finance/cases"))


def test_the_ledger_shows_entries_that_balance(ana, stripe, work, mail):
    converted(stripe)
    work()

    said = words(ana.get("/finance/ledger"))
    lines = rows_of(ana.get("/finance/ledger.csv"))

    assert "Debits equal credits" in said
    assert "Refund liability" in said
    assert sum(int(one["debit_cents"]) for one in lines) == sum(
        int(one["credit_cents"]) for one in lines
    )
    assert len(lines) % 2 == 0
    assert lines


@pytest.mark.parametrize(("month", "status"), [("2026-11", 200), ("2026-13", 404), ("x", 404)])
def test_only_months_are_months(ana, month, status):
    assert ana.get(f"/finance/ledger?month={month}").status_code == status
