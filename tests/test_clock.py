from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking_service.clock import day_bounds, local_day, next_morning, utc_now

ALBANY = ZoneInfo("America/New_York")


def test_now_is_an_instant_in_utc():
    assert utc_now().utcoffset() == timedelta(0)
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    ("day", "starts", "hours"),
    [
        (date(2026, 11, 23), "2026-11-23T05:00", 24),
        (date(2026, 11, 1), "2026-11-01T04:00", 25),
        (date(2027, 3, 14), "2027-03-14T05:00", 23),
        (date(2026, 12, 31), "2026-12-31T05:00", 24),
    ],
    ids=["plain", "clocks go back", "clocks go forward", "end of the year"],
)
def test_a_day_lasts_from_midnight_to_midnight_on_the_wall(day, starts, hours):
    bounds = day_bounds(day, ALBANY)

    assert bounds[0] == datetime.fromisoformat(starts).replace(tzinfo=UTC)
    assert bounds[1] - bounds[0] == timedelta(hours=hours)
    assert {at.utcoffset() for at in bounds} == {timedelta(0)}


@pytest.mark.parametrize("day", [date(2026, 11, 1), date(2027, 3, 14), date(2026, 11, 23)])
def test_an_instant_is_on_the_day_whose_bounds_hold_it(day):
    starts, ends = day_bounds(day, ALBANY)
    second, one = timedelta(seconds=1), timedelta(days=1)

    instants = (starts - second, starts, ends - second, ends)

    assert [local_day(at, ALBANY) for at in instants] == [day - one, day, day, day + one]


def test_the_wall_rules_wherever_an_instant_was_written_down():
    at = datetime(2026, 11, 24, 10, 0, tzinfo=ZoneInfo("Asia/Tokyo"))

    assert local_day(at, ALBANY) == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("after", "morning"),
    [
        ("2026-11-23T17:00", "2026-11-24T14:00"),
        ("2026-11-24T04:59", "2026-11-24T14:00"),
        ("2026-10-31T16:00", "2026-11-01T14:00"),
        ("2027-03-13T17:00", "2027-03-14T13:00"),
    ],
    ids=["plain", "just before midnight", "clocks go back", "clocks go forward"],
)
def test_the_next_morning_is_at_nine_on_the_wall(after, morning):
    at = datetime.fromisoformat(after).replace(tzinfo=UTC)

    assert next_morning(at, ALBANY) == datetime.fromisoformat(morning).replace(tzinfo=UTC)
