from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from booking_service import clock
from booking_service.db import db, transaction
from booking_service.errors import NotFound
from booking_service.models import (
    LIVE,
    Booking,
    BookingStatus,
    Patient,
    Practice,
    Practitioner,
    TimeOff,
    WorkingHours,
)
from booking_service.queries import availability
from booking_service.services import demo_data

ZONE = ZoneInfo("America/New_York")
MONDAY = date(2026, 11, 23)
THANKSGIVING = date(2026, 11, 26)


@pytest.fixture(autouse=True)
def _sunday_noon(monkeypatch):
    monkeypatch.setattr(clock, "source", lambda: at(MONDAY - timedelta(days=1), "12:00"))


@pytest.fixture
def practice(app) -> Practice:
    row = Practice(**demo_data.PRACTICE)
    with transaction() as session:
        session.add(row)
    return row


def at(day: date, clock_time: str) -> datetime:
    local = datetime.fromisoformat(f"{day} {clock_time:0>5}").replace(tzinfo=ZONE)
    return local.astimezone(UTC)


def make_practitioner(
    name="Dr. Maya Okafor", opens=8 * 60, closes=10 * 60, position=0, *, bookable=True
) -> UUID:
    with transaction() as session:
        row = Practitioner(name=name, room="Room 1", position=position, is_bookable=bookable)
        session.add(row)
        session.flush()
        session.add_all(
            WorkingHours(
                practitioner_id=row.id, weekday=weekday, opens_minute=opens, closes_minute=closes
            )
            for weekday in range(7)
        )
        return row.id


def make_booking(
    practitioner_id: UUID, starts_at: datetime, status=BookingStatus.CONFIRMED
) -> None:
    with transaction() as session:
        patient = Patient(
            name="Dana",
            name_key="dana",
            email=f"{uuid4()}@example.com",
            phone="+15185550178",
            locale="en",
        )
        session.add(patient)
        session.flush()
        session.add(
            Booking(
                practitioner_id=practitioner_id,
                patient_id=patient.id,
                status=status,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=45),
                created_at=starts_at - timedelta(days=1),
                hold_expires_at=starts_at,
            )
        )


def make_time_off(starts_at: datetime, ends_at: datetime, practitioner_id=None) -> None:
    with transaction() as session:
        session.add(
            TimeOff(
                practitioner_id=practitioner_id,
                starts_at=starts_at,
                ends_at=ends_at,
                reason="Closed for Thanksgiving",
            )
        )


def times(day: availability.Day) -> list[str]:
    return [slot.starts_at.astimezone(ZONE).strftime("%H:%M") for slot in day.slots]


def test_a_free_day_offers_every_step_with_its_practitioner(practice):
    okafor = make_practitioner()

    [monday] = availability.free_days(MONDAY, 1)

    assert times(monday) == ["08:00", "08:20", "08:40", "09:00"]
    assert monday.slots[0] == availability.Slot(
        okafor, "Dr. Maya Okafor", at(MONDAY, "8:00"), at(MONDAY, "8:45")
    )
    assert monday.closed is None


def test_a_booking_takes_every_time_it_overlaps_and_no_other(practice):
    make_booking(make_practitioner(closes=12 * 60), at(MONDAY, "9:20"))

    [monday] = availability.free_days(MONDAY, 1)

    # 8:40 would last until 9:25; 10:05 is when the booked visit ends.
    assert times(monday) == ["08:00", "08:20", "10:20", "10:40", "11:00"]


def test_a_visit_that_began_the_evening_before_takes_time(practice):
    make_booking(make_practitioner(opens=0, closes=90), at(MONDAY - timedelta(days=1), "23:40"))

    [monday] = availability.free_days(MONDAY, 1)

    # It ends at 0:25: 0:00 and 0:20 are taken.
    assert times(monday) == ["00:40"]


@pytest.mark.parametrize("status", list(BookingStatus))
def test_only_live_bookings_take_time(practice, status):
    make_booking(make_practitioner(), at(MONDAY, "8:00"), status)

    [monday] = availability.free_days(MONDAY, 1)

    assert times(monday) == (["09:00"] if status in LIVE else ["08:00", "08:20", "08:40", "09:00"])


def test_a_booking_of_one_practitioner_leaves_the_others_free(practice):
    okafor = make_practitioner(closes=9 * 60, position=1)
    park = make_practitioner("Dr. Lena Park", closes=9 * 60, position=0)
    make_booking(okafor, at(MONDAY, "8:00"))

    [monday] = availability.free_days(MONDAY, 1)

    assert [(slot.practitioner_id, slot.starts_at) for slot in monday.slots] == [
        (park, at(MONDAY, "8:00"))
    ]


