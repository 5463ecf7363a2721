"""Makers with defaults: how far a first visit has come, each by the service's own steps."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

from flask import current_app
from sqlalchemy import ScalarResult, Select, delete, select, update

from booking_service.clock import utc_now
from booking_service.db import db, locked, transaction
from booking_service.languages import Language
from booking_service.models import (
    Actor,
    ActorKind,
    Booking,
    BookingKind,
    BookingStatus,
    Payment,
    Plan,
    Practitioner,
    Refund,
    Tender,
    TimeOff,
)
from booking_service.queries import availability
from booking_service.services import (
    agreements,
    checkout,
    first_payments,
    follow_ups,
    holds,
    memberships,
    orders,
    patients,
    visit_steps,
)
from booking_service.services.agreements import Ground, Signing
from booking_service.services.memberships import Tendered
from booking_service.services.patient_details import PatientDetails, read_details

PRIYA = Actor(ActorKind.STAFF, None, "Priya Shah")
HALF_AN_HOUR = timedelta(minutes=30)
MONTHS = timedelta(days=100)


def free_slot(nth: int = 0) -> availability.Slot:
    return availability.soonest(nth + 1)[nth]


def slot_in(hours: float) -> availability.Slot:
    """The first free time at least so many hours from now."""
    earliest = utc_now() + timedelta(hours=hours)
    return next(slot for slot in availability.soonest(2000) if slot.starts_at >= earliest)


def hold(slot: availability.Slot | None = None, lifetime: timedelta = HALF_AN_HOUR) -> UUID:
    slot = slot or free_slot()
    return holds.place(slot.practitioner_id, slot.starts_at, lifetime, None)


def details(
    name: str = "Dana Whitfield",
    email: str = "dana@example.com",
    phone: str = "518 555 0178",
    booked_by: str | None = None,
) -> PatientDetails:
    return read_details(name, email, phone, booked_by=booked_by)


def at_stripe(
    slot: availability.Slot | None = None,
    *,
    save_card: bool = True,
    texts: bool = False,
    lifetime: timedelta = HALF_AN_HOUR,
    language: Language = Language.EN,
    **person: str,
) -> Payment:
    """A held time whose patient was sent to Stripe's page."""
    booking_id = hold(slot, lifetime)
    patients.set_details(booking_id, details(**person), lifetime)
    consent = orders.Consent(1, language, "203.0.113.9", "a browser", save_card, texts)
    extensions = current_app.extensions
    checkout.start(booking_id, consent, extensions["gateway"], extensions["links"], lifetime)
    return payment_of(booking_id)


def paid(stripe, *, card: str = "4242424242424242", **more) -> SimpleNamespace:
    """A confirmed booking, paid by card."""
    payment = at_stripe(**more)
    assert stripe.pay(payment.stripe_checkout_session_id, card).status_code == 200
    checkout.confirm(payment.stripe_checkout_session_id, current_app.extensions["gateway"])
    return SimpleNamespace(booking_id=payment.booking_id, payment=payment_of(payment.booking_id))


def lost_time(stripe, gateway) -> tuple[Payment, SimpleNamespace]:
    """Somebody who paid for the first free time when it was taken, and who has it."""
    slot = free_slot()
    late = at_stripe(slot)
    change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
    winner = paid(stripe, slot=slot, name="Robin Hale", email="robin@example.com")
    stripe.pay(late.stripe_checkout_session_id)
    checkout.confirm(late.stripe_checkout_session_id, gateway)
    return payment_of(late.booking_id), winner


def in_treatment(stripe, **more) -> SimpleNamespace:
    """A patient who is here, and whose treatment began."""
    visit = paid(stripe, **more)
    visit_steps.arrive(visit.booking_id, PRIYA)
    visit_steps.begin_treatment(visit.booking_id, PRIYA)
    return visit


def no_show(visit: SimpleNamespace) -> None:
    """Let the time of a visit pass, and note that nobody came."""
    now = utc_now()
    change(Booking, visit.booking_id, starts_at=now - timedelta(minutes=15), ends_at=now)
    visit_steps.mark_no_show(visit.booking_id, PRIYA)


def signing(plan_name: str = "Corrective", **changes) -> Signing:
    """What a patient sends who reads the sample agreement and signs for a plan."""
    chosen = plan(plan_name)
    sent = {
        "plan_id": chosen.id,
        "price_cents": chosen.price_cents,
        "version": 1,
        "language": Language.EN,
        "name": "Dana Whitfield",
        "address": "203.0.113.9",
        "user_agent": "a phone",
    }
    return Signing(**(sent | changes))


