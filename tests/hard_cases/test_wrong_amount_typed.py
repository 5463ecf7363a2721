"""Nobody types what goes back of a promise.

Hard case "wrong amount typed": no form and no call has an amount for a promise refund. Goodwill,
which is nobody's promise, is the one exception, and takes two people.
"""

import re
from copy import deepcopy
from datetime import timedelta
from pathlib import Path

import pytest

from booking_service.api.contract import openapi
from booking_service.clock import utc_now
from booking_service.services import refund_rows
from tests.api.conftest import fields
from tests.factories import in_treatment, plan
from tests.factories import refunds as all_refunds

ROOT = Path(__file__).resolve().parents[2]
AN_AMOUNT = re.compile(r"amount|cents|dollar|price|sum", re.IGNORECASE)
A_FIELD = re.compile(r"<(?:input|select|textarea)\b[^>]*\bname=\"([^\"]*)\"")


def forms_with_an_amount(pages: dict[str, str]) -> list[str]:
    return sorted(
        name
        for name, page in pages.items()
        if any(AN_AMOUNT.search(field) for field in A_FIELD.findall(page))
    )


def calls_with_an_amount(document: dict) -> list[str]:
    """Which calls take a body with an amount anywhere in it."""
    schemas = document["components"]["schemas"]

    def names(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(names, value))
        if not isinstance(value, dict):
            return set()
        reference = str(value.get("$ref", "")).rpartition("/")[2]
        inside = names(schemas[reference]) if reference else set()
        return inside.union(value.get("properties", {}), *map(names, value.values()))

    return sorted(
        f"{method} {path}"
        for path, calls in document["paths"].items()
        for method, call in calls.items()
        if any(AN_AMOUNT.search(name) for name in names(call.get("requestBody", {})))
    )


def pages() -> dict[str, str]:
    found = ROOT.glob("templates/**/*.html")
    return {str(page.relative_to(ROOT / "templates")): page.read_text() for page in found}


def test_wrong_amount_typed_no_form_has_an_amount_for_a_promise_refund():
    assert forms_with_an_amount(pages()) == ["finance/goodwill.html"]


def test_wrong_amount_typed_no_call_has_an_amount_for_a_promise_refund(app):
    assert calls_with_an_amount(openapi()) == ["post /api/v1/refunds"]


def test_an_amount_in_a_form_or_a_call_would_be_seen(app):
    """The control."""
    case = "finance/case.html"
    planted = pages() | {case: pages()[case] + '<input type="number" name="amount">'}
    document = deepcopy(openapi())
    document["components"]["schemas"]["ResolveSent"]["properties"]["cents"] = {"type": "integer"}

    assert forms_with_an_amount(planted) == [case, "finance/goodwill.html"]
    assert "post /api/v1/exceptions/{case_id}/resolve" in calls_with_an_amount(document)


@pytest.fixture
def dollar_by_the_desk(noon, seeded, stripe, mail, desk, sign_in, travel, work):
    """Whatever the desk's page and programs send along, the amount is not asked."""

    def press() -> list[int]:
        visit = in_treatment(stripe)
        choice = {"plan_id": str(plan().id), "payment": {"method": "saved_card"}}
        call = f"/bookings/{visit.booking_id}/convert"
        assert fields(desk.post(call, choice | {"amount_cents": 100})) == [
            ("amount_cents", "unknown_field")
        ]
        page = f"/desk/visit/{visit.booking_id}"
        form = {"plan_id": str(plan().id), "method": "saved_card", "amount_cents": "100"}
        form["on_paper"] = "on"
        sign_in("front_desk").post(page, f"{page}/convert", **form)
        travel(utc_now() + timedelta(seconds=11))
        work()
        return [refund.amount_cents for refund in all_refunds()]

    return press


def test_wrong_amount_typed_into_a_request_changes_nothing(dollar_by_the_desk, stripe):
    assert dollar_by_the_desk() == [3900]
    assert [made["amount"] for made in stripe.refunds()] == [3900]


def test_an_amount_from_anywhere_but_the_payment_would_be_sent(
    dollar_by_the_desk, stripe, monkeypatch
):
    """The control: what is left is not worked out from what was captured."""
    monkeypatch.setattr(refund_rows, "left_of", lambda *_: 100)

    assert dollar_by_the_desk() == [100]
    assert [made["amount"] for made in stripe.refunds()] == [100]
