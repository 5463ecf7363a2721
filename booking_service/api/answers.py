"""What callers get, field by field. Money is integer cents; instants carry their offset."""

from datetime import date
from uuid import UUID

from pydantic import Field

from booking_service.api.fields import Answered, Instant
from booking_service.models import (
    Account,
    BookingStatus,
    CaseAction,
    CaseStatus,
    CaseType,
    ChargeStatus,
    MembershipStatus,
    PaymentStatus,
    PromiseStatus,
    RefundReason,
    RefundStatus,
)


class FieldProblem(Answered):
    """What is wrong with one field, and how to mend it."""

    field: str
    code: str
    detail: str


class Problem(Answered):
    """A refusal (RFC 9457). `code` is stable; `detail` is a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str | None = None
    errors: list[FieldProblem] | None = None


class OfferAnswer(Answered):
    """The first-visit offer on sale."""

    price_cents: int
    currency: str
    includes: list[str]
    promise: str
    terms_version: int
    terms_url: str


class PractitionerAnswer(Answered):
    """A person patients are seen by."""

    id: UUID
    name: str


class SlotAnswer(Answered):
    """A free time."""

    starts_at: Instant
    ends_at: Instant
    practitioner: PractitionerAnswer


class SlotTakenProblem(Problem):
    """Somebody was faster; the nearest times that are free."""

    alternatives: list[SlotAnswer] | None = Field(
        default=None, description="With the code slot_taken."
    )


class DayAnswer(Answered):
    """A day of the practice's calendar."""

    date: date
    slots: list[SlotAnswer]
    closed: str | None = Field(description="Why the practice is closed that day.")


class SlotsAnswer(Answered):
    """Free times by day."""

    timezone: str
    days: list[DayAnswer]


class PlanAnswer(Answered):
    """A membership plan, by the month."""

    id: UUID
    name: str
    price_cents: int
    currency: str
    visits_a_month: int


class PlansAnswer(Answered):
    """Plans on sale."""

    items: list[PlanAnswer]
    count: int
    next_cursor: str | None = None


class HeldAnswer(Answered):
    """A booking that waits for its payment. `token` opens it; keep it secret."""

    id: UUID
    code: str
    status: BookingStatus
    hold_expires_at: Instant
    checkout_url: str
    manage_url: str
    token: str


class PaymentAnswer(Answered):
    """A first-visit payment."""

    status: PaymentStatus
    amount_cents: int


class PromiseAnswer(Answered):
    """The refund promise of a paid first visit."""

    status: PromiseStatus


class BookingRefund(Answered):
    """A refund, as the booking knows it."""

    id: UUID
    reason: RefundReason
    status: RefundStatus
    amount_cents: int


class BookingAnswer(Answered):
    """A booking with its money.

    There is no payment before Stripe's page was opened, and a member's follow-up, which the plan
    includes, has neither payment nor promise at any time.
    """

    id: UUID
    code: str
    status: BookingStatus
    starts_at: Instant
    ends_at: Instant
    practitioner: PractitionerAnswer
    payment: PaymentAnswer | None
    promise: PromiseAnswer | None
    refunds: list[BookingRefund]


class ChargeAnswer(Answered):
    """The first payment of a membership."""

    status: ChargeStatus
    amount_cents: int
    decline_code: str | None


class MembershipDetail(Answered):
    """A membership. Nothing is sent to Stripe before `undo_until`."""

    id: UUID
    status: MembershipStatus
    undo_until: Instant
    payment: ChargeAnswer


class MembershipRefund(Answered):
    """The refund that follows from a membership."""

    id: UUID
    status: RefundStatus
    amount_cents: int


class MembershipAnswer(Answered):
    """A membership and, once it was requested, its refund."""

    membership: MembershipDetail
    refund: MembershipRefund | None
    checkout_url: str | None = Field(
        description="Where the patient pays the first month, with the method checkout_link."
    )


class VisitPatient(Answered):
    """Who is coming."""

    name: str


class VisitAnswer(Answered):
    """A visit on the desk. A member's follow-up has no payment, membership or refund of its own."""

    id: UUID
    code: str
    status: BookingStatus
    starts_at: Instant
    ends_at: Instant
    patient: VisitPatient
    payment: PaymentAnswer | None
    membership: MembershipStatus | None
    refund: RefundStatus | None


class PractitionerDay(Answered):
    """One practitioner's visits of a day, in order."""

    id: UUID
    name: str
    room: str
    visits: list[VisitAnswer]


class DeskDayAnswer(Answered):
    """A day at the desk."""

    date: date
    timezone: str
    count: int
    practitioners: list[PractitionerDay]


class RefundItem(Answered):
    """A refund in a list."""

    id: UUID
    payment_id: UUID
    booking_id: UUID
    code: str = Field(description="The booking's code.")
    patient: str
    reason: RefundReason
    status: RefundStatus
    amount_cents: int
    card: str
    requested_at: Instant
    requested_by: str
    sent_at: Instant | None
    answered_at: Instant | None
    failure_code: str | None
    stripe_refund_id: str | None
    stripe_payment_intent_id: str | None


class RefundsAnswer(Answered):
    """A page of refunds; `count` and `total_cents` are of the whole filter."""

    items: list[RefundItem]
    count: int
    total_cents: int
    next_cursor: str | None


class MomentAnswer(Answered):
    """One step of a refund's story."""

    at: Instant
    what: str
    actor: str | None
    evidence: list[str]


class ProofsAnswer(Answered):
    """Why the money is owed. A promise refund has all of them."""

    terms_version: int | None
    terms_accepted_at: Instant | None
    arrived_at: Instant | None
    treatment_began_at: Instant | None
    member_at: Instant | None
    membership_id: UUID | None


class RefundAnswer(RefundItem):
    """One refund with its timeline, newest first, and its proofs."""

    trace_number: str | None
    note: str | None = Field(description="Why, in the words of who asked for goodwill.")
    approved_by: str | None
    approved_at: Instant | None
    paid_cents: int
    fee_cents: int | None
    promise: PromiseAnswer | None
    proofs: ProofsAnswer
    timeline: list[MomentAnswer]


class ExceptionItem(Answered):
    """Something only a person can put right, and what the caller may do about it."""

    id: UUID
    type: CaseType
    status: CaseStatus
    subject_id: UUID
    refund_id: UUID | None
    detail: str
    amount_cents: int | None
    owner: str | None
    owner_id: UUID | None
    opened_at: Instant
    due_at: Instant
    age_seconds: int
    allowed_actions: list[CaseAction]
    resolution: CaseAction | None
    resolved_by: str | None
    resolved_at: Instant | None
    note: str | None


class ExceptionsAnswer(Answered):
    """A page of open exceptions, most urgent first; `count` and `total_cents` are of them all."""

    items: list[ExceptionItem]
    count: int
    total_cents: int
    next_cursor: str | None


class LineAnswer(Answered):
    """One side of a journal entry: either the debit or the credit is zero."""

    entry_id: UUID
    at: Instant
    account: Account
    debit_cents: int
    credit_cents: int
    subject_id: UUID


class LedgerAnswer(Answered):
    """A month's journal. The lines of every entry balance to zero."""

    items: list[LineAnswer]
    count: int
    next_cursor: str | None = None
