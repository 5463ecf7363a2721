"""What this service needs from a provider of text messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from booking_service.models import NotificationStatus

# Why a provider refuses a number that answered STOP to it.
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Text:
    """One text message to one phone. News of it comes back under its `id`."""

    id: UUID
    to: str  # E.164
    body: str


@dataclass(frozen=True, slots=True)
class TextNews:
    """What became of a text. `failure_code` is the provider's own."""

    id: UUID
    status: NotificationStatus
    failure_code: str | None


@dataclass(frozen=True, slots=True)
class TextReceived:
    """What somebody wrote to us. `is_answered`: the provider has answered it already."""

    sender: str  # E.164
    body: str
    is_answered: bool


class TextMessages(Protocol):
    """The way out, and the way back."""

    def send(self, text: Text) -> None:
        """Hand a text to the provider, who now tries to deliver it.

        Raises:
            TextUnavailable: it was not taken; trying again may deliver a second copy, because a
                provider of texts does not know one from another.
            MessageRefused: it never will be; `reason` is STOPPED, or the provider's code.
        """
        ...

    def read(
        self, query: str, form: Sequence[tuple[str, str]], headers: Mapping[str, str]
    ) -> TextNews | TextReceived:
        """Read what the provider sent to our address.

        Args:
            query: of the address, as it came.
            form: every field of the body, in any order.
            headers: one of them holds the signature.

        Raises:
            TextSignatureInvalid: it was not the provider, or it makes no sense.
        """
        ...

    def reply(self, body: str | None) -> str:
        """Return what to answer a received text with; None says nothing to the sender."""
        ...
