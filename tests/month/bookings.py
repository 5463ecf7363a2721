"""How patients book and pay, and how they do not."""

from datetime import datetime, timedelta
from typing import Any

from tests.month.actions import Patient, Story, Visit, booking
from tests.month.clinic import Clinic, Told

_TRIES = 6
_MINUTE = timedelta(minutes=1)


def hold(
    clinic: Clinic, patient: Patient, *, is_second: bool = False, is_urgent: bool = False
) -> Story:
    """Choose a time and book it, again and again where the answer is lost; return what was told."""
    random, now = patient.random, clinic.world.now
    day = clinic.local_day(now + timedelta(hours=0 if is_urgent else random.uniform(3, 96)))
    wanted: dict[str, Any] | None = None
    for attempt in range(_TRIES):
        if wanted is None:
            soonest = clinic.world.now + 2 * _MINUTE
            free = [s for s in clinic.free_times(day) if at(s) > soonest]
            if not free:
                day += timedelta(days=1)
                yield clinic.world.now + _MINUTE
                continue
            wanted = free[0] if is_urgent else random.choice(free)
        key = f"{patient.number}-{is_second}-{wanted['starts_at']}"
        told = clinic.ask("POST", "/api/v1/bookings", _sent(patient, wanted), key=key)
        if told.is_ok:
            clinic.remember("booking", told.body["id"])
            return told, at(wanted)
        if told.status == 409 and told.body.get("code") == "not_a_new_patient":
            return None
        if told.is_final:
            wanted = next(iter(told.body.get("alternatives", [])), None)
        yield clinic.world.now + random.uniform(0.2, 2 + attempt) * _MINUTE
    return None


def _sent(patient: Patient, wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "practitioner_id": wanted["practitioner"]["id"],
        "starts_at": wanted["starts_at"],
        "patient": patient.details,
        "accept_terms_version": 1,
        "save_card": True,
        "source": "the month",
    }


def at(slot: dict[str, Any]) -> datetime:
    """Return when a slot, or a booking, begins."""
    return datetime.fromisoformat(slot["starts_at"])


def paid(clinic: Clinic, patient: Patient, told: Told, starts_at: datetime) -> Visit | None:
    """Press Pay on Stripe's page; return the visit if the card was taken."""
    session_id = told.body["checkout_url"].rpartition("/")[2].partition("?")[0].partition("#")[0]
    if not clinic.pay(session_id, patient.card):
        return None
    return Visit(patient, told.body["id"], told.body["token"], session_id, starts_at)


def _book(clinic: Clinic, patient: Patient, minutes: float, *, comes_back: bool) -> Story:
    held = yield from hold(clinic, patient)
    if held is None:
        return None
    told, starts_at = held
    yield clinic.world.now + minutes * _MINUTE
    visit_ = paid(clinic, patient, told, starts_at)
    if visit_ and comes_back:
        clinic.come_back(visit_.booking_id)
    return visit_


@booking(weight=55)
def pays(clinic: Clinic, patient: Patient) -> Story:
    """Book, pay within minutes, and come back from Stripe's page."""
    minutes = patient.random.uniform(1, 9)
    return (yield from _book(clinic, patient, minutes, comes_back=True))


@booking(weight=20)
def pays_and_closes_the_phone(clinic: Clinic, patient: Patient) -> Story:
    """Book and pay, and never come back: only the webhook tells."""
    minutes = patient.random.uniform(1, 9)
    return (yield from _book(clinic, patient, minutes, comes_back=False))


@booking(weight=5)
def pays_in_the_last_minute(clinic: Clinic, patient: Patient) -> Story:
    """Pay about when the hold ends: just before, or too late, when Stripe's page is closed."""
    minutes = patient.random.uniform(29.5, 32)
    return (yield from _book(clinic, patient, minutes, comes_back=True))


@booking(weight=6)
def abandons(clinic: Clinic, patient: Patient) -> Story:
    """Hold a time and walk away."""
    yield from hold(clinic, patient)
    return None


@booking(weight=5)
def is_declined_first(clinic: Clinic, patient: Patient) -> Story:
    """Try a card the bank refuses, then a good one."""
    held = yield from hold(clinic, patient)
    if held is None:
        return None
    told, starts_at = held
    session_id = told.body["checkout_url"].rpartition("/")[2]
    assert not clinic.pay(session_id, "4000000000000002")
    yield clinic.world.now + 2 * _MINUTE
    return paid(clinic, patient, told, starts_at)


@booking(weight=5)
def pays_in_two_tabs(clinic: Clinic, patient: Patient) -> Story:
    """Hold two times in two tabs, and pay for both: one keeps the visit, one goes back."""
    first = yield from hold(clinic, patient)
    second = yield from hold(clinic, patient, is_second=True)
    visits = []
    for held in (first, second):
        if held is not None:
            visits.append(paid(clinic, patient, *held))
            yield clinic.world.now + patient.random.uniform(0.1, 3) * _MINUTE
    for each in filter(None, visits):
        clinic.come_back(each.booking_id)
    yield clinic.world.now + 90 * _MINUTE  # by then it is decided, whatever was lost
    for each in filter(None, visits):
        answer = clinic.ask("GET", f"/api/v1/bookings/{each.booking_id}?token={each.token}")
        if answer.body.get("status") == "confirmed":
            return each
    return None
