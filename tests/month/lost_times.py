"""Patients who paid, and whose time was over before we heard of it: another time, or the money."""

from datetime import UTC, timedelta

from tests.month.actions import Patient, Story, Visit, booking
from tests.month.bookings import at, hold, paid
from tests.month.clinic import Clinic

_MINUTE = timedelta(minutes=1)
_TRIES = 6


@booking(weight=5)
def pays_for_a_time_that_passes_unheard(clinic: Clinic, patient: Patient) -> Story:
    """Pay for the next free time and close the phone, while Stripe's event is lost for good.

    A sweep finds the money, often when the time is over. Then the patient chooses another, asks
    for the money, or does nothing, and has it back after a day.
    """
    held = yield from hold(clinic, patient, is_urgent=True)
    if held is None:
        return None
    told, starts_at = held
    yield clinic.world.now + patient.random.uniform(15, 28) * _MINUTE
    clinic.world.trouble.lose_event("checkout.session.completed")
    visit_ = paid(clinic, patient, told, starts_at)
    if visit_ is None:
        return None
    yield clinic.world.now + 100 * _MINUTE
    decides = patient.random.choice((_chooses, _chooses, _wants_the_money, _lets_it_lapse))
    for _ in range(_TRIES):
        told = clinic.ask("GET", f"/api/v1/bookings/{visit_.booking_id}?token={visit_.token}")
        status = told.body.get("status")
        if status == "confirmed":
            visit_.starts_at = at(told.body)
            return visit_
        if status == "expired":
            decides(clinic, visit_)
        yield clinic.world.now + patient.random.uniform(0.5, 3) * _MINUTE
    return None


def _chooses(clinic: Clinic, visit_: Visit) -> None:
    day = clinic.local_day(clinic.world.now + timedelta(hours=visit_.patient.random.uniform(3, 40)))
    soonest = clinic.world.now + 10 * _MINUTE
    free = [slot for slot in clinic.free_times(day) if at(slot) > soonest]
    if free:
        wanted = visit_.patient.random.choice(free)
        instant = f"{at(wanted).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
        _tap(clinic, visit_, "choose", slot=f"{wanted['practitioner']['id']}@{instant}")


def _wants_the_money(clinic: Clinic, visit_: Visit) -> None:
    _tap(clinic, visit_, "send-back")


def _lets_it_lapse(clinic: Clinic, visit_: Visit) -> None:
    pass


def _tap(clinic: Clinic, visit_: Visit, button: str, **form: str) -> None:
    clinic.tap(f"/v/{visit_.token}", f"/v/{visit_.token}/{button}", form)
