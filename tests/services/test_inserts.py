from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from booking_service.db import db, transaction
from booking_service.models import Actor, AuditLink, AuditRow, Booking, BookingStatus
from booking_service.services import audit, holds
from booking_service.services.inserts import insert_together
from tests.factories import HALF_AN_HOUR, all_of, free_slot

ACTIONS = [f"step.{number}" for number in range(5)]
pytestmark = pytest.mark.usefixtures("seeded", "noon")


def write(*slots) -> None:
    """Write holds of these times, and after them some steps."""
    with transaction() as session:
        times = [(slot.practitioner_id, slot.starts_at) for slot in slots]
        bookings = [
            (Booking, holds.row(session, time, HALF_AN_HOUR, source=None)) for time in times
        ]
        subject = uuid4()
        steps = [(AuditRow, audit.row(Actor.system(), action, subject)) for action in ACTIONS]
        insert_together(session, *bookings, *steps)


def test_rows_of_one_statement_are_chained_in_their_order():
    write(free_slot())

    chained = (
        select(AuditRow.action)
        .join(AuditLink, AuditLink.row_id == AuditRow.id)
        .where(AuditRow.action.in_(ACTIONS))
        .order_by(AuditLink.number)
    )
    assert db.session.scalars(chained).all() == ACTIONS


def test_what_a_row_leaves_out_is_the_models_default():
    write(free_slot(), free_slot(5))

    written = all_of(Booking)
    assert [(row.status, row.moves, row.save_card) for row in written] == [
        (BookingStatus.HELD, 0, False)
    ] * 2
    assert len({row.code for row in written}) == 2


def test_when_one_row_is_refused_none_is_written():
    slot = free_slot()

    with pytest.raises(IntegrityError):
        write(slot, slot)

    assert all_of(Booking) == []
    assert not {row.action for row in all_of(AuditRow)} & set(ACTIONS)
