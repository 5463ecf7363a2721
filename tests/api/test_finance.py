from collections import defaultdict
from datetime import timedelta
from uuid import uuid4

import pytest

from booking_service import clock
from booking_service.clock import local_day
from booking_service.db import db, transaction
from booking_service.models import AuditRow, Booking, CaseType
from booking_service.queries import patient_pages
from booking_service.services import cases, staff
from booking_service.services.agreements import Ground
from tests import factories
from tests.api.conftest import Caller, fields, problem


def today() -> str:
    return local_day(clock.utc_now(), patient_pages.practice().zone).isoformat()


@pytest.fixture
def refunded(stripe, seeded, travel, work):
    """A member whose first visit went back, on the day of the visit."""
    paid = factories.paid(stripe)
    travel(db.session.get(Booking, paid.booking_id).starts_at)
    factories.visit_steps.arrive(paid.booking_id, factories.PRIYA)
    factories.visit_steps.begin_treatment(paid.booking_id, factories.PRIYA)
    factories.memberships.convert(
        paid.booking_id,
        factories.plan().id,
        factories.Tendered(factories.Tender.SAVED_CARD),
        factories.PRIYA,
        timedelta(0),
        agreement=Ground.PAPER,
    )
    work()
    return paid


def test_every_call_needs_finances_token(client):
    tokens = {scope: staff.create_token(scope, scope) for scope in ("finance", "front_desk")}
    paths = ["/refunds", f"/refunds/{uuid4()}", "/exceptions", "/ledger"]

    def statuses(token: str | None) -> list[int]:
        return [Caller(client, token).get(path).status_code for path in paths]

    assert statuses(None) == [401] * 4
    assert statuses(tokens["front_desk"]) == [403] * 4
    assert statuses(tokens["finance"]) == [200, 404, 200, 422]


def test_a_refund_is_listed_with_the_sum_of_the_filter(finance, refunded):
    answer = finance.get("/refunds").get_json()

    assert (answer["count"], answer["total_cents"], answer["next_cursor"]) == (1, 3900, None)
    [row] = answer["items"]
    assert (row["status"], row["reason"], row["amount_cents"]) == ("succeeded", "membership", 3900)
    assert (row["booking_id"], row["payment_id"]) == (
        str(refunded.booking_id),
        str(refunded.payment.id),
    )
    assert row["stripe_refund_id"].startswith("re_")


def test_refunds_are_filtered_by_status_reason_days_and_text(finance, refunded):
    day = today()

    def count(**query: str) -> int:
        return finance.get("/refunds", **query).get_json()["count"]

    assert count(status="succeeded", reason="membership", **{"from": day, "to": day}) == 1
    assert count(q="whitfield") == 1
    assert count(status="failed") == count(reason="goodwill") == count(to="2020-01-01") == 0
    assert count(q="nobody") == count(q="'; DROP TABLE refunds; --") == count(q="%") == 0


def test_a_filter_that_makes_no_sense_is_refused_by_field(finance):
    def refused(**query: str) -> list[tuple[str, str]]:
        return fields(finance.get("/refunds", **query))

    assert refused(status="done") == [("status", "unknown_choice")]
    assert refused(q="a\x00b") == [("q", "control_character")]
    assert refused(limit="1000000") == [("limit", "out_of_range")]
    assert refused(sort="amount") == [("sort", "unknown_field")]
    assert refused(cursor="none of ours") == [("cursor", "unknown")]


def test_one_refund_is_told_with_its_proofs(finance, refunded):
    [row] = finance.get("/refunds").get_json()["items"]

    refund = finance.get(f"/refunds/{row['id']}").get_json()

    assert {name: refund[name] for name in row} == row
    assert refund["promise"] == {"status": "settled"}
    assert refund["proofs"]["terms_version"] == 1
    assert all(refund["proofs"].values())
    assert [moment["what"] for moment in refund["timeline"]][-2:] == ["paid", "terms_accepted"]
    assert {"sent", "answered", "decided", "treatment_began"} <= {
        moment["what"] for moment in refund["timeline"]
    }
    assert problem(finance.get(f"/refunds/{uuid4()}")) == (404, "not_found")


def test_an_exception_shows_its_age(finance, travel):
    now = clock.utc_now()
    travel(now)
    subject_id = uuid4()
    with transaction() as session:
        cases.open_(session, CaseType.PAYMENT_MISMATCH, subject_id, "pi_1", 4900)
    travel(now + timedelta(minutes=5))

    answer = finance.get("/exceptions").get_json()

    assert (answer["count"], answer["next_cursor"]) == (1, None)
    [case] = answer["items"]
    assert (case["type"], case["status"], case["age_seconds"]) == ("payment_mismatch", "open", 300)
    assert (case["subject_id"], case["amount_cents"]) == (str(subject_id), 4900)


def test_the_ledgers_entries_balance(finance, refunded):
    answer = finance.get("/ledger", month=today()[:7]).get_json()

    balances: dict[str, int] = defaultdict(int)
    for line in answer["items"]:
        assert set(line) == {
            "entry_id",
            "at",
            "account",
            "debit_cents",
            "credit_cents",
            "subject_id",
        }
        balances[line["entry_id"]] += line["debit_cents"] - line["credit_cents"]
    assert set(balances.values()) == {0}
    assert answer["count"] == len(answer["items"]) >= 4


def test_the_ledger_as_a_file_has_the_same_lines_and_is_noted(finance, refunded):
    month = today()[:7]
    lines = finance.get("/ledger", month=month).get_json()["items"]

    answer = finance.get("/ledger", headers={"Accept": "text/csv"}, month=month)

    assert answer.content_type == "text/csv; charset=utf-8"
    header, *rows = answer.get_data(as_text=True).splitlines()
    assert header == "entry_id,at,account,debit_cents,credit_cents,subject_id"
    assert rows == [",".join(str(line[name]) for name in header.split(",")) for line in lines]
    noted = db.session.query(AuditRow).filter_by(action="export.download").one()
    assert noted.after == {"what": "ledger", "count": len(lines)}


def test_a_month_without_entries_is_empty_and_a_wrong_one_refused(finance):
    assert finance.get("/ledger", month="2030-01").get_json() == {
        "items": [],
        "count": 0,
        "next_cursor": None,
    }
    assert fields(finance.get("/ledger", month="2026-13")) == [("month", "not_a_month")]
    assert fields(finance.get("/ledger")) == [("month", "missing")]
