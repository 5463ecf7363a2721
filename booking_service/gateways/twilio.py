"""Text messages over Twilio's HTTP API, and over whatever speaks like it.

https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/usage/security#validating-requests
"""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import UUID
from xml.sax.saxutils import escape

import requests

from booking_service.db import leave_for_the_network
from booking_service.errors import MessageRefused, TextSignatureInvalid, TextUnavailable
from booking_service.gateways.sms import STOPPED, Text, TextNews, TextReceived
from booking_service.models import NotificationStatus

_SIGNATURE: Final = "X-Twilio-Signature"
_TIMEOUT_SECONDS: Final = 10
_STATUSES: Final[Mapping[str, NotificationStatus]] = {
    "accepted": NotificationStatus.QUEUED,
    "scheduled": NotificationStatus.QUEUED,
    "queued": NotificationStatus.QUEUED,
    "sending": NotificationStatus.QUEUED,
    "sent": NotificationStatus.SENT,
    "delivered": NotificationStatus.DELIVERED,
    "read": NotificationStatus.DELIVERED,
    "undelivered": NotificationStatus.UNDELIVERED,
    "failed": NotificationStatus.FAILED,
    "canceled": NotificationStatus.FAILED,
}
_REFUSALS: Final[Mapping[str, str]] = {"21610": STOPPED}


class TwilioTexts:
    """Sends each text over a connection of its own, and checks who brings news of it."""

    def __init__(self, url: str, our_address: str) -> None:
        """Take the pieces of SMS_URL.

        Args:
            url: twilio://SID:TOKEN@host/?from=+15185550100; twilio+http:// without encryption.
            our_address: where Twilio brings news and received texts to.
        """
        parts = urlsplit(url)
        self._account = unquote(parts.username or "")
        self._token = unquote(parts.password or "")
        self._sender = unquote(parts.query.removeprefix("from="))
        self._our_address = our_address
        scheme = "http" if parts.scheme.endswith("http") else "https"
        host = parts.netloc.rpartition("@")[2]
        self._messages = f"{scheme}://{host}/2010-04-01/Accounts/{self._account}/Messages.json"

    def send(self, text: Text) -> None:
        """See TextMessages."""
        leave_for_the_network()
        form = {
            "From": self._sender,
            "To": text.to,
            "Body": text.body,
            "StatusCallback": f"{self._our_address}?notification={text.id}",
        }
        login = (self._account, self._token)
        try:
            answer = requests.post(self._messages, form, auth=login, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise TextUnavailable(type(error).__name__) from error
        if answer.ok:
            return
        status = answer.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise TextUnavailable(str(status))
        code = _code(answer)
        raise MessageRefused(_REFUSALS.get(code, code))

    def read(
        self, query: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> TextNews | TextReceived:
        """See TextMessages."""
        address = f"{self._our_address}?{query}" if query else self._our_address
        given = headers.get(_SIGNATURE, "").encode()
        if not hmac.compare_digest(signed(self._token, address, form), given):
            raise TextSignatureInvalid("This was not signed with our token.")
        fields = dict(form)
        if "MessageStatus" not in fields:
            if not fields.get("From"):
                raise TextSignatureInvalid("This is neither news nor a text.")
            return TextReceived(fields["From"], fields.get("Body", ""), "OptOutType" in fields)
        try:
            about = UUID(parse_qs(query)["notification"][0])
        except (KeyError, ValueError) as error:
            raise TextSignatureInvalid("This is news of no text of ours.") from error
        # A word we do not know is no news: what the text had come to still holds.
        status = _STATUSES.get(fields["MessageStatus"], NotificationStatus.QUEUED)
        return TextNews(about, status, fields.get("ErrorCode") or None)

    def reply(self, body: str | None) -> str:
        """See TextMessages."""
        message = f"<Message>{escape(body)}</Message>" if body else ""
        return f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'


def signed(token: str, address: str, form: Sequence[tuple[str, str]]) -> bytes:
    """Return Twilio's signature of a request: over the address and the fields by name."""
    text = address + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return b64encode(digest)


def _code(answer: requests.Response) -> str:
    """Return Twilio's error code, or the status where there is none."""
    try:
        code = answer.json()["code"]
    except (ValueError, KeyError, TypeError):
        return str(answer.status_code)
    return str(code)
