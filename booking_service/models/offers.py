"""What is sold: versions of the first-visit offer, and membership plans."""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import CheckConstraint, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base
from booking_service.languages import Language


class OfferTexts(NamedTuple):
    """What an offer says, in one language."""

    language: Language
    includes: list[str]
    promise: str
    terms: str
    terms_hash: str


class Offer(Base):
    """One version of the first-visit offer. The newest is on sale; none is ever edited.

    One without Spanish texts is shown in English to everybody.
    """

    __tablename__ = "offers"
    __table_args__ = (
        CheckConstraint("price_cents > 0", name="price_positive"),
        CheckConstraint(
            "num_nulls(includes_es, promise_es, terms_es, terms_hash_es) IN (0, 4)",
            name="spanish_is_whole",
        ),
    )

    version: Mapped[int] = mapped_column(unique=True)
    price_cents: Mapped[int]
    currency: Mapped[str]
    includes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    promise: Mapped[str]
    terms: Mapped[str]
    terms_hash: Mapped[str]  # SHA-256 of `terms`, hexadecimal
    includes_es: Mapped[list[str] | None] = mapped_column(ARRAY(TEXT))
    promise_es: Mapped[str | None]
    terms_es: Mapped[str | None]
    terms_hash_es: Mapped[str | None]  # of `terms_es`
    published_at: Mapped[datetime]

    def texts(self, language: Language) -> OfferTexts:
        """Return what is shown to somebody who reads this language."""
        includes, promise = self.includes_es, self.promise_es
        terms, terms_hash = self.terms_es, self.terms_hash_es
        if language is Language.ES and includes and promise and terms and terms_hash:
            return OfferTexts(language, includes, promise, terms, terms_hash)
        english = (self.includes, self.promise, self.terms, self.terms_hash)
        return OfferTexts(Language.EN, *english)


ON_SALE: Final = select(Offer).order_by(Offer.version.desc()).limit(1)


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