def signed(booking_id: UUID, plan_name: str = "Corrective", **changes) -> UUID:
    """The patient of a visit has signed for a plan on their own phone."""
    return agreements.sign(booking_id, signing(plan_name, **changes))


def converted(stripe, tendered: Tendered | None = None, **more) -> SimpleNamespace:
    """A patient whom the desk made a member, with nothing left to undo."""
    visit = in_treatment(stripe, **more)
    visit.membership_id, _ = memberships.convert(
        visit.booking_id,
        plan().id,
        tendered or Tendered(Tender.SAVED_CARD),
        PRIYA,
        timedelta(0),
        agreement=Ground.PAPER,
    )
    return visit


def member(stripe, **more) -> SimpleNamespace:
    """A patient whose membership runs, paid for at the desk, and whose first visit is over."""
    visit = converted(stripe, Tendered(Tender.RECORDED, "R-1"), **more)
    with transaction() as session:
        first_payments.activate(session, visit.membership_id, None)
    visit_steps.complete(visit.booking_id, PRIYA)
    return visit


def follow_up(member: SimpleNamespace, days: float = 7, actor: Actor = PRIYA) -> UUID:
    """A visit that a plan includes, at the first free time so many days from now."""
    slot = follow_up_slot(days)
    return follow_ups.book(member.membership_id, slot.practitioner_id, slot.starts_at, actor)


def follow_up_slot(days: float = 7) -> availability.Slot:
    """The first time a follow-up fits into, so many days from now."""
    earliest = utc_now() + timedelta(days=days)
    zone = availability.the_practice().zone
    listed = availability.free_days(earliest.astimezone(zone).date(), 7, kind=BookingKind.FOLLOW_UP)
    return next(slot for day in listed for slot in day.slots if slot.starts_at >= earliest)


def plan(name: str = "Corrective") -> Plan:
    return db.session.scalars(select(Plan).where(Plan.name == name)).one()


def afresh(query: Select) -> ScalarResult:
    """Read what is in the database now: a rollback alone forgets nothing that was committed."""
    db.session.rollback()
    return db.session.scalars(query.execution_options(populate_existing=True))


def payment_of(booking_id: UUID) -> Payment:
    return afresh(select(Payment).where(Payment.booking_id == booking_id)).one()


def booking(booking_id: UUID) -> Booking:
    return afresh(select(Booking).where(Booking.id == booking_id)).one()


def refunds() -> list[Refund]:
    return list(afresh(select(Refund).order_by(Refund.requested_at)))


def later(at: datetime, **span: float) -> datetime:
    return at + timedelta(**span)


def all_of(model) -> list:
    """Every row of a kind, read afresh."""
    return list(afresh(select(model)))


def change(model, id_: UUID, **facts) -> None:
    """Put a row where no step of the service would, or not yet."""
    with transaction() as session:
        row = locked(session, model, id_)
        for name, fact in facts.items():
            setattr(row, name, fact)


def visit_of(person: str, stripe, nth: int = 0, **more) -> SimpleNamespace:
    """Pay for one of several patients' visits; nobody's details are another's."""
    first = person.split(maxsplit=1)[0].lower()
    more.setdefault("email", f"{first}@example.com")
    more.setdefault("phone", f"518 555 {sum(map(ord, person)) % 9000 + 1000}")
    more.setdefault("slot", free_slot(nth))
    return paid(stripe, name=person, **more)


def only_time(slot: availability.Slot) -> None:
    """Close the practice but for one time of one practitioner."""
    with transaction() as session:
        session.execute(
            update(Practitioner)
            .where(Practitioner.id != slot.practitioner_id)
            .values(is_bookable=False)
        )
        for span in ((slot.starts_at - MONTHS, slot.starts_at), (slot.ends_at, utc_now() + MONTHS)):
            session.add(TimeOff(starts_at=span[0], ends_at=span[1], reason="Closed"))


def close_all() -> None:
    """Close the practice for as long as it can be booked."""
    with transaction() as session:
        closed = {"starts_at": utc_now() - MONTHS, "ends_at": utc_now() + MONTHS}
        session.add(TimeOff(**closed, reason="Closed"))


def open_again() -> None:
    """Take every closure back."""
    with transaction() as session:
        session.execute(delete(TimeOff))
