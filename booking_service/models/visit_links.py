"""Addresses whose visits' links were asked for."""

from sqlalchemy.orm import Mapped, mapped_column

from booking_service.db import Base


class LinkRequest(Base):
    """Somebody asked for the links of an address, known or not; gone a while after the answer.

    Unique, so that an address gets one mail however often it is typed.
    """

    __tablename__ = "link_requests"

    email: Mapped[str] = mapped_column(unique=True)  # lower case
