"""The page on which finance sees whether the books agree."""

import csv
import io
import re

import pytest

from booking_service.models import AuditRow, Booking, BookingStatus, ReconciliationRun
from booking_service.queries import finance_payouts
from booking_service.services import reconciliation
from tests.factories import all_of, change, visit_of
from tests.services.test_reconciliation import entry
from tests.web.staff_browser import StaffBrowser, words

PAGE = "/finance/payouts"


@pytest.fixture
def ana(app, seeded):
    browser = StaffBrowser(app)
    browser.sign_in(next(one for one in seeded.staff if one["role"] == "finance"))
    return browser


@pytest.fixture
def visit(seeded, noon, stripe):
    return visit_of("Robin Hale", stripe, 5)


@pytest.fixture
def paid_out(visit, stripe, gateway):
    """One payout of one first visit, compared."""
    stripe.advance(2 * 86400 + 60)
    stripe.pay_out()
    reconciliation.run(gateway, "First Visit")
    return visit


def rows_of(answer) -> list[dict]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_before_the_first_comparison_the_page_says_so(ana):
    said = words(ana.get(PAGE))

    assert "Not compared yet" in said
    assert "No payouts yet." in said


def test_only_finance_sees_payouts(app, seeded):
    desk = StaffBrowser(app)
    desk.sign_in(next(one for one in seeded.staff if one["role"] == "front_desk"))

    assert desk.get(PAGE).status_code == 403


def test_explained_books_say_zero(paid_out, ana):
    said = words(ana.get(PAGE))

    assert "apart by $0.00 Every cent is explained" in said
    assert "Promises in doubt 0 1 checked" in said
    assert "1 payout · $37.57" in said
    assert "$37.57 $39.00 $0.00 -$1.43 $0.00 Matched 1 line" in said


def test_a_line_that_differs_says_what_to_do(visit, ana, gateway):
    entry("re_gone", 700)
    reconciliation.run(gateway, "First Visit")

    said = words(ana.get(PAGE))

    assert "apart by $7.00 1 to look at, below" in said
    assert "re_gone $7.00 nothing Open the id in Stripe and compare it with the ledger." in said


def test_what_the_audit_found_is_named(visit, ana, gateway):
    change(Booking, visit.booking_id, status=BookingStatus.EXPIRED)
    reconciliation.run(gateway, "First Visit")

    said = words(ana.get(PAGE))

    assert f"Paid, and neither a visit nor on its way back {visit.payment.id}" in said
    assert "Promises in doubt 1 1 checked" in said


def test_comparing_now_is_owed_to_a_worker_and_noted(visit, ana, mail, work):
    answer = ana.post(PAGE, f"{PAGE}/compare")
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert "Comparing since 12:00 PM" in words(ana.get(PAGE))

    work()

    [run] = all_of(ReconciliationRun)
    assert run.asked_by == "Ana Ruiz"
    assert "Every cent is explained" in words(ana.get(PAGE))
    assert "reconciliation.ask" in [row.action for row in all_of(AuditRow)]


def test_a_payout_shows_each_line_beside_the_ledger(paid_out, ana):
    link = re.search(rf"{PAGE}/[0-9a-f-]{{36}}", ana.get(PAGE).text)[0]

    said = words(ana.get(link))

    intent = paid_out.payment.stripe_payment_intent_id
    assert "$37.57 to the bank, Thu, Nov 26" in said
    assert f"Payment {intent} $39.00 -$1.43 $37.57 Matched" in said


def test_a_line_our_ledger_has_otherwise_is_named_first(paid_out, ana):
    entry(paid_out.payment.stripe_payment_intent_id, 1)

    assert "1 apart of 1 lines" in words(ana.get(PAGE))


def test_payouts_and_their_lines_leave_as_files_and_that_is_noted(paid_out, ana):
    [payout] = rows_of(ana.get(f"{PAGE}/payouts.csv"))
    [line] = rows_of(ana.get(f"{PAGE}/{payout['id']}.csv"))

    assert (payout["amount_cents"], payout["lines"], payout["apart"]) == ("3757", "1", "0")
    assert (line["net_cents"], line["is_matched"]) == ("3757", "True")
    taken = [row.after for row in all_of(AuditRow) if row.action == "export.download"]
    assert taken == [{"what": "payouts", "count": 1}, {"what": "payout", "count": 1}]


def test_an_unknown_payout_is_not_found(ana):
    assert ana.get(f"{PAGE}/00000000-0000-0000-0000-000000000000").status_code == 404


def test_monitoring_reads_the_residue_and_its_age(visit, gateway, travel, noon):
    entry("re_gone", 700)
    reconciliation.run(gateway, "First Visit")

    assert {name: value for name, (_, value) in finance_payouts.gauges().items()} == {
        "reconciliation_age_seconds": 0,
        "reconciliation_residue_cents": 700,
        "promises_in_doubt": 0,
    }
