"""What callers send, field by field. Anything else is refused."""

import re
from datetime import date
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from booking_service.api.fields import Day, Instant, Sent, Text
from booking_service.languages import Language
from booking_service.models import (
    CaseAction,
    CaseType,
    PaymentTender,
    RefundReason,
    RefundStatus,
    SettlementMethod,
    Tender,
)

_MOST_DAYS: Final = 62
_MOST_ITEMS: Final = 200
_MONTH: Final = {
    "type": "string",
    "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$",
    "examples": ["2026-11"],
}


def _month(text: str) -> date:
    if not re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise PydanticCustomError("not_a_month", "Give a month like 2026-11.")
    return date.fromisoformat(f"{text}-01")


class Key(Sent):
    """The header that makes a POST safe to repeat."""

    idempotency_key: str = Field(
        default="",
        alias="Idempotency-Key",
        max_length=255,
        description="The same key with the same body gets the first answer again, for 24 hours.",
    )


class SlotsQuery(Sent):
    """Which days, and whose."""

    from_: Day | None = Field(default=None, alias="from", description="The first day; today.")
    days: int = Field(default=14, ge=1, le=_MOST_DAYS)
    practitioner: UUID | None = None


class TokenQuery(Sent):
    """What the patient's own link ends with."""

    token: Text = Field(max_length=500)


class PatientSent(Sent):
    """Who is coming. The texts are read like those of the booking page."""

    name: str
    email: str
    phone: str


class BookingSent(Sent):
    """A first visit to book."""

    practitioner_id: UUID
    starts_at: Instant
    patient: PatientSent
    booked_by: str | None = Field(
        default=None,
        description="The name of whoever books for the patient, whose e-mail and phone are given.",
    )
    accept_terms_version: int = Field(
        ge=1, le=2**31 - 1, description="The version that was shown, as GET /offer tells it."
    )
    save_card: bool = Field(
        default=False, description="The patient agrees to keep the card for a membership."
    )
    sms_opt_in: bool = Field(
        default=False,
        description="The patient agrees to two text messages on the day of the visit: a reminder, "
        "and the link to the membership agreement when treatment begins.",
    )
    locale: Language = Field(
        default=Language.EN,
        description="The language the patient was shown the terms in, and is written to in.",
    )
    source: Text | None = Field(
        default=None, max_length=100, description="Which button or article. Nothing personal."
    )


class RescheduleSent(Sent):
    """Another time for a visit, one of those GET /slots lists."""

    practitioner_id: UUID
    starts_at: Instant


class StepSent(Sent):
    """When a step of a visit was, if it is noted later. The body may be left out."""

    at: Instant | None = Field(
        default=None, description="Now, when it is left out. On the visit's local day, not later."
    )


class DeskPaymentSent(Sent):
    """How the desk was paid."""

    tender: PaymentTender = Field(description="cash, or terminal for the desk's own card terminal.")
    reference: Text = Field(min_length=1, max_length=64, description="The receipt's number.")


class WalkInSent(Sent):
    """A first visit of today, paid at the desk."""

    practitioner_id: UUID
    starts_at: Instant | None = Field(default=None, description="Now, when it is left out.")
    patient: PatientSent
    payment: DeskPaymentSent
    accept_terms_version: int = Field(
        ge=1, le=2**31 - 1, description="The version that the patient was shown."
    )


class PaymentSent(Sent):
    """How the first month is paid."""

    method: Tender
    reference: Text | None = Field(
        default=None, max_length=64, description="Receipt of a recorded payment."
    )


class ConvertSent(Sent):
    """A membership, decided at the desk."""

    plan_id: UUID
    payment: PaymentSent


class DayQuery(Sent):
    """Which day of the practice's calendar."""

    date: Day | None = Field(default=None, description="Today, when it is left out.")


class RefundsQuery(Sent):
    """Which refunds. Days are the practice's, and both ends count."""

    status: RefundStatus | None = None
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    q: Text = Field(
        default="", max_length=100, description="Part of a name or booking code, or a Stripe id."
    )
    reason: RefundReason | None = None
    cursor: Text | None = Field(default=None, max_length=200)
    limit: int = Field(default=50, ge=1, le=_MOST_ITEMS)


def _goodwill(reason: RefundReason) -> RefundReason:
    if reason is not RefundReason.GOODWILL:
        raise PydanticCustomError("unknown_choice", "Only goodwill is asked for; the rest follows.")
    return reason


class GoodwillSent(Sent):
    """Money to give back that is not owed. Another person approves it."""

    payment_id: UUID
    amount_cents: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="All that is left, when it is left out."
    )
    reason: Annotated[RefundReason, AfterValidator(_goodwill)] = Field(
        json_schema_extra={"enum": ["goodwill"]}
    )
    note: Text = Field(max_length=500, description="Why. No health details.")


class ExceptionsQuery(Sent):
    """Which open exceptions."""

    type: CaseType | None = None
    owner_id: UUID | None = None
    overdue: bool = False
    q: Text = Field(default="", max_length=100, description="A booking code, or a Stripe id.")
    cursor: Text | None = Field(default=None, max_length=200)
    limit: int = Field(default=50, ge=1, le=_MOST_ITEMS)


class ResolveSent(Sent):
    """What to do about an exception: one of its `allowed_actions`."""

    action: CaseAction
    note: Text = Field(
        default="", max_length=500, description="Why. Some actions need it. No health details."
    )
    method: SettlementMethod | None = Field(default=None, description="For `settle`.")
    reference: Text = Field(
        default="",
        max_length=100,
        description="For `settle`: check number, receipt, or the bank's reference.",
    )
    owner_id: UUID | None = Field(default=None, description="For `assign`.")


class MonthQuery(Sent):
    """Which month of the practice's calendar."""

    month: Annotated[date, PlainValidator(_month), WithJsonSchema(_MONTH)]
