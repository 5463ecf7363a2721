"""Signed links: what a patient holds instead of a password.

A link names one booking, or one membership, and one purpose. It cannot be guessed or altered, and a
link for one purpose opens nothing else.
"""

from enum import StrEnum
from hmac import compare_digest
from typing import Final
from uuid import UUID

from itsdangerous import BadSignature, URLSafeSerializer

from booking_service.errors import NotFound
from booking_service.languages import Sentence

_NOT_VALID: Final = Sentence("This link is not valid. Please use the one in your e-mail.")


class Purpose(StrEnum):
    """What a link opens."""

    HOLD = "hold"  # the pages between picking a time and paying
    VISIT = "visit"  # the patient's own page, before and after the visit
    JOIN = "join"  # a membership's page: paying on one's own phone
    WAIT = "wait"  # how a newcomer stops waiting for a time


class Links:
    """Writes and reads the addresses that patients and Stripe are given."""

    def __init__(self, secret_key: str, base_url: str) -> None:
        self._secret_key = secret_key
        self._base_url = base_url

    def token(self, purpose: Purpose, booking_id: UUID) -> str:
        """Return the signed text that stands for a booking in one kind of address.

        For `Purpose.JOIN` it is a membership's id, and so is what `read` returns.
        """
        return str(self._signer(purpose).dumps(booking_id.hex))

    def read(self, purpose: Purpose, token: str) -> UUID:
        """Return the booking a token stands for.

        Raises:
            NotFound: it was altered, made for another purpose, or is no token at all.
        """
        try:
            booking_id = UUID(hex=self._signer(purpose).loads(token))
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise NotFound(_NOT_VALID) from error
        # The last letter has bits that decoding ignores: only the text we wrote will do.
        if not compare_digest(self.token(purpose, booking_id), token):
            raise NotFound(_NOT_VALID)
        return booking_id

    def visit(self, booking_id: UUID) -> str:
        """Return the address of a patient's own page."""
        return f"{self._base_url}/v/{self.token(Purpose.VISIT, booking_id)}"

    def book(self, source: str) -> str:
        """Return the address of the free times; `source` says what brought the patient there."""
        return f"{self._base_url}/book?src={source}"

    def review(self, booking_id: UUID) -> str:
        """Return the address to come back to when the patient leaves Stripe without paying."""
        return f"{self._base_url}/book/{self.token(Purpose.HOLD, booking_id)}/review"

    def done(self, booking_id: UUID) -> str:
        """Return the address Stripe sends a patient to after paying."""
        return f"{self._base_url}/book/{self.token(Purpose.HOLD, booking_id)}/done"

    def join(self, membership_id: UUID) -> str:
        """Return the address of a membership that is paid for on the patient's phone."""
        return f"{self._base_url}/m/{self.token(Purpose.JOIN, membership_id)}"

    def stop_waiting(self, entry_id: UUID) -> str:
        """Return the address where a newcomer asks for no more mails."""
        return f"{self._base_url}/wait/{self.token(Purpose.WAIT, entry_id)}"

    def _signer(self, purpose: Purpose) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret_key, salt=f"booking:{purpose}")
