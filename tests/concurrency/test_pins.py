"""Many PINs tried at the same instant are no more tries than five."""

import pytest

from booking_service.errors import SignInFailed
from booking_service.models import Role, StaffMember, StationPerson
from booking_service.services import staff, stations
from tests.concurrency.crowd import at_once
from tests.factories import all_of

PASSWORD = "a sentence of Priya's"


@pytest.fixture
def station(app) -> tuple[str, StaffMember]:
    staff.set_up(staff.invite("priya@example.com", "Priya Shah", Role.FRONT_DESK), PASSWORD)
    [priya] = all_of(StaffMember)
    stations.set_pin(priya.id, PASSWORD, "482915")
    return stations.remember(None, priya.id), priya


def test_twelve_at_once_are_five_tries(app, station, monkeypatch):
    secret, priya = station
    tried = []
    verify = type(staff.HASHER).verify

    def count(hasher, known, pin):
        tried.append(known != staff.NOBODY)
        return verify(hasher, known, pin)

    monkeypatch.setattr(type(staff.HASHER), "verify", count)
    answers = at_once(
        app, 12, lambda n: stations.sign_in_by_pin(secret, priya.id, f"48292{n % 10}")
    )

    assert [type(answer) for answer in answers] == [SignInFailed] * 12
    assert tried.count(True) == 5
    assert [here.wrong_pins for here in all_of(StationPerson)] == [5]
