"""The promise: the $39 goes back if the patient becomes a member and begins treatment."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.errors import IllegalTransition
from booking_service.languages import Language


class PromiseStatus(StrEnum):
    """Where a promise stands."""

    OPEN = "open"  # paid; the visit has not ended
    EARNED = "earned"  # both proofs are there; the money is owed
    SETTLED = "settled"  # the money went back
    LAPSED = "lapsed"  # the visit ended without both proofs, or nobody came
    WAIVED = "waived"  # given up by the patient, or goodwill was granted instead
    VOID = "void"  # the money had gone back already
    BLOCKED = "blocked"  # a dispute is open; finance decides
    BROKEN = "broken"  # Stripe cannot return it; a person pays another way


P = PromiseStatus
_NEXT: Final[Mapping[PromiseStatus, frozenset[PromiseStatus]]] = {
    P.OPEN: frozenset({P.EARNED, P.LAPSED, P.WAIVED, P.VOID}),
    P.EARNED: frozenset({P.SETTLED, P.BLOCKED, P.BROKEN, P.WAIVED, P.VOID}),
    P.BLOCKED: frozenset({P.EARNED, P.SETTLED, P.BROKEN, P.WAIVED, P.VOID}),
    P.BROKEN: frozenset({P.EARNED, P.SETTLED, P.BLOCKED, P.WAIVED, P.VOID}),
    P.SETTLED: frozenset({P.BROKEN}),  # the bank sent it back, days later
    P.LAPSED: frozenset({P.OPEN, P.WAIVED, P.VOID}),  # open: the visit's end was taken back
    P.WAIVED: frozenset(),
    P.VOID: frozenset(),
}


class TermsAcceptance(Base):
    """What a patient agreed to before paying: which text, when, and from where."""

    __tablename__ = "terms_acceptances"

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    offer_id: Mapped[UUID] = mapped_column(ForeignKey("offers.id"))
    language: Mapped[Language]  # of the text that was shown
    terms_hash: Mapped[str]  # of that text
    accepted_at: Mapped[datetime]
    address: Mapped[str]  # the network address it came from
    user_agent: Mapped[str]


class Promise(Base):
    """The refund promise of one paid first visit, under the terms accepted when it was bought."""

    __tablename__ = "promises"
    __table_args__ = (
        CheckConstraint(
            "status NOT IN ('earned', 'settled', 'broken', 'blocked')"
            " OR (member_at IS NOT NULL AND treatment_began_at IS NOT NULL)",
            name="earned_by_both_proofs",
        ),
    )

    payment_id: Mapped[UUID] = mapped_column(ForeignKey("payments.id"), unique=True)
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    status: Mapped[PromiseStatus] = mapped_column(default=PromiseStatus.OPEN)
    opened_at: Mapped[datetime]
    treatment_began_at: Mapped[datetime | None]  # the second proof
    member_at: Mapped[datetime | None]  # the first proof: the first payment has settled
    membership_id: Mapped[UUID | None] = mapped_column(ForeignKey("memberships.id"))
    changed_at: Mapped[datetime]

    def move_to(self, status: PromiseStatus, at: datetime) -> bool:
        """Move to `status` and return whether anything changed.

        Raises:
            IllegalTransition: the promise was kept or ended otherwise before.
        """
        if status is self.status:
            return False
        if status not in _NEXT[self.status]:
            raise IllegalTransition(f"promise {self.id}: {self.status} -> {status}")
        self.status = status
        self.changed_at = at
        return True
