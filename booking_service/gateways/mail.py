"""What this service needs from a mail server."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one person. The same `message_id` marks a copy of the same letter."""

    message_id: str
    to: str
    sender_name: str
    reply_to: str
    subject: str
    text: str
    html: str
    calendar: bytes | None = None  # an iCalendar file


class Mailer(Protocol):
    """The way out."""

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server.

        Raises:
            MailUnavailable: the server did not take it; trying again is safe, and may deliver a
                second copy with the same Message-ID.
            MessageRefused: it never will, because of the letter or of who it is for.
        """
        ...
