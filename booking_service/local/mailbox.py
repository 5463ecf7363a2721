"""Caught mails as files: what was sent, to whom, and what is in it."""

import base64
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

# What the envelope said, kept as the first lines of the file; a mail program shows them too.
_AT: Final = "X-Caught-At"
_FROM: Final = "X-Caught-From"
_TO: Final = "X-Caught-To"


@dataclass(frozen=True)
class Mail:
    """One caught mail."""

    id: str
    message: EmailMessage

    @property
    def at(self) -> str:
        """When it was caught, in UTC."""
        return str(self.message[_AT])

    @property
    def sender(self) -> str:
        """Who sent it, by the envelope."""
        return str(self.message[_FROM])

    @property
    def recipients(self) -> list[str]:
        """Who gets it, by the envelope; blind copies included."""
        return str(self.message[_TO]).split(", ")

    @property
    def subject(self) -> str:
        """Its subject, or an empty text."""
        return str(self.message["Subject"] or "")

    @property
    def headers(self) -> dict[str, str]:
        """What the sender wrote above the text."""
        ours = {_AT, _FROM, _TO}
        return {name: str(value) for name, value in self.message.items() if name not in ours}

    @property
    def text(self) -> str:
        """The plain part, or an empty text."""
        return self._body("plain")

    @property
    def html(self) -> str:
        """The HTML part, or an empty text."""
        return self._body("html")

    def attachments(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Yield every other part: what it is, and its bytes.

        `content` is the text of text parts and base64 of all others; `encoding` says which.
        """
        bodies = [self.message.get_body((kind,)) for kind in ("plain", "html")]
        for part in self.message.walk():
            if part.is_multipart() or any(part is body for body in bodies):
                continue
            payload = part.get_payload(decode=True)
            data = payload if isinstance(payload, bytes) else b""
            is_text = part.get_content_maintype() == "text"
            yield (
                {
                    "filename": part.get_filename() or f"part.{part.get_content_subtype()}",
                    "content_type": part.get_content_type(),
                    "size": len(data),
                    "encoding": "text" if is_text else "base64",
                    "content": data.decode(part.get_content_charset("utf-8"), "replace")
                    if is_text
                    else base64.b64encode(data).decode(),
                },
                data,
            )

    def as_json(self) -> dict[str, Any]:
        """Return all of it, for programs."""
        return {
            "id": self.id,
            "at": self.at,
            "from": self.sender,
            "to": self.recipients,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "headers": self.headers,
            "attachments": [facts for facts, _ in self.attachments()],
        }

    def _body(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        content = str(part.get_content()) if part is not None else ""
        return content.replace("\r\n", "\n")  # as it was before it travelled


class Mailbox:
    """The mails of one folder, oldest first. They survive a restart."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._count = itertools.count()
        self._mails = {path.stem: _read(path) for path in sorted(folder.glob("*.eml"))}

    def add(self, sender: str | None, recipients: Sequence[str], content: bytes) -> Mail:
        """Keep a mail as it came."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        envelope = f"{_AT}: {now}\r\n{_FROM}: {sender or ''}\r\n{_TO}: {', '.join(recipients)}\r\n"
        path = self._folder / f"{time.time_ns()}-{next(self._count)}.eml"
        path.write_bytes(envelope.encode() + content)
        with self._lock:
            self._mails[path.stem] = _read(path)
            return self._mails[path.stem]

    def all(self) -> list[Mail]:
        """Every mail, oldest first."""
        with self._lock:
            return list(self._mails.values())

    def find(self, mail_id: str) -> Mail | None:
        """One mail, or None."""
        with self._lock:
            return self._mails.get(mail_id)

    def clear(self) -> None:
        """Throw all of them away."""
        with self._lock:
            for mail_id in self._mails:
                (self._folder / f"{mail_id}.eml").unlink(missing_ok=True)
            self._mails.clear()


def _read(path: Path) -> Mail:
    message = message_from_bytes(path.read_bytes(), EmailMessage, policy=policy.default)
    return Mail(path.stem, message)
