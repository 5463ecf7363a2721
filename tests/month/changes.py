"""Patients who change their mind: they let a hold go, cancel a visit, or move it."""

from datetime import timedelta

from tests.month.actions import Patient, Story, Visit, booking, visit
from tests.month.bookings import at, hold, paid
from tests.month.clinic import Clinic
from tests.month.visits import joins, press

_MINUTE = timedelta(minutes=1)
_CUT_OFF = timedelta(hours=24)
_TRIES = 6


@booking(weight=4)
def lets_it_go_and_pays_all_the_same(clinic: Clinic, patient: Patient) -> Story:
    """Give the time back, and press Pay on Stripe's page, which is open in another tab."""
    held = yield from hold(clinic, patient)
    if held is None:
        return None
    told, starts_at = held
    yield clinic.world.now + patient.random.uniform(1, 20) * _MINUTE
    path = f"bookings/{told.body['id']}/cancel?token={told.body['token']}"
    answered = yield from press(clinic, path, scope="")
    if answered.is_ok and answered.body["status"] == "expired":
        clinic.remember("let_go", told.body["id"])
    yield clinic.world.now + patient.random.uniform(0.1, 5) * _MINUTE
    return paid(clinic, patient, told, starts_at)


@visit(weight=6)
def cancels(clinic: Clinic, visit_: Visit) -> Story:
    """Cancel the visit: in time, and the money goes back; or too late, and it is kept."""
    random, now = visit_.patient.random, clinic.world.now
    in_time, too_late = visit_.starts_at - _CUT_OFF, visit_.starts_at
    if now + 10 * _MINUTE < in_time and random.random() < 0.6:
        yield now + random.random() * (in_time - now)
    else:
        since = max(now, in_time)
        yield since + random.random() * (too_late - since)
    told = yield from press(clinic, _of(visit_, "cancel"), scope="")
    if told.is_ok and told.body["status"] == "cancelled":
        clinic.remember("cancelled", visit_.booking_id)


@visit(weight=6)
def moves_and_joins(clinic: Clinic, visit_: Visit) -> Story:
    """Move the visit, if it is not too late, and become a member at the new time."""
    random, now = visit_.patient.random, clinic.world.now
    yield now + random.random() * max(visit_.starts_at - _CUT_OFF - now, _MINUTE)
    yield from _moves(clinic, visit_)
    yield from joins(clinic, visit_)


def _moves(clinic: Clinic, visit_: Visit) -> Story:
    random, wanted = visit_.patient.random, None
    day = clinic.local_day(visit_.starts_at + timedelta(hours=random.uniform(-20, 24)))
    for _ in range(_TRIES):
        if wanted is None:
            free = [s for s in clinic.free_times(day) if at(s) > clinic.world.now + 30 * _MINUTE]
            wanted = random.choice(free) if free else None
        if wanted is not None:
            where = {"practitioner_id": wanted["practitioner"]["id"]}
            body = where | {"starts_at": wanted["starts_at"]}
            told = clinic.ask("POST", f"/api/v1/{_of(visit_, 'reschedule')}", body)
            if told.is_ok:
                visit_.starts_at = at(told.body)
                clinic.remember("moved", visit_.booking_id, starts_at=told.body["starts_at"])
                return
            if told.body.get("code") == "slot_taken":
                wanted = next(iter(told.body.get("alternatives", [])), None)
            elif told.is_final:
                return
        yield clinic.world.now + random.uniform(0.2, 2) * _MINUTE


def _of(visit_: Visit, step: str) -> str:
    return f"bookings/{visit_.booking_id}/{step}?token={visit_.token}"
