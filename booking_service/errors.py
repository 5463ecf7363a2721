"""Every refusal the service can give: a stable code, a sentence for people, an HTTP status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import ClassVar, Final
from uuid import UUID

from booking_service.languages import Sentence

_JUST_BOOKED: Final = Sentence("That time was just booked. You haven't been charged.")


class BookingServiceError(Exception):
    """A refusal the caller can act on. Anything else that is raised is a bug.

    The message is shown to the person who asked; it never holds personal data.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[HTTPStatus] = HTTPStatus.CONFLICT

    @property
    def headers(self) -> Mapping[str, str]:
        """What an answer over HTTP says beside the words."""
        return {}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one field, and how to mend it."""

    field: str
    code: str
    detail: str


class Invalid(BookingServiceError):
    """Something that was typed or sent does not make sense; `errors` says what and where."""

    code = "invalid"
    status = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors: Sequence[FieldError] = errors


class NotFound(BookingServiceError):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"
    status = HTTPStatus.NOT_FOUND


class LinkReplaced(BookingServiceError):
    """The link was the visit's once; another was sent to its patient since.

    Gone, not "not found": it was ours and will never open anything again. Whoever holds it learns
    no more than they knew, since nobody but us could have signed it.
    """

    code = "link_replaced"
    status = HTTPStatus.GONE


class SlotTaken(BookingServiceError):
    """Somebody else holds or has booked an overlapping time of that practitioner."""

    code = "slot_taken"

    def __init__(
        self,
        practitioner_id: UUID,
        starts_at: datetime,
        sentence: str = _JUST_BOOKED,
    ) -> None:
        super().__init__(sentence)
        self.practitioner_id = practitioner_id
        self.starts_at = starts_at


class TryLater(BookingServiceError):
    """It was asked for too often; after `wait` it can be asked for again."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, sentence: str, wait: timedelta) -> None:
        super().__init__(sentence)
        self.wait = wait

    @property
    def headers(self) -> Mapping[str, str]:
        """When to ask again, in whole seconds, and never "now"."""
        return {"Retry-After": str(int(self.wait.total_seconds()) + 1)}


class RateLimited(TryLater):
    """One client, or one account, asked too often."""

    code = "rate_limited"


class TooManyHolds(TryLater):
    """`most` times are kept for this address or number already, and none of them is paid for."""

    code = "too_many_holds"

    def __init__(self, most: int, wait: timedelta) -> None:
        super().__init__(
            Sentence(
                "You haven't been charged. %(most)s times are already kept for this email or phone "
                "number. Please try again when one of them is paid for or has ended.",
                most=most,
            ),
            wait,
        )
        self.most = most


class HoldEnded(BookingServiceError):
    """The time was kept for a while, nobody paid, and it has been let go."""

    code = "hold_ended"


class NotANewPatient(BookingServiceError):
    """The first-visit offer was used before by this person."""

    code = "not_a_new_patient"


class TermsChanged(BookingServiceError):
    """The offer was changed after the page was shown; it must be read again."""

    code = "terms_changed"


class AgreementChanged(BookingServiceError):
    """Another text of the agreement, or another price, applies than the one that was shown."""

    code = "agreement_changed"


class NotAllowed(BookingServiceError):
    """The record is not in a state from which the asked-for step is possible."""

    code = "not_allowed"


class NotArrived(NotAllowed):
    """A membership with refund needs the patient to be here."""

    code = "not_arrived"


class TreatmentNotBegun(NotAllowed):
    """A membership with refund needs treatment to have begun."""

    code = "treatment_not_begun"


class WindowClosed(NotAllowed):
    """The visit has ended; the refund can only be granted by finance as goodwill."""

    code = "window_closed"


class TooLate(NotAllowed):
    """It could be taken back for a while, and that while is over."""

    code = "too_late"


class NotSigned(NotAllowed):
    """The membership agreement is not signed for this plan."""

    code = "not_signed"


class NoSavedCard(NotAllowed):
    """The patient did not agree to keep a card, so none can be charged."""

    code = "no_saved_card"


class IllegalTransition(NotAllowed):
    """A status may not follow the one the record has."""


class ComparisonUnderWay(NotAllowed):
    """The books are being compared; one comparison at a time is enough."""

    code = "comparison_under_way"


class IdempotencyKeyReused(BookingServiceError):
    """The key was sent before with another body."""

    code = "idempotency_key_reused"


class IdempotencyKeyInUse(BookingServiceError):
    """The first request with this key has not been answered yet."""

    code = "idempotency_key_in_use"


class SignatureInvalid(BookingServiceError):
    """A webhook body was not signed by Stripe with our secret, or too long ago."""

    code = "signature_invalid"
    status = HTTPStatus.BAD_REQUEST


class TextSignatureInvalid(SignatureInvalid):
    """What says to come from the provider of text messages was not signed with our token."""

    status = HTTPStatus.FORBIDDEN


class SignInFailed(BookingServiceError):
    """E-mail and password do not belong together. It never says which was wrong."""

    code = "sign_in_failed"
    status = HTTPStatus.UNAUTHORIZED


class GatewayUnavailable(BookingServiceError):
    """Stripe gave no answer, or a failing one: what was asked may or may not have been done.

    Asking again with the same key is safe.
    """

    code = "stripe_unavailable"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class GatewayBusy(GatewayUnavailable):
    """Stripe did not do it: too many requests, or the same key is at work (429, 409)."""


class GatewayLockedOut(GatewayUnavailable):
    """Stripe does not accept our key (401, 403). Nothing works until a person mends it."""


class GatewayRefused(BookingServiceError):
    """Stripe understood the request and said no. Asking again will not help."""

    def __init__(self, reason: str, message: str, decline_code: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.decline_code = decline_code


class MessageUnavailable(BookingServiceError):
    """A mail or a text was not taken. Trying again is safe."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class MailUnavailable(MessageUnavailable):
    """The mail server did not take a letter."""

    code = "mail_unavailable"


class TextUnavailable(MessageUnavailable):
    """The provider of text messages did not take one."""

    code = "text_unavailable"


class MessageRefused(BookingServiceError):
    """A mail or a text will never be taken: trying again will not help.

    `reason` is the code of the mail server or of the provider.
    """

    code = "message_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
