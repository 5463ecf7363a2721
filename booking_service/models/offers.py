"""What is sold: versions of the first-visit offer, and membership plans."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class Offer(Base):
    """One version of the first-visit offer. The newest is on sale; none is ever edited."""

    __tablename__ = "offers"
    __table_args__ = (CheckConstraint("price_cents > 0", name="price_positive"),)

    version: Mapped[int] = mapped_column(unique=True)
    price_cents: Mapped[int]
    currency: Mapped[str]
    includes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    promise: Mapped[str]
    terms: Mapped[str]
    terms_hash: Mapped[str]  # SHA-256 of `terms`, hexadecimal
    published_at: Mapped[datetime]


class Plan(Base):
    """What a member pays for each month."""

    __tablename__ = "plans"
    __table_args__ = (CheckConstraint("price_cents > 0", name="price_positive"),)

    name: Mapped[str]
    price_cents: Mapped[int]  # a month
    visits_a_month: Mapped[int]
    position: Mapped[int]
    is_on_sale: Mapped[bool] = mapped_column(default=True)
    stripe_price_id: Mapped[str | None] = mapped_column(unique=True)
