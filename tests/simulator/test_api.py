import http.client
from urllib.parse import urlsplit

import pytest
import stripe

from booking_service.simulator.serving import running


def test_a_stranger_is_refused(sim):
    for authorization in (None, "Bearer sk_live_123", "Bearer whatever", "Basic c2tfdGVzdA=="):
        answer = sim.raw("GET", "/v1/refunds", Authorization=authorization)

        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"
    with pytest.raises(stripe.AuthenticationError):
        sim.client("sk_live_123").v1.refunds.list()


def test_another_version_is_refused(sim):
    for version in (None, "2024-06-20"):
        answer = sim.raw("GET", "/v1/refunds", **{"Stripe-Version": version})

        assert answer.status_code == 400
        assert "2026-10-28.endive" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/coupons"),
        ("POST", "/v1/payment_links"),
        ("DELETE", "/v1/products/prod_1"),
        ("GET", "/v2/core/events"),
        ("GET", "/v1/refunds/re_1/secrets"),
    ],
)
def test_what_is_not_simulated_says_so(sim, method, path):
    answer = sim.raw(method, path)

    assert answer.status_code == 501
    assert answer.json()["error"]["code"] == "not_simulated"
    assert sim.get("/_sim/violations")[0]["side"] == "unimplemented"


def test_a_parameter_that_would_be_ignored_is_not_simulated(sim):
    with pytest.raises(stripe.APIError) as caught:
        sim.open_session(automatic_tax={"enabled": True})

    assert caught.value.http_status == 501
    assert "automatic_tax.enabled" in str(caught.value)


def test_an_unknown_parameter_is_refused_and_written_down(sim):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.refunds.create({"payment_intent": "pi_1", "amout": 3900})

    assert (caught.value.http_status, caught.value.code) == (400, "parameter_unknown")
    assert caught.value.param == "amout"
    assert caught.value.error.doc_url == "https://stripe.com/docs/error-codes/parameter-unknown"
    assert [v["side"] for v in sim.get("/_sim/violations")] == ["request"]


def test_what_does_not_exist_is_404(sim):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.refunds.retrieve("re_none")

    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    assert "No such refund: 're_none'" in str(caught.value)


def test_every_answer_has_a_request_id(sim):
    first, second = sim.raw("GET", "/v1/refunds"), sim.raw("GET", "/v1/coupons")

    ids = {first.headers["Request-Id"], second.headers["Request-Id"]}
    assert len(ids) == 2
    assert all(id_.startswith("req_") for id_ in ids)


def test_expansion_reaches_four_levels_and_into_lists(sim):
    session = sim.paid(customer_creation="always")

    expand = ["data.payment_intent.latest_charge.balance_transaction", "data.customer"]
    found = sim.stripe.v1.checkout.sessions.list({"expand": expand}).data[0]

    assert found.payment_intent.latest_charge.balance_transaction.net == 3757
    assert found.customer.email == "payer@example.com"
    assert found.id == session.id


def test_what_is_not_expandable_is_refused(sim):
    session = sim.paid()

    for path in ("amount_total", "nothing", "payment_intent.amount", "a.b.c.d.e"):
        with pytest.raises(stripe.InvalidRequestError, match="expand"):
            sim.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": [path]})


def test_the_fifth_level_is_not_expanded(sim):
    intent = sim.paid().payment_intent
    fifth = "latest_charge.balance_transaction.source.payment_intent.customer"

    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        sim.stripe.v1.payment_intents.retrieve(intent, {"expand": [fifth]})
    fourth = fifth.removesuffix(".customer")
    found = sim.stripe.v1.payment_intents.retrieve(intent, {"expand": [fourth]})
    assert found.latest_charge.balance_transaction.source.payment_intent.id == intent


def test_an_included_list_comes_only_when_asked_for(sim):
    session = sim.paid()

    plain = sim.stripe.v1.checkout.sessions.retrieve(session.id)
    asked = sim.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})

    assert "line_items" not in plain
    assert asked.line_items.data[0].description == "First visit"


def test_pages_follow_each_other_in_both_directions(sim):
    made = [sim.stripe.v1.customers.create({"name": str(n)}).id for n in range(5)][::-1]
    customers = sim.stripe.v1.customers

    first = customers.list({"limit": 2})
    second = customers.list({"limit": 2, "starting_after": first.data[-1].id})
    last = customers.list({"limit": 2, "starting_after": second.data[-1].id})
    back = customers.list({"limit": 2, "ending_before": last.data[0].id})

    assert [c.id for page in (first, second, last) for c in page.data] == made
    assert [page.has_more for page in (first, second, last)] == [True, True, False]
    assert [c.id for c in back.data] == made[2:4]
    assert [c.id for c in customers.list({"limit": 2}).auto_paging_iter()] == made


