"""Patients: the people who book."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from booking_service.db import Base
from booking_service.languages import Language


def name_key(name: str) -> str:
    """Return a name as it is compared: case and spacing do not make another person."""
    return " ".join(name.casefold().split())


class Patient(Base):
    """A person who has booked at least once. No clinical data is kept here."""

    __tablename__ = "patients"
    __table_args__ = (
        # The same name at the same address is the same person; only then may rows be shared.
        Index("uq_patients_person", "name_key", "email", unique=True),
        Index("ix_patients_phone", "phone"),
        Index("ix_patients_email", "email"),
    )

    name: Mapped[str]
    name_key: Mapped[str]
    email: Mapped[str]  # lower case
    phone: Mapped[str]  # E.164
    locale: Mapped[Language]  # they booked in it, and are written to in it
    erased_at: Mapped[datetime | None]  # asked to be forgotten: the rest says nothing any more
