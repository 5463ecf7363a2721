"""What patients and the desk can do, through the service's own API; and what they were told."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from time import perf_counter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import requests

from booking_service.clock import local_day
from booking_service.queries import availability
from tests.month.doorbell import step_of
from tests.month.edges import survive
from tests.month.world import World

NO_ANSWER = 0
_GUARD = re.compile(r'name="csrf_token" value="([^"]+)"')
_OF_A_PATIENT = re.compile(r"^(/book|/v|/m)/.*")  # the rest is a link that opens everything
_KEY = {"Authorization": "Bearer sk_test_dashboard", "Stripe-Version": "2026-10-28.endive"}


@dataclass(frozen=True)
class Told:
    """An answer of the service. Status 0: the process died, nobody knows what was done."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether asking again would be no use."""
        in_use = self.body.get("code") == "idempotency_key_in_use"
        return 200 <= self.status < 500 and not in_use

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Clinic:
    """The counter, seen from both sides."""

    world: World
    told: list[dict[str, Any]] = field(default_factory=list)  # every answer, with its seconds
    promised: list[dict[str, Any]] = field(default_factory=list)  # what 2xx promised
    forgeries: list[int] = field(default_factory=list)  # how each was answered
    _free: dict[date, list[dict[str, Any]]] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", token: str = ""
    ) -> Told:
        """Ask the service once, in a process that may die."""
        self.world.trouble.at_stripe()
        _, told = step_of(self.world, lambda: self._asked(method, path, body, key, token))
        return self._note(method, path, told)

    def desk(self, method: str, path: str, body: Any = None, *, key: str = "") -> Told:
        """Ask as the front desk."""
        return self.ask(method, path, body, key=key, token=self.token("front_desk"))

    def token(self, scope: str) -> str:
        """Return the API token of a role."""
        assert self.world.seeded is not None
        return self.world.seeded.api_tokens[scope]

    def desks_at_once(self, path: str, bodies: list[Any]) -> list[Told]:
        """Let several desks press at the same instant."""
        token = self.token("front_desk")

        def press(body: Any) -> Told:
            lived, told = survive(lambda: self._asked("POST", path, body, "", token))
            assert lived
            return told

        with ThreadPoolExecutor(len(bodies)) as pool:
            told = list(pool.map(press, bodies))
        return [self._note("POST", path, answer) for answer in told]

    def free_times(self, day: date) -> list[dict[str, Any]]:
        """Return the free times of a day, as a page showed them some time ago."""
        pages = self._free.setdefault(day, [])
        if not pages or len(pages[0]["shown"]) >= 12:
            found = self.ask("GET", f"/api/v1/slots?from={day.isoformat()}&days=1")
            days = found.body.get("days", [])
            slots = [slot for each in days for slot in each["slots"]]
            pages[:] = [{"slots": slots, "shown": []}]
        pages[0]["shown"].append(1)
        return list(pages[0]["slots"])

    @property
    def zone(self) -> ZoneInfo:
        """The practice's time zone."""
        if "zone" not in self.world.kept:
            with self.world.app.app_context():
                self.world.kept["zone"] = availability.the_practice().zone
        zone: ZoneInfo = self.world.kept["zone"]
        return zone

    def local_day(self, at: datetime) -> date:
        """Return the practice's date at an instant."""
        return local_day(at, self.zone)

    def plan_id(self) -> str:
        """Return a plan on sale."""
        while "plan" not in self.world.kept:
            token = self.token("front_desk")
            told = self.ask("GET", "/api/v1/plans", token=token)
            if told.is_ok:
                self.world.kept["plan"] = told.body["items"][0]["id"]
        plan_id: str = self.world.kept["plan"]
        return plan_id

    def come_back(self, booking_id: str) -> None:
        """Return from Stripe's page, which asks Stripe what became of the payment."""
        links = self.world.app.extensions["links"]
        self._visit(links.done(UUID(booking_id)))

    def come_back_a_member(self, membership_id: UUID) -> None:
        """Return from the payment page of a membership."""
        self._visit(self.world.app.extensions["links"].join(membership_id))

    def _visit(self, address: str) -> None:
        self.ask("GET", address.removeprefix(self.world.settings.public_base_url))

    def pay(self, session_id: str, card: str) -> bool:
        """Press Pay on Stripe's page; return whether the card was taken."""
        body = {"card": card, "email": "payer@bank.example"}
        url = f"{self.world.stripe.url}/_sim/checkout/sessions/{session_id}/pay"
        is_paid = self.world.caller.post(url, json=body).status_code == 200
        self.world.settle()
        return is_paid

    def look(self, path: str) -> dict[str, Any]:
        """Look at something in Stripe's dashboard; people press reload until it shows."""
        for _ in range(40):  # of the faults that wait for requests, some may be in the way
            try:
                answer = self.world.caller.get(f"{self.world.stripe.url}/v1/{path}", headers=_KEY)
            except requests.ConnectionError:
                continue
            if answer.ok:
                found: dict[str, Any] = answer.json()
                return found
        raise AssertionError(f"the dashboard does not show {path}")

    def payment_intent(self, session_id: str) -> str:
        """Return the payment of a page."""
        intent: str = self.look(f"checkout/sessions/{session_id}")["payment_intent"]
        return intent

    def payment_id(self, session_id: str) -> str:
        """Return our id of what is paid on a page."""
        ours: str = self.look(f"checkout/sessions/{session_id}")["metadata"]["payment_id"]
        return ours

    def refund_by_hand(self, session_id: str, cents: int | None = None) -> bool:
        """Refund a first visit in Stripe's dashboard; return whether Stripe did."""
        charge = self.look(f"payment_intents/{self.payment_intent(session_id)}")["latest_charge"]
        form = {"id": charge} | ({"amount": f"{cents / 100:.2f}"} if cents else {})
        url = f"{self.world.stripe.url}/do/refund"
        is_done = self.world.caller.post(url, data=form, allow_redirects=False).status_code == 303
        self.world.settle()
        return is_done

    def tap(self, page: str, button: str, form: dict[str, str]) -> Told:
        """Open a page in a browser and tap one of its buttons."""
        _, told = step_of(self.world, lambda: self._tapped(page, button, form))
        return self._note("POST", button, told)

    def forge(self, body: bytes, signature: str) -> None:
        """Post to the service what Stripe did not send, or not now; note how it was answered."""
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        client = self.world.app.test_client()
        status = client.post("/webhooks/stripe", data=body, headers=headers).status_code
        self.forgeries.append(status)

    def act(self, path: str, **facts: Any) -> bool:
        """Let a bank or a cardholder do something at Stripe; return whether it was possible."""
        is_done = self.world.caller.post(f"{self.world.stripe.url}/_sim/{path}", json=facts).ok
        self.world.settle()
        return is_done

    def remember(self, what: str, id_: str, **facts: Any) -> None:
        """Write down what the service has acknowledged."""
        self.promised.append({"what": what, "id": id_, **facts})

    def _asked(self, method: str, path: str, body: Any, key: str, token: str) -> Told:
        headers = {"Idempotency-Key": key} if key else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        client = self.world.app.test_client()
        began = perf_counter()
        answer = client.open(path, method=method, json=body, headers=headers)
        seconds = perf_counter() - began
        found = answer.get_json(silent=True)
        document = found if isinstance(found, dict) else {}
        return Told(answer.status_code, {**document, "_seconds": seconds})

    def _tapped(self, page: str, button: str, form: dict[str, str]) -> Told:
        client = self.world.app.test_client()
        began = perf_counter()
        shown = client.get(page)
        guard = _GUARD.search(shown.text)
        if guard is None:
            return Told(shown.status_code, {"_seconds": perf_counter() - began})
        answer = client.post(button, data={**form, "csrf_token": guard[1]})
        body = {"location": answer.location, "_seconds": perf_counter() - began}
        return Told(answer.status_code, body)

    def _note(self, method: str, path: str, told: Told | None) -> Told:
        told = told or Told(NO_ANSWER)
        seconds = told.body.pop("_seconds", 0.0)
        place = _OF_A_PATIENT.sub(r"\1", path.partition("?")[0])
        self.told.append(
            {"method": method, "path": place, "status": told.status, "seconds": seconds}
        )
        return told
