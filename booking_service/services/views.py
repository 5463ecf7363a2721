"""Noting that a member of staff looked at a patient's record."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from booking_service.db import transaction
from booking_service.models import Actor
from booking_service.services import audit


def note_people(actor: Actor, patient_ids: Sequence[UUID]) -> None:
    """Write down that somebody read patients' names, addresses and numbers."""
    with transaction() as session:
        for patient_id in patient_ids:
            audit.record(session, actor, "patient.view", patient_id)


def note_view(actor: Actor, booking_id: UUID) -> None:
    """Write down that somebody opened a patient's visit. Nothing is changed by looking."""
    with transaction() as session:
        audit.record(session, actor, "booking.view", booking_id)


def note_print(actor: Actor, booking_ids: Iterable[UUID]) -> None:
    """Write down that somebody opened a list to print, for each visit that is on it."""
    with transaction() as session:
        for booking_id in booking_ids:
            audit.record(session, actor, "booking.print", booking_id)
