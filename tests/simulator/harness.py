"""The official SDK in front of a simulator, and a webhook endpoint behind it."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep

import requests
import stripe

SECRET = "whsec_test"
LINE = {
    "quantity": 1,
    "price_data": {
        "currency": "usd",
        "unit_amount": 3900,
        "product_data": {"name": "First visit"},
    },
}


def eventually(fact: Callable, within: float = 8.0):
    """Return the first truthy answer; fail when there is none in time."""
    deadline = monotonic() + within
    while not (found := fact()):
        assert monotonic() < deadline, "it did not happen in time"
        sleep(0.02)
    return found


@dataclass
class Endpoint:
    """A webhook endpoint that writes down what it was sent, and answers as it is told."""

    url: str = ""
    received: list = field(default_factory=list)  # (body, signature header)
    answers: list[int] = field(default_factory=list)  # statuses to give first; then 200
    before_answer: Callable = lambda: None

    def events(self) -> list[dict]:
        return [json.loads(body) for body, _ in self.received]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]


@contextmanager
def listening():
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.received.append((body, self.headers["Stripe-Signature"]))
            endpoint.before_answer()
            self.send_response(endpoint.answers.pop(0) if endpoint.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/webhooks/stripe"
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Sim:
    """A running simulator, as its callers see it."""

    base: str

    @property
    def stripe(self) -> stripe.StripeClient:
        return self.client()

    def client(self, key: str = "sk_test_123", retries: int = 0, timeout: float = 20):
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.base},
            http_client=stripe.RequestsClient(timeout=(3, timeout)),
            max_network_retries=retries,
        )

    def get(self, path: str, /):
        return requests.get(self.base + path, timeout=10).json()

    def post(self, path: str, /, **facts) -> requests.Response:
        return requests.post(self.base + path, json=facts, timeout=20)

    def raw(self, method: str, path: str, data=None, **headers) -> requests.Response:
        """Send what the SDK would refuse to send; `None` leaves a header out."""
        usual = {"Authorization": "Bearer sk_test_1", "Stripe-Version": "2026-10-28.endive"}
        wanted = {k: v for k, v in (usual | headers).items() if v is not None}
        return requests.request(method, self.base + path, data=data, headers=wanted, timeout=20)

    def fault(self, **facts) -> str:
        answer = self.post("/_sim/faults", **facts)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def advance(self, seconds: float) -> None:
        assert self.post("/_sim/clock", advance=seconds).status_code == 200

    def open_session(self, **facts):
        usual = {
            "mode": "payment",
            "line_items": [LINE],
            "success_url": "http://clinic.test/done?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://clinic.test/back",
        }
        return self.stripe.v1.checkout.sessions.create(usual | facts)

    def pay(self, session_id: str, card: str = "4242424242424242") -> requests.Response:
        path = f"/_sim/checkout/sessions/{session_id}/pay"
        return self.post(path, card=card, email="payer@example.com", name="Pat Payer")

    def paid(self, card: str = "4242424242424242", **facts):
        """Return a session that was paid."""
        session = self.open_session(**facts)
        answer = self.pay(session.id, card)
        assert answer.status_code == 200, answer.text
        return self.stripe.v1.checkout.sessions.retrieve(session.id)

    def with_saved_card(self, card: str = "4242424242424242") -> tuple[str, str]:
        """Return a customer and the card they saved at checkout."""
        saving = {"setup_future_usage": "off_session"}
        session = self.paid(card, customer_creation="always", payment_intent_data=saving)
        methods = self.stripe.v1.customers.payment_methods.list(session.customer)
        return session.customer, methods.data[0].id

    def plan(self, **facts) -> str:
        """Return a monthly price."""
        usual = {
            "currency": "usd",
            "unit_amount": 9900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Membership"},
        }
        return self.stripe.v1.prices.create(usual | facts).id
