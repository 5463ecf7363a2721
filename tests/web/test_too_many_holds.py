"""Five unpaid times with one e-mail or phone number are enough, and no more is said than that."""

from datetime import timedelta

import pytest
from flask import current_app

from booking_service.errors import TooManyHolds
from booking_service.models import Booking, BookingStatus, Patient
from booking_service.services import holds, patients
from tests import factories
from tests.api.conftest import Caller, problem
from tests.factories import HALF_AN_HOUR, all_of, booking, details, free_slot, hold, later
from tests.web.phone import DANA, Phone, at_details

MOST = 5
OTHERS = {"name": "Robin Hale", "email": "robin@example.com", "phone": "518 555 0100"}


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


def keep(nth: int = 0, lifetime: timedelta = HALF_AN_HOUR, **person: str):
    """Keep the next free time with somebody's details."""
    booking_id = hold(free_slot(nth), lifetime)
    patients.set_details(booking_id, details(**person), lifetime)
    return booking_id


def kept_by_dana() -> list:
    return [keep(lifetime=timedelta(minutes=20 + nth)) for nth in range(MOST)]


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"email": "dana@example.com", "name": "Somebody Else", "phone": "518 555 0199"},
        {"phone": "(518) 555-0178", "name": "Somebody Else", "email": "else@example.com"},
    ],
    ids=["both", "email", "phone"],
)
def test_a_sixth_time_is_not_kept_until_one_of_the_five_has_ended(seeded, noon, travel, same):
    kept_by_dana()
    sixth = hold(free_slot())

    with pytest.raises(TooManyHolds) as refusal:
        patients.set_details(sixth, details(**same), HALF_AN_HOUR)

    assert refusal.value.wait == timedelta(minutes=20)
    assert refusal.value.headers == {"Retry-After": "1201"}
    assert booking(sixth).patient_id is None
    travel(later(noon, minutes=20))
    patients.set_details(sixth, details(**same), HALF_AN_HOUR)


def test_more_than_five_that_were_kept_at_once_wait_for_enough_of_them(seeded, noon):
    """As many as the web answers side by side may pass together."""
    made = kept_by_dana()
    extra = hold(free_slot())
    patients.set_details(extra, details(**OTHERS), HALF_AN_HOUR)
    [robin] = [p for p in all_of(Patient) if p.email == OTHERS["email"]]
    factories.change(Patient, robin.id, email="dana@example.com")
    factories.change(Booking, made[0], hold_expires_at=later(noon, minutes=5))

    with pytest.raises(TooManyHolds) as refusal:
        patients.set_details(hold(free_slot()), details(), HALF_AN_HOUR)

    assert refusal.value.wait == timedelta(minutes=21)


def test_others_and_corrections_and_what_is_over_or_paid_do_not_count(seeded, noon, stripe):
    made = kept_by_dana()
    keep(**OTHERS)

    patients.set_details(made[0], details(), HALF_AN_HOUR)  # corrected: it is one of the five
    holds.release(made[0], current_app.extensions["gateway"])
    keep()
    factories.change(Booking, made[1], status=BookingStatus.CONFIRMED)
    sixth = hold(free_slot())
    # A visit that is paid for is no hold; that the offer was used is another refusal.
    patients.set_details(sixth, details(name="Somebody Else"), HALF_AN_HOUR)


def test_the_page_says_first_that_nothing_was_charged(phone, noon):
    kept_by_dana()

    at_details(phone).press("Continue", **DANA)

    assert phone.answer.status_code == 429
    assert phone.answer.headers["Retry-After"] == "1201"
    assert phone.heading == "We can't keep another time yet"
    assert (
        phone.words.partition(phone.heading)[2]
        .strip()
        .startswith(
            "You haven't been charged. 5 times are already kept for this email or phone number, "
            "and none is paid for yet. You can pick another after 12:20 PM , or once one of them"
        )
    )
    assert "Call (518) 555-0142" in phone.words
    for known in ("Dana", "dana@", "0178", "12:00", "patient"):
        assert known not in phone.words


def test_the_page_speaks_spanish(phone, noon):
    kept_by_dana()

    phone.open("/book?lang=es").tap().press("Continuar", **DANA)

    assert phone.heading == "Todavía no podemos guardar otra hora"
    assert "Ya hay 5 horas guardadas con este correo electrónico o teléfono" in phone.words


def test_the_api_refuses_lets_go_and_takes_the_same_key_later(client, seeded, noon):
    made = kept_by_dana()
    caller, slot = Caller(client), free_slot()
    body = {
        "practitioner_id": str(slot.practitioner_id),
        "starts_at": slot.starts_at.isoformat(),
        "patient": {**DANA, "name": "Somebody Else"},
        "accept_terms_version": 1,
    }

    refused = caller.post("/bookings", body, key="one")

    assert problem(refused) == (429, "too_many_holds")
    assert refused.headers["Retry-After"] == "1201"
    assert refused.get_json()["detail"].startswith("You haven't been charged. 5 times are already")
    assert free_slot() == slot
    holds.release(made[0], current_app.extensions["gateway"])
    assert caller.post("/bookings", {**body}, key="one").status_code == 201
