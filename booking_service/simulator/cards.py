"""The test cards (https://docs.stripe.com/testing). Only the last four digits are ever kept."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from booking_service.simulator.errors import StripeError, declined

_DECLINED: Final = "Your card was declined."


@dataclass(frozen=True)
class Card:
    """What a test card does: `declines` at once, `declines_later` once saved, `refund` its way.

    `authenticates` is when its holder must confirm a payment: "always", or "until_set_up".
    `dispute` is how a paid charge is disputed: the status and the reason it begins with.
    """

    brand: str
    last4: str
    declines: str = ""
    declines_later: str = ""
    refund: str = "succeeds"  # or "pends" or "fails"
    authenticates: str = ""
    dispute: str = ""
    is_available_at_once: bool = False


@dataclass(frozen=True)
class Entered:
    """A card as someone typed it on the pay page, with the number already forgotten."""

    card: Card
    exp_month: int
    exp_year: int


CARDS: Final = {
    "4242424242424242": Card("visa", "4242"),
    "5555555555554444": Card("mastercard", "4444"),
    "4000000000000002": Card("visa", "0002", declines="generic_decline"),
    "4000000000009995": Card("visa", "9995", declines="insufficient_funds"),
    "4000000000000341": Card("visa", "0341", declines_later="generic_decline"),
    "4000000000007726": Card("visa", "7726", refund="pends"),
    "4000000000005126": Card("visa", "5126", refund="fails"),
    "4000002500003155": Card("visa", "3155", authenticates="until_set_up"),
    "4000002760003184": Card("visa", "3184", authenticates="always"),
    "4000000000000259": Card("visa", "0259", dispute="needs_response fraudulent"),
    "4000000000002685": Card("visa", "2685", dispute="needs_response product_not_received"),
    "4000000000001976": Card("visa", "1976", dispute="warning_needs_response fraudulent"),
    "4000000000000077": Card("visa", "0077", is_available_at_once=True),
}
TOKENS: Final = {  # Stripe's names for test cards that never were typed
    "pm_card_visa": "4242",
    "pm_card_mastercard": "4444",
    "pm_card_visa_chargeDeclined": "0002",
    "pm_card_chargeDeclined": "0002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "9995",
    "pm_card_chargeDeclinedInsufficientFunds": "9995",
    "pm_card_chargeCustomerFail": "0341",
    "pm_card_pendingRefund": "7726",
    "pm_card_refundFail": "5126",
    "pm_card_authenticationRequiredOnSetup": "3155",
    "pm_card_authenticationRequired": "3184",
    "pm_card_createDispute": "0259",
    "pm_card_createDisputeProductNotReceived": "2685",
    "pm_card_createDisputeInquiry": "1976",
    "pm_card_bypassPending": "0077",
}
_BY_LAST4: Final = {card.last4: card for card in CARDS.values()}
_LONGEST: Final = 19


def by_last4(last4: str) -> Card:
    """Return the behaviour of a saved card."""
    return _BY_LAST4[last4]


def by_token(token: str) -> Entered | None:
    """Return the test card Stripe calls so, e.g. `pm_card_visa`; None if there is none."""
    last4 = TOKENS.get(token)
    return Entered(_BY_LAST4[last4], 12, datetime.now(UTC).year + 4) if last4 else None


def read(number: str, expiry: str = "12 / 40", cvc: str = "123") -> Entered:
    """Read a card as typed; `expiry` is month and year.

    Raises:
        StripeError: 402, with Stripe's code for what is wrong with it.
    """
    digits = re.sub(r"[\s-]", "", number)
    if not re.fullmatch(r"\d{12,19}", digits) or not _passes_luhn(digits):
        raise _unusable("incorrect_number", "Your card number is incorrect.")
    month, year = _read_expiry(expiry)
    if not re.fullmatch(r"\d{3,4}", cvc.strip()):
        raise _unusable("invalid_cvc", "Your card's security code is invalid.")
    if digits not in CARDS:
        message = f"{_DECLINED} Only test cards are known here."
        raise declined("test_mode_live_card", message)
    return Entered(CARDS[digits], month, year)


def refuse(decline_code: str) -> StripeError:
    """Return the bank's refusal."""
    if decline_code == "insufficient_funds":
        return declined(decline_code, "Your card has insufficient funds.")
    if decline_code == "authentication_required":
        message = f"{_DECLINED} This transaction requires authentication."
        return declined(decline_code, message, "authentication_required")
    return declined(decline_code, _DECLINED)


def unauthenticated() -> StripeError:
    """Return the refusal after the card's holder failed to confirm that it is them."""
    message = "The provided PaymentMethod has failed authentication. You can provide "
    message += (
        "payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent "
    )
    return StripeError(f"{message}again.", status=402, code="payment_intent_authentication_failure")


def _read_expiry(expiry: str) -> tuple[int, int]:
    found = re.fullmatch(r"\s*(\d{1,2})\s*[/-]\s*(\d{2}|\d{4})\s*", expiry)
    month, year = (int(found[1]), int(found[2]) % 100 + 2000) if found else (0, 0)
    if not 1 <= month <= 12:  # noqa: PLR2004 - months
        raise _unusable("invalid_expiry_month", "Your card's expiration month is invalid.")
    today = datetime.now(UTC)
    if (year, month) < (today.year, today.month):
        raise _unusable("invalid_expiry_year", "Your card's expiration year is in the past.")
    return month, year


def _unusable(code: str, message: str) -> StripeError:
    return StripeError(message, status=402, type_="card_error", code=code)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0  # noqa: PLR2004 - Luhn's digits
