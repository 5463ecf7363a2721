"""A mail server and a provider of texts that deliver nothing, and a page to read what they caught.

    python -m booking_service.local.mailcatcher --smtp-port 2525 --port 8002 --folder var/mail

For programs: GET /api/messages lists all mails and GET /api/texts all texts, oldest first;
DELETE /api/messages empties the box. Texts come in over Twilio's HTTP API, on the page's port.
"""

import argparse
import base64
import json
import re
import signal
import sys
import threading
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from aiosmtpd.controller import Controller
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from booking_service.local.mailbox import Mail, Mailbox
from booking_service.local.phones import Phones, Text

_PAGES: Final = Path(__file__).parent / "inbox"
_OURS: Final = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
_OUR_POLICY: Final = _OURS + "frame-src 'self'; form-action 'self'; base-uri 'none'"
# A mail's own HTML: no scripts, no requests, and links open a page of their own.
_MAIL_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_FILES: Final = {"inbox.css": "text/css", "inbox.js": "text/javascript"}
_ADDRESS: Final = re.compile(r"(https?://\S*[^\s.,;:!?)>])")
_LARGEST_MAIL_BYTES: Final = 20 * 1024 * 1024
_LARGEST_FORM_BYTES: Final = 64 * 1024


class _Receiver:
    """What aiosmtpd calls for each mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: ANN401, N802 - as aiosmtpd names and passes them
        content = envelope.original_content or envelope.content
        self._mailbox.add(envelope.mail_from, envelope.rcpt_tos, content)
        return "250 Caught"


class _Page(BaseHTTPRequestHandler):
    """The inbox over HTTP."""

    protocol_version = "HTTP/1.1"

    def __init__(self, mailbox: Mailbox, phones: Phones, pages: Environment, *args: Any) -> None:  # noqa: ANN401 - the base class's own
        self._mailbox = mailbox
        self._phones = phones
        self._pages = pages
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer a page, a mail, a part of a mail, a text, or the lists for programs."""
        match unquote(self.path.split("?")[0]).strip("/").split("/"):
            case [""]:
                self._render("list.html", messages=self._newest_first())
            case ["api", "messages"]:
                self._json([mail.as_json() for mail in self._mailbox.all()])
            case ["api", "texts"]:
                self._json([text.as_json() for text in self._phones.all()])
            case ["api", "count"]:
                self._json({"count": len(self._newest_first())})
            case ["text", text_id] if text := self._phones.find(text_id):
                self._render("text.html", text=text, texts=self._with(text.phone))
            case ["mail", mail_id, *rest] if mail := self._mailbox.find(mail_id):
                self._mail(mail, rest)
            case [name] if name in _FILES:
                self._send((_PAGES / name).read_bytes(), _FILES[name])
            case _:
                self._missing()

    def do_POST(self) -> None:
        """Take a text as Twilio does, or answer one from the phone it went to."""
        size = min(int(self.headers.get("Content-Length", 0)), _LARGEST_FORM_BYTES)
        form = dict(parse_qsl(self.rfile.read(size).decode()))
        match self.path.strip("/").split("/"):
            case ["2010-04-01", "Accounts", _, "Messages.json"]:
                self._json(self._phones.take(self._token(), form), HTTPStatus.CREATED)
            case ["text", text_id, "answer"] if text := self._phones.find(text_id):
                self._phones.answer(text, form.get("body", ""))
                self.send_response(HTTPStatus.SEE_OTHER)
                self.send_header("Location", f"/text/{text.id}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case _:
                self._missing()

    def do_DELETE(self) -> None:
        """Empty the box."""
        if self.path != "/api/messages":
            self._missing()
            return
        self._mailbox.clear()
        self._phones.clear()
        self._json({"count": 0})

    def log_message(self, *_args: object) -> None:
        """Stay quiet: addresses and subjects do not belong in a log."""

    def _newest_first(self) -> list[Mail | Text]:
        messages: list[Mail | Text] = [*self._mailbox.all(), *self._phones.all()]
        return sorted(messages, key=lambda message: message.at, reverse=True)

    def _with(self, phone: str) -> list[Text]:
        return [text for text in self._phones.all() if text.phone == phone]

    def _token(self) -> str:
        """Return the password of the caller, who signs with it what we bring back."""
        kind, _, login = self.headers.get("Authorization", "").partition(" ")
        return base64.b64decode(login).decode().partition(":")[2] if kind == "Basic" else ""

    def _mail(self, mail: Mail, rest: list[str]) -> None:
        match rest:
            case []:
                parts = [facts for facts, _ in mail.attachments()]
                self._render("mail.html", mail=mail, attachments=parts)
            case ["html"]:
                base = '<base target="_blank">'
                self._send((base + mail.html).encode(), "text/html", policy=_MAIL_POLICY)
            case ["attachment", number] if number.isdecimal():
                self._attachment(mail, int(number))
            case _:
                self._missing()

    def _attachment(self, mail: Mail, number: int) -> None:
        parts = list(mail.attachments())
        if number >= len(parts):
            self._missing()
            return
        facts, data = parts[number]
        disposition = f"attachment; filename*=UTF-8''{quote(facts['filename'])}"
        self._send(data, facts["content_type"], disposition=disposition)

    def _render(self, page: str, **values: object) -> None:
        html = self._pages.get_template(page).render(**values)
        self._send(html.encode(), "text/html")

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _missing(self) -> None:
        self._send(b"There is nothing here.\n", "text/plain", HTTPStatus.NOT_FOUND)

    def _send(
        self,
        body: bytes,
        content_type: str,
        status: HTTPStatus = HTTPStatus.OK,
        *,
        policy: str = _OUR_POLICY,
        disposition: str | None = None,
    ) -> None:
        charset = "; charset=utf-8" if content_type.startswith("text/") else ""
        self.send_response(status)
        self.send_header("Content-Type", content_type + charset)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")  # links in mails are keys
        self.send_header("Cache-Control", "no-store")
        if disposition:
            self.send_header("Content-Disposition", disposition)
        self.end_headers()
        self.wfile.write(body)


def _linked(text: str) -> Markup:
    """A plain text with its addresses made clickable."""
    pieces = _ADDRESS.split(text)  # every second piece is an address
    link = Markup('<a href="{0}" target="_blank" rel="noreferrer">{0}</a>')
    return Markup().join(
        link.format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def serve(
    mailbox: Mailbox, phones: Phones, smtp_port: int, port: int
) -> tuple[Controller, ThreadingHTTPServer]:
    """Listen on 127.0.0.1 for mails, and for texts and readers.

    The caller runs `serve_forever` of the second, and stops both.

    Raises:
        OSError: a port is taken.
    """
    pages = Environment(loader=FileSystemLoader(_PAGES), autoescape=True)
    pages.filters["linked"] = _linked
    receiver = Controller(
        _Receiver(mailbox),
        hostname="127.0.0.1",
        port=smtp_port,
        data_size_limit=_LARGEST_MAIL_BYTES,
    )
    reader = ThreadingHTTPServer(("127.0.0.1", port), partial(_Page, mailbox, phones, pages))
    receiver.start()
    return receiver, reader


def main(arguments: list[str]) -> int:
    """Run until stopped."""
    parser = argparse.ArgumentParser(
        prog="mailcatcher", description="Catch messages and show them."
    )
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--port", type=int, required=True, help="of the page")
    parser.add_argument("--folder", type=Path, required=True, help="where the messages are kept")
    given = parser.parse_args(arguments)
    receiver, reader = serve(
        Mailbox(given.folder), Phones(given.folder), given.smtp_port, given.port
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=reader.serve_forever, daemon=True).start()
    stop.wait()
    reader.shutdown()
    receiver.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
