"""A patient's phone without JavaScript: pages, and the buttons on them."""

import re
from html import unescape
from urllib.parse import urlsplit
from uuid import uuid4

from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from booking_service.db import db
from booking_service.models import Booking, Offer

# PUBLIC_BASE_URL of the tests; Stripe is on another port.
_HERE = "127.0.0.1:8000"
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_BUTTON = re.compile(r"<button\b[^>]*>(.*?)</button>", re.DOTALL)


def _plain(html: str) -> str:
    """Return the words of a piece of a page, with apostrophes as keyboards have them."""
    words = unescape(re.sub(r"<[^>]+>", " ", html)).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(words.split())


class Phone:
    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self.answer: TestResponse
        self.path = ""

    @property
    def html(self) -> str:
        return self.answer.text

    @property
    def words(self) -> str:
        """What the page's main part says, without its marks."""
        main = self.html.partition("<main")[2].partition("</main>")[0].partition(">")[2]
        return _plain(main)

    @property
    def heading(self) -> str:
        found = re.findall(r"<h1>(.*?)</h1>", self.html, re.DOTALL)
        assert len(found) == 1
        return _plain(found[0])

    def open(self, path: str) -> "Phone":
        """Open an address, going wherever it leads inside the service."""
        return self._follow(self._ask("GET", path), path)

    def press(self, words: str, nth: int = 0, **typed: str) -> "Phone":
        """Press a button with these words, with what was typed into the fields of its form."""
        form = self._forms(words)[nth]
        action = re.search(r'action="([^"]*)"', form)
        fields = dict(_HIDDEN.findall(form)) | typed
        assert action
        path = unescape(action[1])
        return self._follow(self._ask("POST", path, fields), path)

    def times(self) -> list[str]:
        """The values of the times one can tap, in the order of the page."""
        return re.findall(r'<button[^>]* name="slot" value="([^"]*)"', self.html)

    def tap(self, nth: int = 0) -> "Phone":
        """Tap a time."""
        return self.send_time(self.times()[nth])

    def send_time(self, value: str) -> "Phone":
        """Send a time as its button would."""
        fields = {"source": "", "slot": value, "csrf_token": self._token()}
        source = re.search(r'name="source" value="([^"]*)"', self.html)
        if source:
            fields["source"] = source[1]
        return self._follow(self._ask("POST", "/book", fields), "/book")

    def get(self, path: str) -> TestResponse:
        """Ask for an address without going where it leads."""
        return self._ask("GET", path)

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form that no page has."""
        return self._ask("POST", path, fields)

    def _ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> TestResponse:
        # A context of its own: requests inside the test's would share `g`, and so their tokens.
        with self._client.application.app_context():
            return self._client.open(path, method=method, data=fields)

    def _token(self) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.html)
        assert found
        return found[1]

    def offers(self, words: str) -> bool:
        """Whether there is a button with these words."""
        return bool(self._forms(words))

    def _forms(self, words: str) -> list[str]:
        return [
            form
            for form in _FORM.findall(self.html)
            if any(words in _plain(inside) for inside in _BUTTON.findall(form))
        ]

    def _follow(self, answer: TestResponse, path: str) -> "Phone":
        self.answer, self.path = answer, path
        while self.answer.status_code == 303:
            target = self.answer.headers["Location"]
            self.path = target
            parts = urlsplit(target)
            if parts.netloc not in ("", _HERE):
                break  # Stripe's page
            self.path = parts._replace(scheme="", netloc="").geturl()
            self.answer = self._ask("GET", self.path)
        return self


DANA = {"name": "Dana Whitfield", "phone": "(518) 555-0178", "email": "Dana@Example.com"}


def bookings() -> list[Booking]:
    db.session.rollback()
    return list(db.session.scalars(select(Booking).order_by(Booking.created_at)))


def statuses() -> list[str]:
    return [booking.status.value for booking in bookings()]


def at_details(phone: Phone, nth: int = 0) -> Phone:
    return phone.open("/book").tap(nth)


def at_review(phone: Phone, nth: int = 0, **person: str) -> Phone:
    return at_details(phone, nth).press("Continue", **(DANA | person))


def at_stripe(phone: Phone, nth: int = 0, **person: str) -> Phone:
    return at_review(phone, nth, **person).press("Continue to pay", agree="on")


def hold_path(page: str) -> str:
    links = current_app.extensions["links"]
    return f"/book/{links.token('hold', bookings()[-1].id)}/{page}"


def publish(price_cents: int) -> None:
    """Put another version of the offer on sale."""
    old = db.session.scalars(select(Offer)).one()
    values = {c.key: getattr(old, c.key) for c in Offer.__table__.columns}
    db.session.add(Offer(**values | {"id": uuid4(), "version": 2, "price_cents": price_cents}))
    db.session.commit()
