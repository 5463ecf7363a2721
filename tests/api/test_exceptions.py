"""Exceptions and goodwill by the API: two tokens are two people."""

from uuid import uuid4

import pytest

from booking_service.models import CaseAction, CaseType
from booking_service.services import staff
from tests.api.conftest import Caller, fields, problem
from tests.case_makers import ANA, BY_CHECK, do, failed, opened, stuck
from tests.factories import paid


@pytest.fixture
def colleague(client, seeded):
    return Caller(client, staff.create_token("Month end", "finance"))


@pytest.fixture
def visit(seeded, stripe):
    return paid(stripe)


def resolve(caller, case_id, **body):
    return caller.post(f"/exceptions/{case_id}/resolve", body)


def test_an_exception_says_all_one_needs_to_act(finance, visit):
    case_id = failed(visit)

    answer = finance.get("/exceptions").get_json()

    [item] = answer["items"]
    assert (answer["count"], answer["total_cents"], answer["next_cursor"]) == (1, 3900, None)
    assert (item["id"], item["type"], item["status"]) == (str(case_id), "refund_failed", "open")
    assert (item["amount_cents"], item["detail"]) == (3900, "expired_or_canceled_card")
    assert item["owner"] is not None
    assert item["subject_id"] == item["refund_id"]
    assert item["allowed_actions"] == ["settle", "assign"]


def test_exceptions_are_filtered_and_paged_most_urgent_first(finance, app):
    for type_ in (CaseType.BOOKS_DIFFER, CaseType.PAYMENT_UNKNOWN, CaseType.STRIPE_LOCKED_OUT):
        opened(type_, cents=100)

    first = finance.get("/exceptions", limit=2).get_json()
    second = finance.get("/exceptions", limit=2, cursor=first["next_cursor"]).get_json()
    only = finance.get("/exceptions", type="books_differ").get_json()

    assert [item["type"] for item in first["items"]] == ["stripe_locked_out", "payment_unknown"]
    assert [item["type"] for item in second["items"]] == ["books_differ"]
    assert (first["count"], first["total_cents"]) == (3, 300)
    assert (only["count"], only["total_cents"]) == (1, 100)
    assert fields(finance.get("/exceptions", cursor="x")) == [("cursor", "unknown")]


def test_one_token_records_a_payout_and_another_approves_it(finance, colleague, visit):
    case_id = failed(visit)

    recorded = resolve(finance, case_id, action="settle", method="check", reference="1042")
    same = resolve(finance, case_id, action="approve_settlement")
    approved = resolve(colleague, case_id, action="approve_settlement")

    assert recorded.status_code == 200
    assert recorded.get_json()["allowed_actions"] == ["withdraw_settlement", "assign"]
    assert problem(same) == (409, "not_allowed")
    assert "Somebody else must approve it." in same.get_json()["detail"]
    assert (approved.status_code, approved.get_json()["status"]) == (200, "resolved")
    assert approved.get_json()["resolved_by"] == "Month end"
    [refund] = finance.get("/refunds").get_json()["items"]
    assert refund["status"] == "settled_otherwise"


def test_what_is_missing_is_told_by_field(finance, visit):
    case_id = failed(visit)

    assert fields(resolve(finance, case_id, action="settle")) == [
        ("method", "missing"),
        ("reference", "missing"),
    ]
    assert fields(resolve(finance, case_id, action="waive")) == [("note", "missing")]
    assert fields(resolve(finance, case_id, action="dance")) == [("action", "unknown_choice")]


def test_what_is_not_allowed_is_refused_with_the_reason(finance, visit):
    refused = resolve(finance, failed(visit), action="retry")

    assert problem(refused) == (409, "not_allowed")
    assert "The card is gone" in refused.get_json()["detail"]
    assert problem(resolve(finance, uuid4(), action="retry")) == (404, "not_found")


def test_stuck_work_is_replayed(finance, app):
    answer = resolve(finance, stuck(), action="retry").get_json()

    assert (answer["status"], answer["resolution"]) == ("resolved", "retry")


def test_a_payout_of_a_person_shows_up_as_approvable_for_a_token(finance, visit):
    case_id = failed(visit)
    do(case_id, CaseAction.SETTLE, ANA, BY_CHECK)

    [item] = finance.get("/exceptions").get_json()["items"]

    assert item["allowed_actions"] == ["approve_settlement", "withdraw_settlement", "assign"]


def test_goodwill_is_asked_by_one_token_and_approved_by_another(finance, colleague, visit):
    body = {
        "payment_id": str(visit.payment.id),
        "amount_cents": 1500,
        "reason": "goodwill",
        "note": "Came the next day",
    }

    asked = finance.post("/refunds", body, key="one")
    again = finance.post("/refunds", body, key="one")
    refund_id = asked.get_json()["id"]
    own = finance.post(f"/refunds/{refund_id}/approve")
    approved = colleague.post(f"/refunds/{refund_id}/approve")

    assert (asked.status_code, asked.get_json()["status"]) == (201, "blocked")
    assert (asked.get_json()["amount_cents"], asked.get_json()["note"]) == (
        1500,
        "Came the next day",
    )
    assert again.get_json() == asked.get_json()
    assert problem(own) == (409, "not_allowed")
    assert (approved.status_code, approved.get_json()["status"]) == (200, "requested")
    assert approved.get_json()["approved_by"] == "Month end"


def test_goodwill_beyond_what_is_left_or_for_another_reason_is_refused(finance, visit):
    body = {"payment_id": str(visit.payment.id), "reason": "goodwill", "note": "Why"}

    assert fields(finance.post("/refunds", {**body, "amount_cents": 3901})) == [
        ("amount_cents", "out_of_range")
    ]
    assert fields(finance.post("/refunds", {**body, "reason": "membership"})) == [
        ("reason", "unknown_choice")
    ]
    assert fields(finance.post("/refunds", {**body, "note": ""})) == [("note", "missing")]
    assert problem(finance.post("/refunds", {**body, "payment_id": str(uuid4())})) == (
        404,
        "not_found",
    )


def test_the_desks_token_may_not_decide(desk, app):
    case_id = opened(CaseType.BOOKS_DIFFER)

    assert problem(resolve(desk, case_id, action="acknowledge", note="x")) == (403, "forbidden")
    assert problem(desk.post("/refunds", {})) == (403, "forbidden")
