"""A member of staff at a browser, without JavaScript."""

import re
from contextvars import Context
from html import unescape

from flask import Flask
from werkzeug.test import TestResponse

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class StaffBrowser:
    """Keeps cookies, sends forms with the token of the page they are on."""

    def __init__(self, app: Flask) -> None:
        self._client = app.test_client()

    def get(self, path: str, **more) -> TestResponse:
        # In a context of its own: a test's application context must not outlive a request.
        return Context().run(self._client.get, path, buffered=True, **more)

    def post(self, page: str, path: str, **form) -> TestResponse:
        return self.post_with(unescape(_TOKEN.search(self.get(page).text)[1]), path, **form)

    def post_with(self, token: str, path: str, **form) -> TestResponse:
        """Send a form of a page that was opened before."""
        sent = {"csrf_token": token, **form}
        return Context().run(self._client.post, path, data=sent, buffered=True)

    def post_piece(self, page: str, **form) -> TestResponse:
        """Ask for a part of a page, as a script on it does."""
        token = unescape(_TOKEN.search(self.get(page).text)[1])
        sent, asked = {"csrf_token": token, **form}, {"HX-Request": "true"}
        return Context().run(self._client.post, page, data=sent, headers=asked)

    def post_without_token(self, path: str) -> TestResponse:
        return Context().run(self._client.post, path)

    def sign_in(self, member: dict, next_: str = "") -> TestResponse:
        known = {"email": member["email"], "password": member["password"], "next": next_}
        return self.post("/sign-in", "/sign-in", **known)


def words(page: TestResponse) -> str:
    """Return what a page says, without tags and in single spaces."""
    text = re.sub(r"<(script|noscript)\b.*?</\1>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(unescape(text).split())
