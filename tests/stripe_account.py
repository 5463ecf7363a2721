"""A test's view of the pretend Stripe, over HTTP like everybody else's."""

from datetime import UTC, datetime
from typing import Any

import requests

_KEY = {"Authorization": "Bearer sk_test_first_visit", "Stripe-Version": "2026-10-28.endive"}


class StripeAccount:
    def __init__(self, url: str) -> None:
        self.url = url

    def reset(self) -> None:
        self._post("/_sim/reset")

    def page(self, cents: int = 3900, **metadata: str) -> str:
        """Open a payment page as any application of the account may; return its id."""
        form = {
            "mode": "payment",
            "success_url": "https://shop.example",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "usd",
            "line_items[0][price_data][unit_amount]": str(cents),
            "line_items[0][price_data][product_data][name]": "A mug",
            **{f"metadata[{name}]": value for name, value in metadata.items()},
        }
        answer = requests.post(f"{self.url}/v1/checkout/sessions", form, headers=_KEY)
        return str(answer.json()["id"])

    def refund(self, payment_intent: str, cents: int | None = None) -> str:
        """Refund by hand, as in Stripe's dashboard; return the refund's id."""
        form = {"payment_intent": payment_intent} | ({"amount": str(cents)} if cents else {})
        answer = requests.post(f"{self.url}/v1/refunds", form, headers=_KEY)
        answer.raise_for_status()
        return str(answer.json()["id"])

    def pay(
        self, session_id: str, card: str = "4242424242424242", email: str = "dana@example.com"
    ) -> requests.Response:
        """Do what a patient does on the payment page."""
        body = {"card": card, "email": email}
        return requests.post(f"{self.url}/_sim/checkout/sessions/{session_id}/pay", json=body)

    def fault(self, kind: str, path: str, method: str = "POST", times: int = 1, **more: Any) -> str:
        """Break the next requests to a path; see the simulator's faults for the kinds."""
        fault = {"kind": kind, "path": path, "method": method, "times": times, **more}
        return self._post("/_sim/faults", fault)["id"]

    def faults(self) -> list[dict[str, Any]]:
        return requests.get(f"{self.url}/_sim/faults").json()

    def release(self, fault_id: str) -> None:
        self._post(f"/_sim/faults/{fault_id}/release")

    def heal(self) -> None:
        requests.delete(f"{self.url}/_sim/faults").raise_for_status()

    def listed(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/v1/{path}", params=query, headers=_KEY)
        answer.raise_for_status()
        return answer.json()["data"]

    def refunds(self) -> list[dict[str, Any]]:
        return self.listed("refunds", limit=100)

    def subscriptions(self) -> list[dict[str, Any]]:
        return self.listed("subscriptions", limit=100, status="all")

    def pay_out(self) -> dict[str, Any]:
        """Make the automatic payout now, of all that is available."""
        return self._post("/_sim/payouts")

    def fail_payout(self, payout_id: str) -> dict[str, Any]:
        """Let the bank send a payout back."""
        return self._post(f"/_sim/payouts/{payout_id}/fail")

    def dispute(self, payment_intent_id: str, **facts: Any) -> dict[str, Any]:
        """Let the cardholder's bank ask for a payment back."""
        return self._post("/_sim/disputes", {"payment_intent": payment_intent_id, **facts})

    def move_dispute(self, dispute_id: str, status: str) -> dict[str, Any]:
        """Let the bank decide."""
        return self._post(f"/_sim/disputes/{dispute_id}", {"status": status})

    def bounce(self, refund_id: str, reason: str = "expired_or_canceled_card") -> None:
        """Let the bank send a refund back."""
        self._post(f"/_sim/refunds/{refund_id}", {"status": "failed", "reason": reason})

    def log(self) -> list[dict[str, Any]]:
        return requests.get(f"{self.url}/_sim/log").json()

    def advance(self, seconds: int) -> None:
        self._post("/_sim/clock", {"advance": seconds})

    def now(self) -> datetime:
        """Return what time it is at Stripe."""
        seconds = requests.get(f"{self.url}/_sim/clock").json()["now"]
        return datetime.fromtimestamp(seconds, UTC)

    def violations(self) -> list[Any]:
        return requests.get(f"{self.url}/_sim/violations").json()

    def deliveries(self) -> list[dict[str, Any]]:
        """Return every attempt owed or made to tell an endpoint of an event."""
        return requests.get(f"{self.url}/_sim/deliveries").json()

    def blocked(self, fault_id: str) -> int:
        """Return how many requests wait in a fault now."""
        return next(fault["blocked"] for fault in self.faults() if fault["id"] == fault_id)

    def statuses(self, method: str, path: str) -> list[int]:
        """Return what requests to a path were answered, in order; 0 without an answer."""
        wanted = (method, path)
        return [
            asked["status"] for asked in self.log() if (asked["method"], asked["path"]) == wanted
        ]

    def keys(self, path: str) -> list[str]:
        """Return the idempotency keys of the POSTs to a path, in order."""
        asked = (entry for entry in self.log() if entry["method"] == "POST")
        return [entry["idempotency_key"] for entry in asked if entry["path"] == path]

    def settings(self, **facts: Any) -> None:
        """Change where events go, or how long a slow refund takes. A reset keeps it."""
        self._post("/_sim/settings", facts)

    def _post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = requests.post(f"{self.url}{path}", json=body or {})
        answer.raise_for_status()
        return answer.json() if answer.content else None
