"""Run a simulator on a real port: as a process of its own, or in a thread of a test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from booking_service.simulator.app import create_simulator
from booking_service.simulator.checks import Value

_POLL_SECONDS = 0.02  # how soon a server in a thread hears that it should stop


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else every answer on a kept connection waits 40 ms
    wbufsize = -1  # head and body of an answer travel together

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Stay silent: requests are in `/_sim/log`."""


def server(app: Flask, host: str, port: int) -> BaseWSGIServer:
    """Return a server with a thread for every connection; port 0 takes any free one."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = make_server(host, port, app, threaded=True, request_handler=_Handler)
    made.daemon_threads = True  # type: ignore[attr-defined]  # a held answer must not stop us
    return made


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
