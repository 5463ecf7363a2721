"""Run a simulator on a real port: as a process of its own, or in a thread of a test."""

import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from threading import Thread
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wsgi import get_input_stream

from booking_service.simulator.app import create_simulator
from booking_service.simulator.checks import Value

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_POLL_SECONDS = 0.02  # how soon a server in a thread hears that it should stop


class _Handler(WSGIRequestHandler):
    """Keeps a connection for the next request, as Stripe does; Werkzeug's own closes each."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer on a kept connection waits 40 ms

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        # What a page does not read of it would be taken for the next request.
        environ["wsgi.input"] = BytesIO(get_input_stream(environ).read())
        try:
            status, headers, body = self._answered(environ)
        except Exception:  # noqa: BLE001 - one broken answer must not end the others
            self.server.log("error", traceback.format_exc())
            status, headers, body = "500 Internal Server Error", [], b""
        lines = [f"{name}: {text}" for name, text in headers if name != "Content-Length"]
        if self.command == "HEAD" or status.startswith(("204", "304")):
            body = b""
        else:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""])
        self.wfile.write(head.encode("latin-1") + body)

    def _answered(self, environ: "WSGIEnvironment") -> tuple[str, list[tuple[str, str]], bytes]:
        """Return the status, the headers and the body of the answer to a request."""
        told: list[Any] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _: object = None
        ) -> Callable[[bytes], object]:
            told[:] = status, headers
            return written.append

        parts = self.server.app(environ, start_response)
        try:
            written.extend(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        return told[0], told[1], b"".join(written)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Stay silent: requests are in `/_sim/log`."""


class _Server(ThreadedWSGIServer):
    """A thread for every connection; when it closes, so do they."""

    daemon_threads = True  # a held answer must not stop us

    def __init__(self, host: str, port: int, app: Flask) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(host, port, app, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver's
        """Begin with a connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as socketserver's
        """End with a connection."""
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Take no more connections, and hang up on those that were kept."""
        super().server_close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def server(app: Flask, host: str, port: int) -> ThreadedWSGIServer:
    """Return a server; port 0 takes any free one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    return _Server(host, port, app)


@contextmanager
def running(**settings: Value) -> Iterator[str]:
    """Run a simulator on a free port of this machine while the block lasts; yield its address."""
    app = create_simulator(**settings)
    http = server(app, "127.0.0.1", 0)
    thread = Thread(target=http.serve_forever, args=(_POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        app.extensions["simulator"].faults.clear()
        http.shutdown()
        thread.join()
        http.server_close()
        app.extensions["simulator"].close()
