"""The service in this process, at an address of its own, for a real browser."""

from collections.abc import Iterator
from threading import Thread

import pytest
from flask import Flask
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
