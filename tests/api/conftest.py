from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from booking_service.services.demo import Seeded


class Caller:
    """A program that calls the API, with or without a token."""

    def __init__(self, client: FlaskClient, token: str | None = None) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, **query: Any
    ) -> TestResponse:
        headers = {**self._headers, **(headers or {})}
        return self._client.get(f"/api/v1{path}", query_string=query, headers=headers)

    def post(self, path: str, body: Any = None, key: str | None = None) -> TestResponse:
        headers = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        given = {} if body is None else {"json": body}
        return self._client.post(f"/api/v1{path}", headers=headers, **given)


@pytest.fixture
def anybody(client: FlaskClient, seeded: Seeded) -> Caller:
    return Caller(client)


@pytest.fixture
def desk(client: FlaskClient, seeded: Seeded) -> Caller:
    return Caller(client, seeded.api_tokens["front_desk"])


@pytest.fixture
def finance(client: FlaskClient, seeded: Seeded) -> Caller:
    return Caller(client, seeded.api_tokens["finance"])


@pytest.fixture
def admin(client: FlaskClient, seeded: Seeded) -> Caller:
    return Caller(client, seeded.api_tokens["admin"])


@pytest.fixture
def order(anybody: Caller) -> Callable[..., dict[str, Any]]:
    """A body for POST /bookings, for the first free time."""

    def make(**changes: Any) -> dict[str, Any]:
        days = anybody.get("/slots", days=2).get_json()["days"]
        slot = next(slot for day in days for slot in day["slots"])
        body = {
            "practitioner_id": slot["practitioner"]["id"],
            "starts_at": slot["starts_at"],
            "patient": {
                "name": "Dana Whitfield",
                "email": "dana@example.com",
                "phone": "(518) 555-0178",
            },
            "accept_terms_version": 1,
        }
        return {**body, **changes}

    return make


def problem(response: TestResponse) -> tuple[int, str]:
    """The status and the code of a refusal, which must be a problem document."""
    assert response.content_type == "application/problem+json"
    document = response.get_json()
    assert document["status"] == response.status_code
    return response.status_code, document["code"]


def fields(response: TestResponse) -> list[tuple[str, str]]:
    """Which fields were refused, and why."""
    assert problem(response) == (422, "invalid")
    errors = response.get_json()["errors"]
    assert all(error["detail"] for error in errors)
    return [(error["field"], error["code"]) for error in errors]
