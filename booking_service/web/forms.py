"""What patients send with a form, read into values that make sense or into nothing."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self
from uuid import UUID

from werkzeug.datastructures import MultiDict

from booking_service.errors import FieldError, Invalid
from booking_service.queries.availability import Slot
from booking_service.queries.patient_pages import PartOfDay

# Short enough to be a name of an article or a button, too plain to be anything else.
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_INSTANT: Final = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, slots=True)
class TimesFilter:
    """Which times to list. What makes no sense in an address is left out, not refused."""

    practitioner_id: UUID | None
    part: PartOfDay | None
    first: date

    @classmethod
    def read(cls, args: MultiDict[str, str], today: date, horizon_days: int) -> Self:
        """Read the address; `first` stays between today and the last bookable day."""
        first = args.get("from", today, type=date.fromisoformat)
        last = today + timedelta(days=horizon_days)
        return cls(
            practitioner_id=args.get("doctor", type=UUID),
            part=args.get("part", type=PartOfDay),
            first=min(max(first, today), last),
        )


@dataclass(frozen=True, slots=True)
class Pick:
    """The time a patient tapped."""

    practitioner_id: UUID
    starts_at: datetime

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the value of a time's button.

        Raises:
            Invalid: it is none of ours.
        """
        practitioner, _, instant = text.partition("@")
        try:
            starts_at = datetime.strptime(instant, _INSTANT).replace(tzinfo=UTC)
            return cls(UUID(practitioner), starts_at)
        except ValueError as error:
            raise Invalid(FieldError("slot", "invalid", "Choose one of the times.")) from error


def pick_value(slot: Slot) -> str:
    """Return the value of a time's button, as `Pick.read` takes it."""
    return f"{slot.practitioner_id}@{slot.starts_at.astimezone(UTC):{_INSTANT}}"


def read_source(text: str | None) -> str | None:
    """Return which article or button brought the patient, or None when it is anything else."""
    return text if text and _SOURCE.fullmatch(text) else None
