from booking_service.api.contract import openapi
from tests.api.conftest import Caller


def test_every_call_is_described(app, client):
    document = Caller(client).get("/openapi.json").get_json()

    described = {(method, path) for path, calls in document["paths"].items() for method in calls}
    routes = {
        (method.lower(), rule.rule.replace("<uuid:", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        for method in rule.methods & {"GET", "POST"}
        if rule.rule.startswith("/api/v1/") and not rule.endpoint.startswith("api_docs")
    }
    assert described == routes
    assert document["openapi"].startswith("3.1")


def test_every_reference_leads_somewhere(app):
    document = openapi()
    names = set(document["components"]["schemas"])

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = (
                {value["$ref"].rsplit("/", 1)[-1]} if isinstance(value.get("$ref"), str) else set()
            )
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(document) <= names


def test_every_call_has_an_id_of_its_own_and_posts_take_a_key(app):
    calls = [
        (method, call) for calls in openapi()["paths"].values() for method, call in calls.items()
    ]

    ids = [call["operationId"] for _, call in calls]
    assert len(set(ids)) == len(ids)
    keyed = {
        call["operationId"]
        for _, call in calls
        if "Idempotency-Key" in {parameter["name"] for parameter in call["parameters"]}
    }
    assert keyed == {call["operationId"] for method, call in calls if method == "post"}


def test_callers_are_told_that_they_may_book_too_often(app):
    assert "429" in openapi()["paths"]["/api/v1/bookings"]["post"]["responses"]


def test_refusals_are_described_as_problem_documents(app):
    kinds = {
        kind
        for calls in openapi()["paths"].values()
        for call in calls.values()
        for status, answer in call["responses"].items()
        if int(status) >= 400
        for kind in answer["content"]
    }

    assert kinds == {"application/problem+json"}


def test_the_page_shows_every_call(client):
    page = client.get("/api/v1/docs")

    text = page.get_data(as_text=True)
    assert page.content_type == "text/html; charset=utf-8"
    assert all(f"GET {path}" in text or f"POST {path}" in text for path in openapi()["paths"])
    assert "<script" not in text
    assert " style=" not in text
