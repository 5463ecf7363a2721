"""Patients: the people who book."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import ColumnElement

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
        Index("ix_patients_merged_into", "merged_into_id"),
        CheckConstraint("merged_into_id <> id", name="merged_into_another"),
    )

    name: Mapped[str]
    name_key: Mapped[str]
    email: Mapped[str]  # lower case
    phone: Mapped[str]  # E.164
    locale: Mapped[Language]  # they booked in it, and are written to in it
    erased_at: Mapped[datetime | None]  # asked to be forgotten: the rest says nothing any more
    # The record of this person that counts, when the desk found that there were two.
    merged_into_id: Mapped[UUID | None] = mapped_column(ForeignKey("patients.id"))

    @hybrid_property
    def person_id(self) -> UUID:
        """Whose visits these are: this record, or the one it was merged into."""
        return self.merged_into_id or self.id

    @person_id.inplace.expression
    @classmethod
    def _person_id(cls) -> ColumnElement[UUID]:
        return func.coalesce(cls.merged_into_id, cls.id)
