from time import process_time

import pytest

from booking_service.simulator import create_simulator  # noqa: F401 - registers the operations
from booking_service.simulator.checks import misfits, read_params, skeleton
from booking_service.simulator.contract import Contract
from booking_service.simulator.errors import StripeError
from booking_service.simulator.forms import decode, leaf_paths, without_card_numbers
from booking_service.simulator.operations import HANDLERS
from booking_service.simulator.shapes import Kind


@pytest.fixture(scope="module")
def contract():
    return Contract(frozenset(HANDLERS))


def params_of(contract, method, path):
    return contract.operations[method, path].params


def refusal(contract, form):
    record = params_of(contract, "post", "/v1/refunds")
    with pytest.raises(StripeError) as caught:
        read_params(contract, record, decode(form.items()))
    return caught.value.fields["code"], caught.value.fields["param"]


def test_every_operation_is_derived_in_about_a_second():
    started = process_time()

    contract = Contract(frozenset(HANDLERS))
    for operation in contract.operations.values():
        skeleton(contract, operation.answer.record)

    assert process_time() - started < 1.5  # of processor time; half a second when nothing else runs
    assert len(contract.operations) == len(HANDLERS)
    assert contract.version == "2026-10-28.endive"


def test_an_operation_the_sdk_does_not_know_is_refused():
    with pytest.raises(LookupError, match="/v1/teapots"):
        Contract(frozenset({("get", "/v1/teapots")}))


def test_the_shape_of_a_refund_is_the_sdks(contract):
    record = contract.record(contract.resource("stripe._refund", "Refund").record)

    assert record.required == {"amount", "created", "currency", "id", "object"}
    assert record.fields["payment_intent"].is_expandable
    assert record.fields["reason"].literals[0] == "duplicate"


def test_a_form_is_decoded_by_its_schema(contract):
    record = params_of(contract, "post", "/v1/checkout/sessions")
    form = {
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][unit_amount]": "3900",
        "line_items[0][price_data][currency]": "usd",
        "metadata[0]": "a key of digits is still a key",
        "allow_promotion_codes": "false",
        "expand[]": "payment_intent",
    }

    assert read_params(contract, record, decode(form.items())) == {
        "line_items": [{"quantity": 1, "price_data": {"unit_amount": 3900, "currency": "usd"}}],
        "metadata": {"0": "a key of digits is still a key"},
        "allow_promotion_codes": False,
        "expand": ["payment_intent"],
    }


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        ({"amout": "1"}, "parameter_unknown", "amout"),
        ({"amount": "thirty"}, "parameter_invalid_integer", "amount"),
        ({"amount": "39.00"}, "parameter_invalid_integer", "amount"),
        ({"amount": ""}, "parameter_invalid_empty", "amount"),
        ({"amount[cents]": "1"}, "parameter_invalid_integer", "amount"),
        ({"reverse_transfer": "1"}, "parameter_invalid_boolean", "reverse_transfer"),
        ({"reason": "because"}, "parameter_invalid_string", "reason"),
        ({"expand": "charge"}, "parameter_invalid_array", "expand"),
        ({"metadata": "text"}, "parameter_invalid_string", "metadata"),
    ],
)
def test_a_parameter_that_is_not_stripes_is_refused(contract, form, code, param):
    assert refusal(contract, form) == (code, param)


def test_an_unknown_parameter_is_refused_however_deep_it_lies(contract):
    record = params_of(contract, "post", "/v1/checkout/sessions")
    tree = decode([("line_items[0][price_data][colour]", "red")])

    with pytest.raises(StripeError) as caught:
        read_params(contract, record, tree)

    assert caught.value.fields["param"] == "line_items[0][price_data][colour]"


def test_a_required_parameter_is_missed_however_deep_it_lies(contract):
    record = params_of(contract, "post", "/v1/checkout/sessions")
    tree = decode([("line_items[0][price_data][unit_amount]", "1")])

    with pytest.raises(StripeError) as caught:
        read_params(contract, record, tree)

    fields = caught.value.fields
    assert (fields["code"], fields["param"]) == (
        "parameter_missing",
        "line_items[0][price_data][currency]",
    )


def test_a_skeleton_holds_every_field_and_no_made_up_text(contract):
    shape = contract.resource("stripe._refund", "Refund")

    made = skeleton(contract, shape.record)

    assert made["object"] == "refund"
    assert made["failure_reason"] is None
    assert misfits(contract, shape, made, "refund") == ["refund.currency: null", "refund.id: null"]


def test_a_misfit_is_named_with_its_place(contract):
    shape = contract.resource("stripe._refund", "Refund")
    made = skeleton(contract, shape.record) | {"id": "re_1", "currency": "usd"}
    made |= {"amount": "39", "colour": "red", "pending_reason": "lunch", "metadata": {"a": 1}}
    del made["created"]

    assert shape.kind is Kind.RECORD
    reasons = ("charge_pending", "insufficient_funds", "processing")
    assert sorted(misfits(contract, shape, made, "refund")) == [
        "refund.amount: str instead of integer",
        "refund.colour: unknown to the contract",
        "refund.created: missing",
        "refund.metadata[a]: int instead of string",
        f"refund.pending_reason: 'lunch' is not one of {reasons}",
    ]


@pytest.mark.parametrize("name", ["[a]", "a]b", "a[b", ""])
def test_a_malformed_name_is_refused(name):
    with pytest.raises(ValueError, match="malformed"):
        decode([(name, "1")])


def test_a_name_is_a_value_or_a_branch(contract):
    for pairs in ([("a", "1"), ("a[b]", "2")], [("a[b]", "2"), ("a", "1")]):
        with pytest.raises(ValueError, match="both"):
            decode(pairs)


def test_leaves_are_named_without_positions():
    tree = decode([("items[0][price]", "p"), ("items[1][price]", "q"), ("metadata[x]", "y")])

    assert leaf_paths(tree) == ["items.price", "items.price", "metadata.x"]


def test_of_a_card_number_four_digits_are_kept():
    tree = decode([("card[number]", "4242 4242 4242 4242"), ("note", "call 2125550123 now")])

    assert without_card_numbers(tree) == {
        "card": {"number": "****4242"},
        "note": "call 2125550123 now",
    }