def test_times_are_in_order_and_ties_in_the_order_of_the_desk(practice):
    okafor = make_practitioner(closes=9 * 60 + 5, position=1)
    park = make_practitioner("Dr. Lena Park", closes=9 * 60 + 5, position=0)

    [monday] = availability.free_days(MONDAY, 1)

    assert [(slot.starts_at, slot.practitioner_id) for slot in monday.slots] == [
        (at(MONDAY, "8:00"), park),
        (at(MONDAY, "8:00"), okafor),
        (at(MONDAY, "8:20"), park),
        (at(MONDAY, "8:20"), okafor),
    ]


def test_one_practitioner_can_be_asked_for(practice):
    make_practitioner()
    park = make_practitioner("Dr. Lena Park")

    [monday] = availability.free_days(MONDAY, 1, park)

    assert {slot.practitioner_id for slot in monday.slots} == {park}


def test_who_is_not_bookable_offers_nothing(practice):
    make_practitioner(bookable=False)

    assert availability.free_days(MONDAY, 1)[0].slots == []
    assert availability.practitioners() == []


def test_the_lead_time_and_the_last_day_bound_what_is_offered(practice, monkeypatch):
    make_practitioner()
    monkeypatch.setattr(clock, "source", lambda: at(MONDAY, "6:20"))

    days = availability.free_days(MONDAY, 30)

    assert times(days[0]) == ["08:20", "08:40", "09:00"]
    assert days[28].date == date(2026, 12, 21)
    assert times(days[28]) == ["08:00", "08:20", "08:40", "09:00"]
    assert times(days[29]) == []


def test_a_closed_day_says_why_and_an_absent_practitioner_does_not(practice):
    okafor = make_practitioner()
    make_time_off(at(THANKSGIVING, "0:00"), at(THANKSGIVING, "18:00"))
    make_time_off(at(MONDAY, "0:00"), at(MONDAY, "18:00"), okafor)

    days = availability.free_days(MONDAY, 4)

    assert [day.closed for day in days] == [None, None, None, "Closed for Thanksgiving"]
    assert [len(day.slots) for day in days] == [0, 4, 4, 0]


def test_a_practice_closed_for_part_of_a_day_is_open(practice):
    make_practitioner()
    make_time_off(at(MONDAY, "8:30"), at(MONDAY, "18:00"))
    make_time_off(at(MONDAY, "0:00"), at(MONDAY, "7:00"))
    make_practitioner("Dr. Lena Park", opens=7 * 60, closes=8 * 60)

    [monday] = availability.free_days(MONDAY, 1)

    assert times(monday) == ["07:00"]
    assert monday.closed is None


def test_the_soonest_times_span_days(practice, monkeypatch):
    make_practitioner()
    monkeypatch.setattr(clock, "source", lambda: at(MONDAY, "6:40"))

    soonest = availability.soonest(3)

    assert [slot.starts_at for slot in soonest] == [
        at(MONDAY, "8:40"),
        at(MONDAY, "9:00"),
        at(MONDAY + timedelta(days=1), "8:00"),
    ]


def test_alternatives_are_the_nearest_and_one_is_with_the_same_practitioner(practice):
    okafor = make_practitioner(closes=8 * 60 + 50)
    park = make_practitioner("Dr. Lena Park", opens=6 * 60, closes=11 * 60)
    make_booking(okafor, at(MONDAY, "8:00"))

    offered = availability.alternatives(okafor, at(MONDAY, "8:00"))

    assert [(slot.practitioner_id, slot.starts_at) for slot in offered] == [
        (park, at(MONDAY, "7:40")),
        (park, at(MONDAY, "8:00")),
        (okafor, at(MONDAY + timedelta(days=1), "8:00")),
    ]


def test_alternatives_far_away_are_found_when_there_are_none_near(practice):
    okafor = make_practitioner(closes=8 * 60 + 50)
    make_time_off(at(MONDAY, "0:00"), at(MONDAY + timedelta(days=20), "0:00"))

    offered = availability.alternatives(okafor, at(MONDAY, "8:00"))

    assert [slot.starts_at for slot in offered] == [
        at(MONDAY + timedelta(days=number), "8:00") for number in (20, 21, 22)
    ]


def test_a_month_takes_as_many_statements_as_a_day(practice):
    for number in range(3):
        make_booking(make_practitioner(f"Dr. {number}"), at(MONDAY, "8:00"))
    statements: list[str] = []

    def count(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(db.engine, "before_cursor_execute", count)
    availability.free_days(MONDAY, 28)
    event.remove(db.engine, "before_cursor_execute", count)

    assert len(statements) == 4


def test_a_service_that_was_not_set_up_says_so(app):
    with pytest.raises(NotFound, match="set up"):
        availability.free_days(MONDAY, 1)
