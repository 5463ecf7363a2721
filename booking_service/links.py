"""Signed links: what a patient holds instead of a password.

A link names one booking, or one membership, and one purpose. It cannot be guessed or altered, and a
link for one purpose opens nothing else. The link of a visit names its version, too: a newer one
takes the place of those before it (`queries.visit_links`).
"""

from enum import StrEnum
from hmac import compare_digest
from typing import Final
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer

from booking_service.errors import NotFound
from booking_service.languages import Sentence

FIRST: Final = 0  # the version of a link that was never replaced
_NOT_VALID: Final = Sentence("This link is not valid. Please use the one in your e-mail.")


class Purpose(StrEnum):
    """What a link opens."""

    HOLD = "hold"  # the pages between picking a time and paying
    VISIT = "visit"  # the patient's own page, before and after the visit
    AGREE = "agree"  # reading and signing the membership agreement, while the visit lasts
    JOIN = "join"  # a membership's page: paying on one's own phone
    WAIT = "wait"  # how a newcomer stops waiting for a time


class Links:
    """Writes and reads the addresses that patients and Stripe are given."""

    def __init__(self, secret_key: str, base_url: str) -> None:
        self._secret_key = secret_key
        self._base_url = base_url

    def token(self, purpose: Purpose, booking_id: UUID, version: int = FIRST) -> str:
        """Return the signed text that stands for a booking in one kind of address.

        For `Purpose.JOIN` it is a membership's id, and so is what `read` returns. The link of a
        visit can be replaced, and the one to sign with it; the others end by themselves.
        """
        # The first version is not written out: links stay as short as they were, and valid.
        content = f"{booking_id.hex}.{version}" if version else booking_id.hex
        return str(self._signer(purpose).dumps(content))

    def read(self, purpose: Purpose, token: str) -> tuple[UUID, int]:
        """Return the booking a token stands for, and the version it was made with.

        Raises:
            NotFound: it was altered, made for another purpose, or is no token at all.
        """
        try:
            booking, _, number = self._signer(purpose).loads(token).partition(".")
            booking_id, version = UUID(hex=booking), int(number or FIRST)
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise NotFound(_NOT_VALID) from error
        # The last letter has bits that decoding ignores: only the text we wrote will do.
        if not compare_digest(self.token(purpose, booking_id, version), token):
            raise NotFound(_NOT_VALID)
        return booking_id, version

    def visit(self, booking_id: UUID, version: int) -> str:
        """Return the address of a patient's own page; `version` is the booking's of now."""
        return f"{self._base_url}/v/{self.token(Purpose.VISIT, booking_id, version)}"

    def card(self, booking_id: UUID, version: int) -> str:
        """Return the address where a member gives another card."""
        return f"{self.visit(booking_id, version)}/membership/card"

    def book(self, source: str) -> str:
        """Return the address of the free times; `source` says what brought the patient there."""
        return f"{self._base_url}/book?src={source}"

    def review(self, booking_id: UUID) -> str:
        """Return the address to come back to when the patient leaves Stripe without paying."""
        return f"{self._base_url}/book/{self.token(Purpose.HOLD, booking_id)}/review"

    def done(self, booking_id: UUID) -> str:
        """Return the address Stripe sends a patient to after paying."""
        return f"{self._base_url}/book/{self.token(Purpose.HOLD, booking_id)}/done"

    def agree(self, booking_id: UUID, version: int) -> str:
        """Return the address where a patient signs; `version` is that of the visit's link."""
        return f"{self._base_url}/agree/{self.token(Purpose.AGREE, booking_id, version)}"

    def join(self, membership_id: UUID) -> str:
        """Return the address of a membership that is paid for on the patient's phone."""
        return f"{self._base_url}/m/{self.token(Purpose.JOIN, membership_id)}"

    def stop_waiting(self, entry_id: UUID) -> str:
        """Return the address where a newcomer asks for no more mails."""
        return f"{self._base_url}/wait/{self.token(Purpose.WAIT, entry_id)}"

    def _signer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret_key, salt=f"booking:{purpose}")
