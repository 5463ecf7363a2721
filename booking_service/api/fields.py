"""Kinds of values that callers send and get."""

import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Final, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

D = TypeVar("D", bound=date)

# Outside these years nobody books, and arithmetic with zones overflows.
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2200
_INSTANT: Final = {
    "type": "string",
    "format": "date-time",
    "examples": ["2026-11-23T14:20:00+00:00"],
}


def _in_our_time(day: D) -> D:
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise PydanticCustomError("out_of_range", "Give a date of this century or the next.")
    return day


def _readable(text: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise PydanticCustomError("control_character", "Leave out control characters.")
    return text


Text = Annotated[str, AfterValidator(_readable)]
Day = Annotated[date, AfterValidator(_in_our_time)]
# Sent with any offset, kept and answered in UTC.
Instant = Annotated[
    AwareDatetime,
    AfterValidator(_in_our_time),
    AfterValidator(lambda at: at.astimezone(UTC)),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema(_INSTANT),
]


class Sent(BaseModel):
    """What a caller sends: exactly these fields, of exactly these types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Answered(BaseModel):
    """What a caller gets."""

    model_config = ConfigDict(from_attributes=True, frozen=True)
