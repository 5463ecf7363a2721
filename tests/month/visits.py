"""What happens at a visit: people come or do not, are treated, and become members or do not."""

from datetime import timedelta
from typing import Any

from tests.month.actions import (
    DECLINED_LATER,
    REFUND_FAILS,
    REFUND_PENDS,
    Story,
    Visit,
    visit,
)
from tests.month.clinic import Clinic, Told

_MINUTE = timedelta(minutes=1)
_PRESSES = 12
SAVED_CARD = {"method": "saved_card"}


def press(
    clinic: Clinic, path: str, body: Any = None, *, what: str = "", scope: str = "front_desk"
) -> Story:
    """Press a button until it answers, the desk's or those of another; return the answer."""
    told, token = Told(0), clinic.token(scope) if scope else ""
    for _ in range(_PRESSES):
        told = clinic.ask("POST", f"/api/v1/{path}", body, token=token)
        if told.is_final:
            break
        yield clinic.world.now + 0.3 * _MINUTE
    if told.is_ok and what:
        clinic.remember(what, told.body.get("membership", told.body)["id"])
    return told


def begins(clinic: Clinic, visit_: Visit) -> Story:
    """Arrive and begin treatment; return whether that was possible."""
    random = visit_.patient.random
    yield visit_.starts_at + random.uniform(-8, 6) * _MINUTE
    for step, what in (("arrive", "arrived"), ("begin-treatment", "in_treatment")):
        path = f"bookings/{visit_.booking_id}/{step}"
        told = yield from press(clinic, path, what=what)
        if not told.is_ok:
            return False
        yield clinic.world.now + random.uniform(2, 8) * _MINUTE
    return True


def converts(clinic: Clinic, visit_: Visit, payment: dict[str, str]) -> Story:
    """Make the patient a member; return what the desk was told."""
    body = {"plan_id": clinic.plan_id(), "payment": payment}
    path = f"bookings/{visit_.booking_id}/convert"
    told = yield from press(clinic, path, body)
    if told.is_ok:
        visit_.is_member = True
        clinic.remember("membership", told.body["membership"]["id"], booking=visit_.booking_id)
    return told


def closes(clinic: Clinic, visit_: Visit) -> Story:
    """Close the visit."""
    yield clinic.world.now + visit_.patient.random.uniform(5, 20) * _MINUTE
    yield from press(clinic, f"bookings/{visit_.booking_id}/complete", what="completed")


def _joins(clinic: Clinic, visit_: Visit, payment: dict[str, str]) -> Story:
    if (yield from begins(clinic, visit_)):
        yield from converts(clinic, visit_, payment)
        yield from closes(clinic, visit_)


@visit(weight=38)
def joins(clinic: Clinic, visit_: Visit) -> Story:
    """Arrive, be treated, become a member by saved card."""
    yield from _joins(clinic, visit_, SAVED_CARD)


@visit(weight=8)
def joins_with_cash(clinic: Clinic, visit_: Visit) -> Story:
    """Become a member; the first month is taken at the desk."""
    reference = f"R-{visit_.patient.number}"
    yield from _joins(clinic, visit_, {"method": "recorded", "reference": reference})


@visit(weight=6, card=REFUND_PENDS)
def joins_and_the_refund_is_slow(clinic: Clinic, visit_: Visit) -> Story:
    """Become a member; the refund is pending for days."""
    yield from _joins(clinic, visit_, SAVED_CARD)


@visit(weight=4, card=REFUND_FAILS)
def joins_and_the_refund_bounces(clinic: Clinic, visit_: Visit) -> Story:
    """Become a member; days later the bank sends the refund back."""
    yield from _joins(clinic, visit_, SAVED_CARD)


@visit(weight=5, card=DECLINED_LATER)
def is_declined_then_pays_cash(clinic: Clinic, visit_: Visit) -> Story:
    """The saved card is declined; the desk takes the first month in cash."""
    if not (yield from begins(clinic, visit_)):
        return
    told = yield from converts(clinic, visit_, SAVED_CARD)
    for _ in range(20):
        if not told.is_ok:
            return
        yield clinic.world.now + _MINUTE
        told = clinic.desk("GET", f"/api/v1/memberships/{_id(told)}") if told.is_ok else told
        payment = told.body.get("membership", {}).get("payment", {})
        if payment.get("status") == "declined":
            reference = f"R-{visit_.patient.number}"
            payment = {"method": "recorded", "reference": reference}
            yield from converts(clinic, visit_, payment)
            break
    yield from closes(clinic, visit_)


@visit(weight=5)
def joins_at_two_desks(clinic: Clinic, visit_: Visit) -> Story:
    """Two people at the desk press at the same instant; both see the same membership."""
    if not (yield from begins(clinic, visit_)):
        return
    body = {"plan_id": clinic.plan_id(), "payment": SAVED_CARD}
    told = clinic.desks_at_once(f"/api/v1/bookings/{visit_.booking_id}/convert", [body] * 2)
    for each in told:
        if each.is_ok:
            visit_.is_member = True
            clinic.remember("membership", _id(each), booking=visit_.booking_id)
    yield from closes(clinic, visit_)


@visit(weight=4)
def joins_and_takes_it_back(clinic: Clinic, visit_: Visit) -> Story:
    """The desk presses, and undoes it within ten seconds."""
    if not (yield from begins(clinic, visit_)):
        return
    told = yield from converts(clinic, visit_, SAVED_CARD)
    if told.is_ok:
        yield clinic.world.now + timedelta(seconds=visit_.patient.random.uniform(1, 12))
        undone = clinic.desk("POST", f"/api/v1/memberships/{_id(told)}/undo")
        if undone.is_ok:
            clinic.remember("undone", _id(told))
    yield from closes(clinic, visit_)


@visit(weight=3)
def joins_while_somebody_refunds(clinic: Clinic, visit_: Visit) -> Story:
    """Refund in the dashboard what is about to be sent: it keeps the promise, once."""
    if not (yield from begins(clinic, visit_)):
        return
    told = yield from converts(clinic, visit_, SAVED_CARD)
    if told.is_ok:
        yield clinic.world.now + timedelta(seconds=visit_.patient.random.uniform(1, 15))
        clinic.refund_by_hand(visit_.session_id)
    yield from closes(clinic, visit_)


@visit(weight=10)
def is_treated_and_leaves(clinic: Clinic, visit_: Visit) -> Story:
    """Come, be treated, and not become a member: the promise lapses."""
    if (yield from begins(clinic, visit_)):
        yield from closes(clinic, visit_)


@visit(weight=3)
def asks_too_late(clinic: Clinic, visit_: Visit) -> Story:
    """Want to become a member after the visit was closed: the window is shut."""
    if (yield from begins(clinic, visit_)):
        yield from closes(clinic, visit_)
        told = yield from converts(clinic, visit_, SAVED_CARD)
        assert not told.is_ok, "a closed visit was converted"


@visit(weight=4)
def does_not_come(clinic: Clinic, visit_: Visit) -> Story:
    """Nobody comes, and the desk says so."""
    yield visit_.starts_at + 30 * _MINUTE
    yield from press(clinic, f"bookings/{visit_.booking_id}/no-show", what="no_show")


@visit(weight=3)
def is_forgotten(clinic: Clinic, visit_: Visit) -> Story:
    """Come and be treated; nobody ever closes the visit."""
    yield from begins(clinic, visit_)


def _id(told: Told) -> str:
    id_: str = told.body["membership"]["id"]
    return id_
