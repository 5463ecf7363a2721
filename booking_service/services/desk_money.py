"""Money in the desk's hands: paying back what was paid there, and counting what was taken."""

from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from booking_service.clock import day_bounds, utc_now
from booking_service.db import transaction
from booking_service.errors import FieldError, Invalid, NotAllowed
from booking_service.models import (
    Actor,
    Case,
    CaseAction,
    CaseStatus,
    CaseType,
    DeskCount,
    Payment,
    PaymentTender,
    Practice,
    Refund,
    SettlementMethod,
)
from booking_service.services import audit, ledger, resolutions
from booking_service.services.resolutions import Facts

_SAME_WAY: Final = {
    PaymentTender.CASH: SettlementMethod.CASH,
    PaymentTender.TERMINAL: SettlementMethod.TERMINAL,
}


def pay_back(booking_id: UUID, reference: str, actor: Actor) -> None:
    """Write down that the desk paid a first visit back, the way it was paid.

    All of what is owed, and nobody types an amount; up to $100.00 it is settled by that.

    Args:
        booking_id: the visit.
        reference: the number of the receipt, or the terminal's reference.
        actor: who paid it back.

    Raises:
        Invalid: there is no reference.
        NotAllowed: nothing is owed at the desk, or somebody has paid it back already.
    """
    with transaction() as session:
        found = session.execute(
            select(Case.id, Payment.tender)
            .join(Refund, Refund.id == Case.subject_id)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(
                Payment.booking_id == booking_id,
                Case.type == CaseType.DESK_PAYOUT,
                Case.status == CaseStatus.OPEN,
            )
        ).first()
    if found is None:
        raise NotAllowed("Nothing of this visit has to be paid back at the desk now.")
    facts = Facts(method=_SAME_WAY[found.tender], reference=reference)
    resolutions.resolve_by(found.id, CaseAction.SETTLE, actor, facts)


def count(day: date, counted_cents: int, note: str, actor: Actor) -> None:
    """Write down what the drawer and the card slips of a day come to.

    Counting again is another row, and the newest one counts.

    Args:
        day: on the practice's calendar.
        counted_cents: cash less the float, and card slips.
        note: what explains a difference.
        actor: who counted.

    Raises:
        Invalid: it is not what was written down, and nothing explains why.
    """
    with transaction() as session:
        expected = _taken_on(session, day)
        if counted_cents != expected and not note.strip():
            detail = "Say what explains the difference."
            raise Invalid(FieldError("note", "missing", detail))
        counted = DeskCount(
            day=day,
            counted_cents=counted_cents,
            expected_cents=expected,
            note=note.strip(),
            counted_at=utc_now(),
            counted_by_id=actor.id,
            counted_by=actor.name,
        )
        session.add(counted)
        session.flush()
        cents = {"counted": counted_cents, "expected": expected}
        audit.record(session, actor, "desk.counted", counted.id, **cents)


def _taken_on(session: Session, day: date) -> int:
    zone = session.scalars(select(Practice)).one().zone
    return ledger.taken_at_the_desk(session, *day_bounds(day, zone))
