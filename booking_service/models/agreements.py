"""The membership agreement: its texts by version, and who signed which, when and how."""

from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, ForeignKey, Select, UniqueConstraint, exists, select
from sqlalchemy.orm import Mapped, joinedload, mapped_column, relationship

from booking_service.clock import local_day
from booking_service.db import Base
from booking_service.languages import Language
from booking_service.models.bookings import Booking, BookingStatus
from booking_service.models.memberships import ChargeStatus, Membership, MembershipStatus
from booking_service.models.offers import Plan
from booking_service.models.promises import PromiseStatus


class AgreementText(NamedTuple):
    """What an agreement says, in one language."""

    language: Language
    text: str
    text_hash: str


class AgreementVersion(Base):
    """One version of the membership agreement. The newest is signed; the database refuses edits."""

    __tablename__ = "agreement_versions"

    version: Mapped[int] = mapped_column(unique=True)
    text: Mapped[str]
    text_hash: Mapped[str]  # SHA-256 of `text`, hexadecimal
    text_es: Mapped[str]
    text_hash_es: Mapped[str]  # of `text_es`
    published_at: Mapped[datetime]

    def read_in(self, language: Language) -> AgreementText:
        """Return what somebody signs who reads this language."""
        if language is Language.ES:
            return AgreementText(language, self.text_es, self.text_hash_es)
        return AgreementText(language, self.text, self.text_hash)


NEWEST_AGREEMENT: Final = (
    select(AgreementVersion).order_by(AgreementVersion.version.desc()).limit(1)
)


class SignedHow(StrEnum):
    """Where a signature stands."""

    PHONE = "phone"  # typed by the patient, on their own phone
    PAPER = "paper"  # on a sheet the practice keeps; somebody of the staff has seen it


class AgreementSignature(Base):
    """That an agreement was signed at a visit, for one plan at one price. Only ever added to.

    The last of a visit counts: whoever signs for another plan has changed their mind. What tells
    who signed is forgotten with the patient, and is all that the database lets go of.
    """

    __tablename__ = "agreement_signatures"
    __table_args__ = (
        UniqueConstraint("booking_id", "number"),
        CheckConstraint("price_cents > 0", name="price_positive"),
        CheckConstraint(
            "CASE how WHEN 'phone' THEN num_nulls(signed_name, address, user_agent) = 0"
            " AND seen_by IS NULL ELSE num_nonnulls(signed_name, address, user_agent) = 0"
            " AND seen_by IS NOT NULL END",
            name="somebody_answers_for_it",
        ),
    )

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"))
    number: Mapped[int]  # the first of its visit is 1
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plans.id"))
    price_cents: Mapped[int]  # a month, as it was when it was signed
    visits_a_month: Mapped[int]  # of the plan, then
    version_id: Mapped[UUID] = mapped_column(ForeignKey("agreement_versions.id"))
    language: Mapped[Language]  # of the text that was read
    text_hash: Mapped[str]  # of that text
    how: Mapped[SignedHow]
    signed_at: Mapped[datetime]
    signed_name: Mapped[str | None]  # as typed
    address: Mapped[str | None]  # the network address it came from
    user_agent: Mapped[str | None]
    seen_by: Mapped[str | None]  # whoever of the staff saw the paper, by name

    plan: Mapped[Plan] = relationship(lazy="raise")
    version: Mapped[AgreementVersion] = relationship(lazy="raise")

    def is_for(self, plan: Plan) -> bool:
        """Whether it was signed for this plan, at the price it has now."""
        return (self.plan_id, self.price_cents) == (plan.id, plan.price_cents)


def current_signature(booking_id: UUID) -> Select[AgreementSignature]:
    """Ask for the signature of a visit that counts, with its plan and its text."""
    return (
        select(AgreementSignature)
        .where(AgreementSignature.booking_id == booking_id)
        .options(joinedload(AgreementSignature.plan), joinedload(AgreementSignature.version))
        .order_by(AgreementSignature.number.desc())
        .limit(1)
    )


def has_started(patient_id: UUID | None) -> Select[bool]:
    """Ask whether a patient's membership is under way, so that nothing is signed any more.

    After a declined payment it is not: the desk decides anew, maybe for another plan.
    """
    current = (MembershipStatus.PENDING, MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)
    started = exists().where(
        Membership.patient_id == patient_id,
        Membership.status.in_(current),
        Membership.charge_status != ChargeStatus.DECLINED,
    )
    return select(started)


class SigningWindow(StrEnum):
    """Whether an agreement can be signed at a visit."""

    AHEAD = "ahead"  # the patient is not checked in yet
    OPEN = "open"
    OVER = "over"


def signing_window(
    booking: Booking, promise: PromiseStatus | None, zone: ZoneInfo, now: datetime
) -> SigningWindow:
    """Say whether signing is open: from check-in to the end of the visit, or of its local day.

    It is the time in which a membership returns the price of the visit; see
    `services.memberships.convert`.
    """
    is_past = local_day(booking.starts_at, zone) < local_day(now, zone)
    if promise is not PromiseStatus.OPEN or is_past:
        return SigningWindow.OVER
    if booking.status is BookingStatus.CONFIRMED:
        return SigningWindow.AHEAD
    is_visiting = booking.status in (BookingStatus.ARRIVED, BookingStatus.IN_TREATMENT)
    return SigningWindow.OPEN if is_visiting else SigningWindow.OVER
