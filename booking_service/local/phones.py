"""A pocket Twilio: texts go to no phone, but to a page, from which one can answer them.

It speaks as much of Twilio's HTTP API as a practice needs: it takes a message, tells by signed
requests what became of it, and passes on what the phone's owner answers.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

_MESSAGE: Final = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)
_TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True)
class Text:
    """One text, to a phone or from one."""

    id: str
    at: str  # in UTC
    sender: str
    to: str
    body: str
    status: str  # Twilio's word; "received" when a phone sent it
    callback: str  # where news of it goes
    token: str  # signs that news

    @property
    def phone(self) -> str:
        """The number that is not the practice's."""
        return self.sender if self.status == "received" else self.to

    def as_json(self) -> dict[str, str]:
        """Return all of it but the secret, for programs."""
        return {name: value for name, value in asdict(self).items() if name != "token"}


class Phones:
    """The texts of one folder, oldest first. They survive a restart."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock = threading.Lock()
        self._count = itertools.count()
        files = sorted(folder.glob("*.text.json"))
        self._texts = {text.id: text for text in (Text(**json.loads(p.read_text())) for p in files)}

    def all(self) -> list[Text]:
        """Every text, oldest first."""
        with self._lock:
            return list(self._texts.values())

    def find(self, text_id: str) -> Text | None:
        """One text, or None."""
        with self._lock:
            return self._texts.get(text_id)

    def clear(self) -> None:
        """Throw all of them away."""
        with self._lock:
            for text_id in self._texts:
                self._file(text_id).unlink(missing_ok=True)
            self._texts.clear()

    def take(self, token: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Take a message, answer as Twilio does, and deliver it a moment later."""
        text = self._keep(
            sender=form["From"],
            to=form["To"],
            body=form["Body"],
            status="queued",
            callback=form.get("StatusCallback", ""),
            token=token,
        )
        threading.Thread(target=self._deliver, args=(text,), daemon=True).start()
        return {"sid": f"SM{text.id}", "status": text.status, "to": text.to, "body": text.body}

    def answer(self, text: Text, body: str) -> None:
        """Answer a text from its phone, and keep what comes back."""
        phone = text.phone
        number = text.to if phone == text.sender else text.sender
        back = {"callback": text.callback, "token": text.token}
        self._keep(sender=phone, to=number, body=body, status="received", **back)
        address = text.callback.partition("?")[0]
        form = {"From": phone, "To": number, "Body": body, "SmsStatus": "received"}
        for reply in _MESSAGE.findall(_tell(address, text.token, form)):
            words = unescape(reply)
            self._keep(sender=number, to=phone, body=words, status="delivered", **back)

    def _deliver(self, text: Text) -> None:
        for status in ("sent", "delivered"):
            text = self._write(replace(text, status=status))
            if text.callback:
                form = {"MessageSid": f"SM{text.id}", "MessageStatus": status, "To": text.to}
                _tell(text.callback, text.token, form)

    def _keep(self, **facts: str) -> Text:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        id_ = f"{time.time_ns()}-{next(self._count)}"
        return self._write(Text(id=id_, at=now, **facts))

    def _write(self, text: Text) -> Text:
        with self._lock:
            self._file(text.id).write_text(json.dumps(asdict(text)))
            self._texts[text.id] = text
        return text

    def _file(self, text_id: str) -> Path:
        return self._folder / f"{text_id}.text.json"


def _tell(address: str, token: str, form: Mapping[str, str]) -> str:
    """Bring news to the service, signed as Twilio signs it; return what it answered."""
    signed = address + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()
    headers = {"X-Twilio-Signature": base64.b64encode(digest).decode()}
    request = Request(address, urlencode(form).encode(), headers)  # noqa: S310  # of the service
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            body: bytes = answer.read()
    except (URLError, OSError):
        return ""  # the service is down; Twilio does not insist either
    return body.decode()
