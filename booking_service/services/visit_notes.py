"""Notes of the front desk about a visit."""

from uuid import UUID

from booking_service.clock import utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid, NotFound
from booking_service.models import LONGEST_NOTE, Actor, Booking, VisitNote
from booking_service.services import audit


def write(booking_id: UUID, words: str, actor: Actor) -> None:
    """Keep what somebody at the desk writes about a visit. The audit log has no word of it.

    Raises:
        NotFound: there is no such booking.
        Invalid: it says nothing, or too much.
    """
    words = words.strip()
    if not 0 < len(words) <= LONGEST_NOTE:
        detail = f"Write a note of {LONGEST_NOTE:,} letters or fewer."
        raise Invalid(FieldError("words", "length", detail))
    with transaction() as session:
        if session.get(Booking, booking_id) is None:
            raise NotFound("There is no such visit.")
        note = VisitNote(
            booking_id=booking_id, words=words, written_at=utc_now(), written_by=actor.name
        )
        session.add(note)
        audit.record(session, actor, "booking.note", booking_id)
