"""Several people at one station: who is known there, and a PIN that is worth little elsewhere."""

from datetime import timedelta

import pytest

from booking_service.errors import Invalid, SignInFailed
from booking_service.models import AuditRow, Role, StaffMember, StationPerson
from booking_service.services import staff, stations
from tests.factories import all_of, change

HOURS = timedelta(hours=1)
IDLE, DAY = timedelta(minutes=10), timedelta(hours=12)
PASSWORDS = {"Priya Shah": "a sentence of Priya's", "Sam Field": "a sentence of Sam's"}
PIN = "482915"


@pytest.fixture
def people(app, noon) -> dict[str, StaffMember]:
    """Two people of the desk, with passwords and no PIN."""
    for name, password in PASSWORDS.items():
        email = f"{name.split()[0].lower()}@example.com"
        staff.set_up(staff.invite(email, name, Role.FRONT_DESK), password)
    return {one.name.split()[0]: one for one in all_of(StaffMember)}


def with_pin(member: StaffMember, pin: str = PIN) -> StaffMember:
    stations.set_pin(member.id, PASSWORDS[member.name], pin)
    return member


def opens(secret: str, member: StaffMember, pin: str = PIN) -> bool:
    try:
        token = stations.sign_in_by_pin(secret, member.id, pin)
    except SignInFailed:
        return False
    return staff.who(token, IDLE, DAY).id == member.id


def known(secret: str) -> list[tuple[str, bool]]:
    return [(one.first_name, one.may_use_pin) for one in stations.people(secret)]


def test_a_station_knows_who_gave_their_password_there_by_first_name(people):
    with_pin(people["Sam"])
    first = stations.remember(None, people["Priya"].id)
    both = stations.remember(first, people["Sam"].id)

    assert known(both) == [("Priya", False), ("Sam", True)]


def test_its_secret_changes_with_every_password_and_the_old_one_knows_nobody(people):
    """A secret that was planted before somebody signs in is worth nothing afterwards."""
    planted = stations.remember(None, people["Sam"].id)
    with_pin(people["Priya"])
    after = stations.remember(planted, people["Priya"].id)

    assert known(planted) == []
    assert not opens(planted, people["Priya"])
    assert opens(after, people["Priya"])


def test_after_twelve_hours_only_the_password_opens_it(people, noon, travel):
    secret = stations.remember(None, with_pin(people["Priya"]).id)

    travel(noon + 12 * HOURS - timedelta(seconds=1))
    assert opens(secret, people["Priya"])
    travel(noon + 12 * HOURS)
    assert not opens(secret, people["Priya"])
    assert known(secret) == []

    stations.remember(None, people["Sam"].id)
    assert [one.staff_id for one in all_of(StationPerson)] == [people["Sam"].id]


def test_a_pin_makes_a_day_at_the_station_no_longer(people, noon, travel):
    secret = stations.remember(None, with_pin(people["Priya"]).id)
    travel(noon + 11 * HOURS)
    token = stations.sign_in_by_pin(secret, people["Priya"].id, PIN)

    travel(noon + 12 * HOURS + timedelta(minutes=1))

    assert staff.who(token, timedelta(hours=2), DAY) is None


def test_five_wrong_pins_and_only_the_password_opens_it(people):
    secret = stations.remember(None, with_pin(people["Priya"]).id)

    tries = [opens(secret, people["Priya"], "482916") for _ in range(5)]

    assert tries == [False] * 5
    assert not opens(secret, people["Priya"])
    assert known(secret) == [("Priya", False)]
    assert opens(stations.remember(secret, people["Priya"].id), people["Priya"])


def test_a_right_pin_forgives_the_wrong_ones_before_it(people):
    secret = stations.remember(None, with_pin(people["Priya"]).id)

    for _ in range(3):
        assert [opens(secret, people["Priya"], "482916") for _ in range(4)] == [False] * 4
        assert opens(secret, people["Priya"])


def test_wrong_pins_are_counted_for_each_person_and_station(people):
    here = stations.remember(None, with_pin(people["Priya"]).id)
    there = stations.remember(None, people["Priya"].id)
    here = stations.remember(here, with_pin(people["Sam"], "739164").id)
    for _ in range(5):
        opens(here, people["Priya"], "482916")

    assert not opens(here, people["Priya"])
    assert opens(there, people["Priya"])
    assert opens(here, people["Sam"], "739164")


def test_a_pin_opens_nothing_for_whom(people, noon):
    secret = stations.remember(None, with_pin(people["Priya"]).id)
    nobody_set_one, not_here = people["Sam"], with_pin(people["Sam"], "739164")

    assert not opens(secret, nobody_set_one)
    assert not opens(secret, not_here, "739164")
    assert not opens(secret, people["Priya"], "739164")
    assert not opens("another secret", people["Priya"])
    change(StaffMember, people["Priya"].id, disabled_at=noon)
    assert not opens(secret, people["Priya"])
    assert known(secret) == []


def test_who_signs_out_is_known_no_more(people):
    secret = stations.remember(None, with_pin(people["Priya"]).id)
    secret = stations.remember(secret, people["Sam"].id)

    stations.forget(secret, people["Priya"].id)

    assert known(secret) == [("Sam", False)]
    assert not opens(secret, people["Priya"])


def test_a_locked_session_is_nobodys_but_says_whose_it_was(people):
    token = staff.sign_in("priya@example.com", PASSWORDS["Priya Shah"])

    for _ in range(2):
        stations.lock(token)

    assert staff.who(token, IDLE, DAY) is None
    assert stations.whose(token, DAY) == people["Priya"].id
    staff.sign_out(token)
    assert stations.whose(token, DAY) is None
    assert [row.action for row in all_of(AuditRow)].count("staff.lock") == 1


@pytest.mark.parametrize(
    "pin", ["", "12345", "1234567890", "48291a", "111111", "123456", "987654", "٤٨٢٩١٥"]
)
def test_a_pin_is_six_to_eight_digits_that_are_not_guessed_first(people, pin):
    with pytest.raises(Invalid):
        with_pin(people["Priya"], pin)

    assert [one.pin_hash for one in all_of(StaffMember)] == [None, None]


def test_nobody_sets_a_pin_for_somebody_else(people):
    with pytest.raises(SignInFailed):
        stations.set_pin(people["Priya"].id, PASSWORDS["Sam Field"], PIN)

    assert [one.pin_hash for one in all_of(StaffMember)] == [None, None]


def test_a_pin_is_kept_as_a_hash_and_its_use_is_written_down(people):
    secret = stations.remember(None, with_pin(people["Priya"]).id)
    opens(secret, people["Priya"])

    [hashed] = [one.pin_hash for one in all_of(StaffMember) if one.pin_hash]
    assert hashed.startswith("$argon2id$")
    rows = [row for row in all_of(AuditRow) if row.subject_id == people["Priya"].id]
    assert {row.action for row in rows} >= {"staff.set_pin", "staff.sign_in"}
    assert [row.after for row in rows if row.action == "staff.sign_in"] == [{"how": "pin"}]
    assert PIN not in "".join(str(row.after) for row in rows)


def test_the_database_counts_no_further_than_five(people):
    stations.remember(None, people["Priya"].id)
    [here] = all_of(StationPerson)

    with pytest.raises(Exception, match="pins_limited"):
        change(StationPerson, here.id, wrong_pins=6)
