"""The service's HTTP door: whose web process may die in the middle of a webhook."""

import json
import socket
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from threading import Lock
from typing import Any

from flask import Flask

from booking_service.clock import utc_now
from tests.month.trouble import Killed, Trouble

_KEPT = 200  # deliveries


@dataclass(frozen=True)
class Heard:
    """A delivery of Stripe's that was taken, as somebody on the way could have kept it."""

    at: datetime
    body: bytes
    signature: str


class FrontDoor:
    """Hands requests to the app, and writes down which events of Stripe's it took."""

    def __init__(self, app: Flask, trouble: Trouble) -> None:
        self.taken: list[tuple[str, str]] = []  # event id and type, answered with 2xx
        self.heard: deque[Heard] = deque(maxlen=_KEPT)
        self._trouble = trouble
        self._app = app
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        statuses: list[str] = []

        def started(status: str, headers: Any, *more: Any) -> Callable[[bytes], object]:
            statuses.append(status)
            return start_response(status, headers, *more)

        try:
            self._trouble.arm(is_web=True)
            answer = list(self._app.wsgi_app(environ, started))
        except Killed:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            start_response("500 Died", [])  # into a closed connection: Stripe hears nothing
            return []
        finally:
            self._trouble.disarm()
        if statuses[0].startswith("2"):
            event = json.loads(body)
            with self._lock:
                self.taken.append((event["id"], event["type"]))
                self.heard.append(Heard(utc_now(), body, environ["HTTP_STRIPE_SIGNATURE"]))
        return answer
