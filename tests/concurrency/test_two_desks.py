"""Two desks press two things about one visit at once: as if one had come after the other."""

from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, count
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import select

from booking_service.db import db
from booking_service.errors import BookingServiceError
from booking_service.models import (
    Booking,
    BookingStatus,
    Membership,
    MembershipStatus,
    Payment,
    PaymentTender,
    Practitioner,
    Promise,
    PromiseStatus,
    Refund,
    Tender,
)
from booking_service.queries import state
from booking_service.services import (
    bookings,
    memberships,
    people,
    self_audit,
    visit_steps,
    walk_ins,
)
from booking_service.services.agreements import Ground
from booking_service.services.memberships import Tendered
from booking_service.services.taking_back import take_back
from booking_service.services.walk_ins import DeskPayment
from tests.concurrency.crowd import at_once, plain_read
from tests.factories import PRIYA, afresh, change, details, plan

UNDO = timedelta(seconds=10)
EVENING = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
S = BookingStatus
CURRENT = (MembershipStatus.PENDING, MembershipStatus.ACTIVE, MembershipStatus.PAST_DUE)


def move(booking_id: UUID) -> None:
    seen = db.session.get_one(Booking, booking_id)
    bookings.reschedule(booking_id, seen.practitioner_id, EVENING, PRIYA)


def convert(booking_id: UUID) -> None:
    cash = Tendered(Tender.RECORDED, "R-18")
    memberships.convert(booking_id, plan().id, cash, PRIYA, UNDO, agreement=Ground.PAPER)


def undo(booking_id: UUID) -> None:
    mine = select(Membership.id).where(Membership.booking_id == booking_id)
    memberships.undo(db.session.scalar(mine) or booking_id, PRIYA)  # none: not found


def back(step: BookingStatus):
    return lambda booking_id: take_back(booking_id, step, PRIYA)


# What can be pressed, and what has been pressed before where it is offered.
ACTS = {
    "arrive": lambda id_: visit_steps.arrive(id_, PRIYA),
    "begin": lambda id_: visit_steps.begin_treatment(id_, PRIYA),
    "complete": lambda id_: visit_steps.complete(id_, PRIYA),
    "no_show": lambda id_: visit_steps.mark_no_show(id_, PRIYA),
    "cancel": lambda id_: bookings.cancel(id_, PRIYA),
    "move": move,
    "convert": convert,
    "undo": undo,
    "back_arrive": back(S.ARRIVED),
    "back_begin": back(S.IN_TREATMENT),
    "back_complete": back(S.COMPLETED),
    "back_no_show": back(S.NO_SHOW),
}
BEFORE = {
    "arrive": [],
    "begin": ["arrive"],
    "complete": ["arrive", "begin"],
    "no_show": [],
    "cancel": [],
    "move": [],
    "convert": ["arrive", "begin"],
    "undo": ["arrive", "begin", "convert"],
    "back_arrive": ["arrive"],
    "back_begin": ["arrive", "begin"],
    "back_complete": ["arrive", "begin", "complete"],
    "back_no_show": ["no_show"],
}
PAIRS = list(combinations_with_replacement(ACTS, 2))


@pytest.fixture
def today(app, seeded, noon):
    """Makes visits of today, each of another patient, at a time of its own."""
    numbers = count()
    doctor = db.session.scalars(select(Practitioner.id).limit(1)).one()

    def make(acts: list[str], *, is_past: bool) -> UUID:
        number = next(numbers)
        at = noon + timedelta(hours=-1 if is_past else 2)
        who = details(f"Patient {number}", f"p{number}@example.com", f"518 555 {number + 1000}")
        receipt = DeskPayment(PaymentTender.CASH, f"R-{number}", 1)
        booking_id = walk_ins.book((doctor, at), who, receipt, PRIYA)
        for act in acts:
            ACTS[act](booking_id)
        return booking_id

    def park(booking_id: UUID) -> None:
        """Free the time for the next visit."""
        at = noon - timedelta(days=2 + next(numbers))
        change(Booking, booking_id, starts_at=at, ends_at=at + timedelta(minutes=45))

    make.park = park
    return make