def test_a_page_that_cannot_be_is_refused(sim):
    for params in ({"limit": 0}, {"limit": 101}, {"starting_after": "cus_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            sim.stripe.v1.customers.list(params)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        sim.stripe.v1.customers.list({"starting_after": "a", "ending_before": "b"})
    assert caught.value.code == "parameters_exclusive"


def test_a_list_is_filtered_by_time(sim):
    old = sim.stripe.v1.customers.create({"name": "old"})
    sim.advance(1000)
    new = sim.stripe.v1.customers.create({"name": "new"})

    def found(created):
        return [c.id for c in sim.stripe.v1.customers.list({"created": created}).data]

    assert found({"gt": old.created}) == [new.id]
    assert found({"lte": old.created}) == [old.id]
    assert found(new.created) == [new.id]


def test_metadata_is_merged_and_unset_by_empty_values(sim):
    customers = sim.stripe.v1.customers
    customer = customers.create({"metadata": {"a": "1", "b": "2"}})

    changed = customers.update(customer.id, {"metadata": {"a": "", "c": "3"}})
    cleared = customers.update(customer.id, {"metadata": "", "email": "new@example.com"})

    assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert cleared.metadata.to_dict() == {}
    assert cleared.email == "new@example.com"


def test_the_log_tells_what_was_asked(sim):
    params, options = {"metadata": {"n": "1"}}, {"idempotency_key": "key-1"}
    for _ in range(2):
        sim.stripe.v1.customers.create(params, options)
    sim.raw("POST", "/v1/customers", {"description": "4242424242424242"})

    first, second, third = sim.get("/_sim/log")
    assert (first["method"], first["path"], first["status"]) == ("POST", "/v1/customers", 200)
    assert first["params"] == {"metadata": {"n": "1"}}
    assert [e["idempotency_key"] for e in (first, second, third)] == ["key-1", "key-1", ""]
    assert [e["replayed"] for e in (first, second, third)] == [False, True, False]
    assert third["params"] == {"description": "****4242"}


def test_the_clock_is_set_or_moved(sim):
    def offset(**facts):
        return sim.post("/_sim/clock", **facts).json().get("offset")

    assert offset(advance=100) == 100
    assert offset(advance=0.5) == 100.5
    assert offset(offset=-20) == -20
    assert offset(offset=10, advance=5) == 15
    assert [sim.post("/_sim/clock", **facts).status_code for facts in ({}, {"days": 1})] == [
        400,
        400,
    ]
    assert sim.get("/_sim/clock")["offset"] == 15


def test_a_reset_forgets_everything(sim):
    sim.paid()
    sim.advance(500)
    sim.fault(method="GET", path="/v1/refunds", kind="rate_limit")

    assert sim.post("/_sim/reset").status_code == 204

    assert sim.stripe.v1.customers.list().data == []
    assert sim.stripe.v1.events.list().data == []
    assert sim.stripe.v1.refunds.list().data == []
    assert sim.get("/_sim/clock")["offset"] == 0
    assert len(sim.get("/_sim/log")) == 3


def test_a_connection_is_kept_for_the_next_request(sim):
    connection = http.client.HTTPConnection(urlsplit(sim.base).netloc, timeout=10)
    sockets = []
    for method, path, body in (
        ("GET", "/v1/balance", None),
        ("POST", "/v1/customers", "name=" + "x" * 10_000),  # refused: there is no key
        ("POST", "/nowhere", "x" * 10_000),
        ("HEAD", "/", None),
        ("DELETE", "/_sim/faults", None),
        ("GET", "/", None),
    ):
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.read()
        sockets.append((answer.status, connection.sock))

    assert [status for status, _ in sockets] == [401, 401, 404, 200, 204, 200]
    assert len({kept for _, kept in sockets}) == 1
    assert connection.sock is not None
    connection.close()


def test_a_stopped_simulator_hangs_up_on_kept_connections():
    with running() as base:
        connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
        connection.request("GET", "/v1/balance")
        connection.getresponse().read()
        kept = connection.sock

    assert kept.recv(1) == b""
    connection.close()
