"""A first visit from free time to returned money, by programs only, on the real processes."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from booking_service.local.ports import wait_until


class Api:
    """One caller of the API, with or without a token."""

    def __init__(self, web: str, token: str | None = None) -> None:
        self.base = f"{web}/api/v1"
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **query: str) -> dict:
        answer = requests.get(self.base + path, params=query, headers=self.headers, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: dict | None = None, status: int = 200) -> dict:
        answer = requests.post(self.base + path, json=body or {}, headers=self.headers, timeout=10)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def anybody(demo) -> Api:
    return Api(demo.web)


@pytest.fixture
def desk(demo) -> Api:
    return Api(demo.web, demo.api_tokens["front_desk"])


@pytest.fixture
def finance(demo) -> Api:
    return Api(demo.web, demo.api_tokens["finance"])


def test_book_pay_arrive_convert_and_get_the_money_back(demo, anybody, desk, finance, inbox):
    offer = anybody.get("/offer")
    # From today at the practice, which is another day than in Greenwich for hours every evening.
    days = anybody.get("/slots", days="3")["days"]
    slot = next(slot for day in days for slot in day["slots"])
    booked = anybody.post(
        "/bookings",
        {
            "practitioner_id": slot["practitioner"]["id"],
            "starts_at": slot["starts_at"],
            "patient": {
                "name": "Ada Reyes",
                "email": "ada.reyes@example.com",
                "phone": "(518) 555-0199",
            },
            "accept_terms_version": offer["terms_version"],
            "save_card": True,
        },
        status=201,
    )
    assert booked["status"] == "held"

    session_id = booked["checkout_url"].rsplit("/", 1)[1]
    paid = requests.post(
        f"{demo.stripe}/_sim/checkout/sessions/{session_id}/pay",
        json={"card": "4242424242424242", "email": "ada.reyes@example.com"},
        timeout=10,
    )
    assert paid.status_code == 200

    def booking(status: str) -> dict | None:
        found = anybody.get(f"/bookings/{booked['id']}", token=booked["token"])
        return found if found["status"] == status else None

    confirmed = wait_until(lambda: booking("confirmed"), "the webhook to confirm it")
    assert confirmed["payment"] == {"status": "paid", "amount_cents": 3900}
    assert confirmed["promise"] == {"status": "open"}

    desk.post(f"/bookings/{booked['id']}/arrive")
    desk.post(f"/bookings/{booked['id']}/begin-treatment")
    plan = next(plan for plan in desk.get("/plans")["items"] if plan["name"] == "Corrective")
    choice = {"plan_id": plan["id"], "payment": {"method": "saved_card"}}
    made = desk.post(f"/bookings/{booked['id']}/convert", choice, status=201)
    again = desk.post(f"/bookings/{booked['id']}/convert", choice, status=200)
    assert made["membership"]["payment"]["status"] == "scheduled"
    assert again["membership"]["id"] == made["membership"]["id"]

    def settled() -> dict | None:
        found = desk.get(f"/memberships/{made['membership']['id']}")
        done = found["refund"] and found["refund"]["status"] == "succeeded"
        return found if done else None

    member = wait_until(settled, "the refund to be made", timeout_seconds=30)
    assert member["membership"]["status"] == "active"
    assert member["membership"]["payment"]["status"] == "paid"
    assert member["refund"]["amount_cents"] == 3900
    assert booking("in_treatment")["promise"] == {"status": "settled"}
    one = finance.get(f"/refunds/{member['refund']['id']}")
    assert one["reason"] == "membership"
    assert one["timeline"] != []
    assert [m["subject"] for m in inbox("ada.reyes@example.com", 2)][1].startswith("Welcome")


def test_the_books_agree_with_stripes_afterwards(demo):
    """Everything the other tests here did is explained, and nothing in the audit log is altered."""
    booking = str(Path(sys.executable).parent / "booking")
    outcomes = [
        subprocess.run([booking, *words], env=_environment(demo), check=False).returncode
        for words in (["reconcile", "--json"], ["audit", "verify"], ["state", "--json"])
    ]

    assert outcomes == [0, 0, 0]


def _environment(demo) -> dict[str, str]:
    return {
        "PATH": str(Path(sys.executable).parent),
        "DATABASE_URL": demo.database_url,
        "REDIS_URL": demo.redis_url,
        "SECRET_KEY": "any key will do for reading, if it is long enough",
        "PUBLIC_BASE_URL": demo.web,
        "STRIPE_API_KEY": "sk_test_reader",
        "STRIPE_API_BASE": demo.stripe,
        "STRIPE_WEBHOOK_SECRETS": demo.stripe_webhook_secret,
        "SMTP_URL": "smtp://127.0.0.1:1",
        "MAIL_FROM": "reader@first-visit.example",
    }
