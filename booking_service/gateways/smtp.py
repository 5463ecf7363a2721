"""The mailer over SMTP."""

import smtplib
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Final
from urllib.parse import unquote, urlsplit

from booking_service.db import leave_for_the_network
from booking_service.errors import MailUnavailable, MessageRefused
from booking_service.gateways.mail import Letter

_TIMEOUT_SECONDS: Final = 10
_PERMANENT: Final = 500  # RFC 5321: from here on a reply says not to try again


class SmtpMailer:
    """Sends each letter over a connection of its own."""

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._address = parseaddr(sender)[1]  # the practice's own name goes in front

    def send(self, letter: Letter) -> None:
        """See Mailer."""
        leave_for_the_network()
        try:
            with self._connect() as server:
                server.send_message(self._compose(letter))
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            code = _reply(error)
            if code >= _PERMANENT:
                raise MessageRefused(str(code)) from error
            raise MailUnavailable(str(code)) from error
        # Whatever else is refused is about us, not about the letter: a person must mend it.
        except (OSError, smtplib.SMTPException) as error:
            raise MailUnavailable(type(error).__name__) from error

    def _connect(self) -> smtplib.SMTP:
        kind = smtplib.SMTP_SSL if self._url.scheme == "smtps" else smtplib.SMTP
        server = kind(self._url.hostname or "", self._url.port or 0, timeout=_TIMEOUT_SECONDS)
        try:
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except BaseException:
            server.close()
            raise
        return server

    def _compose(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["Message-ID"] = letter.message_id
        message["Date"] = formatdate()
        message["From"] = Address(letter.sender_name, addr_spec=self._address)
        message["To"] = letter.to
        message["Reply-To"] = letter.reply_to
        message["Subject"] = letter.subject
        message.set_content(letter.text)
        message.add_alternative(letter.html, subtype="html")
        if letter.calendar is not None:
            message.add_attachment(
                letter.calendar, maintype="text", subtype="calendar", filename="visit.ics"
            )
        return message


def _reply(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> int:
    """Return the code a server answered with; a letter has one recipient."""
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code
    [(code, _)] = error.recipients.values()
    return code
