"""The test cards (https://docs.stripe.com/testing). Only the last four digits are ever kept."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from booking_service.simulator.errors import StripeError, declined

_DECLINED: Final = "Your card was declined."


@dataclass(frozen=True)
class Card:
    """What a test card does: `declines` at once, `declines_later` once saved, `refund` its way."""

    brand: str
    last4: str
    declines: str = ""
    declines_later: str = ""
    refund: str = "succeeds"  # or "pends" or "fails"


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
}
_BY_LAST4: Final = {card.last4: card for card in CARDS.values()}
_LONGEST: Final = 19


def by_last4(last4: str) -> Card:
    """Return the behaviour of a saved card."""
    return _BY_LAST4[last4]


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
    return declined(decline_code, _DECLINED)


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