def press(act: str, booking_id: UUID) -> str:
    """What a desk is told."""
    try:
        ACTS[act](booking_id)
    except BookingServiceError as refused:
        return refused.code
    return "done"


def told(answer: object) -> str:
    """What a desk was told; anything that is not a refusal of ours is a page of our fault."""
    if isinstance(answer, BaseException):
        raise answer
    return str(answer)


def outcome(booking_id: UUID) -> tuple:
    """Where a visit, its promise, its memberships and its money stand."""
    db.session.rollback()
    seen = afresh(select(Booking).where(Booking.id == booking_id)).one()
    promise = afresh(select(Promise).where(Promise.booking_id == booking_id)).one()
    joined = afresh(select(Membership).where(Membership.booking_id == booking_id)).all()
    paid = select(Payment.id).where(Payment.booking_id == booking_id).scalar_subquery()
    returned = afresh(select(Refund).where(Refund.payment_id == paid)).all()
    times = (seen.arrived_at, seen.treatment_began_at, seen.completed_at, seen.no_show_at)
    assert len([one for one in joined if one.status in CURRENT]) <= 1
    assert (promise.status is PromiseStatus.LAPSED) <= (seen.status in (S.COMPLETED, S.NO_SHOW))
    assert (promise.treatment_began_at is None) == (seen.treatment_began_at is None)
    return (
        seen.status,
        *[at is not None for at in times],
        seen.moves,
        promise.status,
        sorted(one.status for one in joined),
        sorted(one.reason for one in returned),
    )


def one_after_the_other(make, first: str, second: str, before: list[str], *, is_past: bool):
    """What each was told and what came of it, by who came first."""
    booking_id = make(before, is_past=is_past)
    answers = {first: press(first, booking_id)}
    answers.setdefault(second, "")
    answers[second] = press(second, booking_id)
    found = outcome(booking_id)
    make.park(booking_id)
    return answers, found


def together(app, make, pair: tuple[str, str], before: list[str], *, is_past: bool):
    booking_id = make(before, is_past=is_past)
    db.session.rollback()
    answers = at_once(app, 2, lambda number: press(pair[number], booking_id))
    found = outcome(booking_id)
    make.park(booking_id)
    return dict(zip(pair, map(told, answers), strict=True)), found


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_two_desks_get_what_they_would_have_got_one_after_the_other(app, today, pair):
    is_past = "no_show" in "".join(pair)

    for before in {tuple(BEFORE[act]) for act in pair}:
        made = {"before": list(before), "is_past": is_past}
        orders = [one_after_the_other(today, *order, **made) for order in (pair, pair[::-1])]
        assert together(app, today, pair, **made) in orders

    assert state.state()["ledger"]["balanced"]
    # What a cancelled visit gives back in cash is owed until a person has counted it out.
    cancelled = select(Payment.id).join(Booking).where(Booking.status == S.CANCELLED)
    assert self_audit.doubts(db.session).keys() <= set(afresh(cancelled))


def test_without_the_lock_two_desks_get_what_no_order_gives(app, today, monkeypatch):
    """Both see the treatment: one makes a member of it while the other takes it back."""
    pair, made = ("convert", "back_begin"), {"before": ["arrive", "begin"], "is_past": False}
    orders = [one_after_the_other(today, *order, **made) for order in (pair, pair[::-1])]
    booking_id = today(made["before"], is_past=False)
    both_have_read = Barrier(2)

    def read_together(session, model, id_):
        row = plain_read(session, model, id_)
        if model is Booking:
            both_have_read.wait(timeout=10)
        return row

    for module in (bookings, people):
        monkeypatch.setattr(module, "locked", read_together)
    db.session.rollback()
    answers = at_once(app, 2, lambda number: press(pair[number], booking_id))

    seen = (dict(zip(pair, map(told, answers), strict=True)), outcome(booking_id))
    assert seen not in orders
    assert set(seen[0].values()) == {"done"}
