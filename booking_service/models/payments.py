"""Payments: the first-visit charge of a booking."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from booking_service.db import Base
from booking_service.languages import Sentence
from booking_service.models.bookings import Booking
from booking_service.models.offers import Offer


class PaymentStatus(StrEnum):
    """Whether money was taken."""

    OPEN = "open"  # the patient may still pay
    PAID = "paid"
    EXPIRED = "expired"  # nobody paid, and nobody can any more
    FAILED = "failed"


class PaymentTender(StrEnum):
    """What the first visit was paid with. The money goes back the same way."""

    CARD = "card"
    CASH = "cash"
    TERMINAL = "terminal"  # the desk's own card terminal, not Stripe's


class Payment(Base):
    """The first-visit charge of one booking, in US cents. Once paid it stays paid."""

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint("amount_cents > 0", name="amount_positive"),
        CheckConstraint(
            "status <> 'paid' OR (paid_at IS NOT NULL AND CASE tender WHEN 'card'"
            " THEN stripe_payment_intent_id ELSE reference END IS NOT NULL)",
            name="paid_is_proven",
        ),
        Index("ix_payments_card_last4", "card_last4"),
    )

    booking_id: Mapped[UUID] = mapped_column(ForeignKey("bookings.id"), unique=True)
    offer_id: Mapped[UUID] = mapped_column(ForeignKey("offers.id"))
    status: Mapped[PaymentStatus] = mapped_column(default=PaymentStatus.OPEN)
    amount_cents: Mapped[int]
    currency: Mapped[str]
    tender: Mapped[PaymentTender] = mapped_column(default=PaymentTender.CARD)
    reference: Mapped[str | None]  # the desk's receipt, when it was not paid through Stripe
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    disputed_at: Mapped[datetime | None]  # the bank is asking for it back, and has not decided
    stripe_checkout_session_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    stripe_payment_intent_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_customer_id: Mapped[str | None]
    stripe_payment_method_id: Mapped[str | None]  # only when the patient agreed to keep it
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    fee_cents: Mapped[int | None]

    booking: Mapped[Booking] = relationship(lazy="raise")
    offer: Mapped[Offer] = relationship(lazy="raise")

    @property
    def card(self) -> str:
        """What was paid with, in words a patient knows it by, like "Visa 4242"."""
        if self.tender is not PaymentTender.CARD:
            is_cash = self.tender is PaymentTender.CASH
            return Sentence("cash") if is_cash else Sentence("a card at the desk")
        if not self.card_brand or not self.card_last4:
            return Sentence("Card")
        return Sentence("%(brand)s %(last4)s", brand=self.card_brand.title(), last4=self.card_last4)

    @property
    def way_back(self) -> str:
        """Where the money goes back to, in the same words."""
        return self.card if self.tender is PaymentTender.CARD else Sentence("you at the desk")
