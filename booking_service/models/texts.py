"""Text messages: who may get them."""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base

# Which words a patient agrees to. Count on when those in templates/book/review.html change.
TEXT_CONSENT_VERSION: Final = 2
# From this version on the words name the link to the agreement, too; before, a reminder alone.
NAMES_THE_AGREEMENT: Final = 2


class TextStop(Base):
    """A phone number that answered STOP: no text goes there, whoever gives the number.

    The row outlives a patient who is erased. To forget it would be to text again.
    """

    __tablename__ = "text_stops"

    phone: Mapped[str] = mapped_column(unique=True)  # E.164
    stopped_at: Mapped[datetime]
