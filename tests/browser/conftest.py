"""The service in this process, at an address of its own, for a real browser."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Thread

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from booking_service.config import Settings
from booking_service.links import Links


@pytest.fixture(scope="session")
def server(served_app: Flask) -> Iterator[str]:
    made = make_server("127.0.0.1", 0, served_app, threaded=True)
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{made.port}"
    made.shutdown()
    thread.join()


@pytest.fixture
def live(app: Flask, settings: Settings, server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the service answers, with an empty database; Stripe's page leads back there."""
    monkeypatch.setitem(app.extensions, "links", Links(settings.secret_key, server))
    return server


@pytest.fixture
def phones(browser: Browser, noon: datetime) -> Iterator[Callable[..., Page]]:
    """Give one person more a phone, whose clock stands at noon like the service's.

    The test fails on what a console complains about, but for pages that say no.
    """
    contexts, complaints = [], []

    def heard(message: str) -> None:
        if not re.search(r"responded with a status of (4\d\d|503)", message):
            complaints.append(message)

    def one_more(**options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 390, "height": 844}} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: heard(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: heard(str(error)))
        page.clock.install(time=noon)
        return page

    yield one_more
    for context in contexts:
        context.close()
    assert complaints == []
