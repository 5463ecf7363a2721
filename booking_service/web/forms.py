"""What people send with a form, read into values that make sense or into nothing."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self
from uuid import UUID

from werkzeug.datastructures import MultiDict

from booking_service.errors import FieldError, Invalid
from booking_service.languages import Sentence
from booking_service.models import CaseType, SettlementMethod
from booking_service.queries.availability import Slot
from booking_service.queries.finance import CaseFilter
from booking_service.queries.patient_pages import PartOfDay
from booking_service.services.resolutions import Facts

# Short enough to be a name of an article or a button, too plain to be anything else.
_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# Dollars as people type them: 39, 39.00, $39.00.
DOLLARS: Final = re.compile(r"\$?\s*([0-9]{1,6})(?:\.([0-9]{2}))?")
_LONGEST_NOTE: Final = 500
_LONGEST_REFERENCE: Final = 100
_INSTANT: Final = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, slots=True)
class TimesWanted:
    """Which times an address asks for. What makes no sense in it is left out, not refused."""

    practitioner_id: UUID | None = None
    part: PartOfDay | None = None
    first: date | None = None

    @classmethod
    def read(cls, args: MultiDict[str, str]) -> Self:
        """Read the address."""
        return cls(
            practitioner_id=args.get("doctor", type=UUID),
            part=args.get("part", type=PartOfDay),
            first=args.get("from", type=date.fromisoformat),
        )


@dataclass(frozen=True, slots=True)
class TimesFilter:
    """Which times to list; `first` is between today and the last bookable day."""

    practitioner_id: UUID | None
    part: PartOfDay | None
    first: date

    @classmethod
    def of(cls, wanted: TimesWanted, today: date, horizon_days: int) -> Self:
        """Return the nearest that can be listed today."""
        last = today + timedelta(days=horizon_days)
        first = min(max(wanted.first or today, today), last)
        return cls(wanted.practitioner_id, wanted.part, first)


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
            detail = Sentence("Choose one of the times.")
            raise Invalid(FieldError("slot", "invalid", detail)) from error


def pick_value(slot: Slot) -> str:
    """Return the value of a time's button, as `Pick.read` takes it."""
    return f"{slot.practitioner_id}@{slot.starts_at.astimezone(UTC):{_INSTANT}}"


def read_source(text: str | None) -> str | None:
    """Return which article or button brought the patient, or None when it is anything else."""
    return text if text and _SOURCE.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class GoodwillForm:
    """How much to give back, and why. No amount means all that is left."""

    amount_cents: int | None
    note: str

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Self:
        """Read the form.

        Raises:
            Invalid: the amount is no amount.
        """
        text = form.get("amount", "").strip()
        typed = DOLLARS.fullmatch(text)
        if text and not typed:
            raise Invalid(FieldError("amount", "invalid", "Give an amount like 39.00."))
        cents = int(typed[1]) * 100 + int(typed[2] or 0) if typed else None
        return cls(cents, form.get("note", "")[:_LONGEST_NOTE])


def read_facts(form: MultiDict[str, str]) -> Facts:
    """Read what somebody says with a decision about a case; what is missing is refused later."""
    method = form.get("method", "")
    return Facts(
        note=form.get("note", "")[:_LONGEST_NOTE],
        method=SettlementMethod(method) if method in set(SettlementMethod) else None,
        reference=form.get("reference", "")[:_LONGEST_REFERENCE],
        owner_id=form.get("owner_id", type=UUID),
    )


def read_case_filter(args: MultiDict[str, str], me: UUID | None) -> CaseFilter:
    """Read which cases to list; what cannot be read filters nothing, and the page shows it so."""
    type_, owner = args.get("type", ""), args.get("owner", "")
    return CaseFilter(
        type=CaseType(type_) if type_ in set(CaseType) else None,
        owner_id=me if owner == "mine" else args.get("owner", type=UUID),
        is_nobodys=owner == "nobody",
        is_overdue=args.get("overdue") == "1",
        q=args.get("q", "").strip(),
    )


def read_instant(form: MultiDict[str, str], name: str) -> datetime | None:
    """Read an instant that a page wrote into its form; None when it is not one."""
    try:
        return datetime.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
