"""The contract check must catch what is wrong: each defect here is planted, over HTTP."""

from dataclasses import replace

import pytest

from booking_service.simulator.operations import HANDLERS
from booking_service.simulator.serving import running
from tests.simulator.harness import Sim

SESSION = {
    "mode": "payment",
    "success_url": "http://clinic.test/done",
    "line_items[0][quantity]": "1",
    "line_items[0][price_data][currency]": "usd",
    "line_items[0][price_data][unit_amount]": "3900",
    "line_items[0][price_data][product_data][name]": "First visit",
}
NESTED = "line_items[0][price_data]"


def post(sim, path, form, without=""):
    kept = {name: value for name, value in form.items() if name != without}
    answer = sim.raw("POST", path, kept)
    error = answer.json().get("error", {})
    return answer.status_code, error.get("code"), error.get("param")


@pytest.mark.parametrize(
    ("planted", "without", "code", "param"),
    [
        ({f"{NESTED}[unit_amuont]": "1"}, "", "parameter_unknown", f"{NESTED}[unit_amuont]"),
        ({f"{NESTED}[unit_amount]": "39.5"}, "", "parameter_invalid_integer", None),
        ({}, f"{NESTED}[currency]", "parameter_missing", f"{NESTED}[currency]"),
        ({"mode": "gift"}, "", "parameter_invalid_string", "mode"),
        ({f"{NESTED}[recurring][interval]": "moon"}, "", "parameter_invalid_string", None),
        ({"payment_method_types[0]": "card"}, "", "parameter_unknown", "payment_method_types"),
    ],
)
def test_a_planted_defect_in_a_request_is_caught(sim, planted, without, code, param):
    assert post(sim, "/v1/checkout/sessions", SESSION)[0] == 200

    status, found, at = post(sim, "/v1/checkout/sessions", SESSION | planted, without)

    assert (status, found) == (400, code)
    assert at == (param or next(iter(planted)))
    assert [v["side"] for v in sim.get("/_sim/violations")] == ["request"]


@pytest.mark.parametrize("path", ["/v1/payment_intents", "/v1/setup_intents"])
def test_payment_method_types_are_no_longer_taken(sim, path):
    form = {"amount": "3900", "currency": "usd"} if "payment" in path else {}

    refused = post(sim, path, form | {"payment_method_types[0]": "card"})

    assert refused == (400, "payment_method_types_no_longer_supported", "payment_method_types")


@pytest.mark.parametrize("field", ["id", "currency", "livemode"])
def test_an_answer_without_a_required_field_is_a_500_and_written_down(monkeypatch, field):
    handler = HANDLERS["get", "/v1/prices/{price}"]

    def forgetful(call):
        made = handler.run(call)
        del made[field]
        return made

    with running() as base:
        sim = Sim(base)
        price = sim.plan()
        assert sim.raw("GET", f"/v1/prices/{price}").status_code == 200
        planted = replace(handler, run=forgetful)
        monkeypatch.setitem(HANDLERS, ("get", "/v1/prices/{price}"), planted)

        answer = sim.raw("GET", f"/v1/prices/{price}")

        assert answer.status_code == 500
        (violation,) = sim.get("/_sim/violations")
        assert violation["side"] == "answer"
        assert violation["problems"] == [f"price.{field}: missing"]
