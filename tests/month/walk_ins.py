"""Patients who walk in: they pay at the desk, are seen at once, and join there or on the phone."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from booking_service.links import Purpose
from tests.month.actions import Patient, Story, Visit, booking
from tests.month.bookings import at
from tests.month.clinic import Clinic
from tests.month.phones import joins_on_the_phone
from tests.month.visits import joins_with_cash

_MINUTE = timedelta(minutes=1)
_TRIES = 6


@booking(weight=5)
def walks_in_with_cash(clinic: Clinic, patient: Patient) -> Story:
    """Come in, pay in cash, and join: the first month in cash, too, or on a payment page."""
    visit_ = yield from _walks_in(clinic, patient, "cash")
    if visit_ is not None:
        joins = patient.random.choice((joins_with_cash, joins_on_the_phone))
        yield from joins(clinic, visit_)


@booking(weight=2)
def walks_in_with_a_card(clinic: Clinic, patient: Patient) -> Story:
    """Come in and pay at the desk's own terminal; join on a payment page."""
    visit_ = yield from _walks_in(clinic, patient, "terminal")
    if visit_ is not None:
        yield from joins_on_the_phone(clinic, visit_)


def _walks_in(clinic: Clinic, patient: Patient, tender: str) -> Story:
    """Book a visit of today at the desk; return it, or None when nobody is free."""
    wanted: dict[str, Any] | None = None
    for _ in range(_TRIES):
        if wanted is None:
            free = clinic.free_times(clinic.local_day(clinic.world.now))
            wanted = next((s for s in free if at(s) > clinic.world.now), None)
        if wanted is None:
            return None
        body = {
            "practitioner_id": wanted["practitioner"]["id"],
            "starts_at": wanted["starts_at"],
            "patient": patient.details,
            "payment": {"tender": tender, "reference": f"D-{patient.number}"},
            "accept_terms_version": 1,
        }
        key = f"walk-in {patient.number} {wanted['starts_at']}"
        told = clinic.desk("POST", "/api/v1/walk-ins", body, key=key)
        if told.is_ok:
            clinic.remember("booking", told.body["id"])
            return _visit(clinic, patient, told.body)
        if told.body.get("code") == "slot_taken":
            wanted = next(iter(told.body.get("alternatives", [])), None)
        elif told.is_final:
            return None
        yield clinic.world.now + patient.random.uniform(0.2, 2) * _MINUTE
    return None


def _visit(clinic: Clinic, patient: Patient, told: dict[str, Any]) -> Visit:
    links = clinic.world.app.extensions["links"]
    token = links.token(Purpose.VISIT, UUID(told["id"]))
    return Visit(patient, told["id"], token, "", at(told))
