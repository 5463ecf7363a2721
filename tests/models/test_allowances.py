"""Months of a membership are counted from the day it began, whatever the clocks do."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_service.clock import day_bounds, local_day
from booking_service.models import Allowance, Membership, MembershipStatus

ALBANY = ZoneInfo("America/New_York")
ZONES = ("America/New_York", "Pacific/Auckland", "America/Santiago", "Asia/Kolkata", "UTC")
VISITS = 4
# Each minute of six years, two of which end with a 29th of February.
INSTANTS = st.integers(0, 6 * 366 * 1440).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def joined_at(at: datetime, zone: ZoneInfo = ALBANY, taken=(), **more) -> Allowance:
    membership = Membership(status=MembershipStatus.ACTIVE, active_at=at, **more)
    return Allowance(membership, zone, "Corrective", VISITS, list(taken))


def at_noon(day: date, zone: ZoneInfo = ALBANY) -> datetime:
    return datetime.combine(day, time(12), tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("joined", "day", "month"),
    [
        ("2027-01-15", "2027-01-15", ("2027-01-15", "2027-02-14")),
        ("2027-01-15", "2027-02-14", ("2027-01-15", "2027-02-14")),
        ("2027-01-15", "2027-02-15", ("2027-02-15", "2027-03-14")),
        ("2027-01-31", "2027-02-27", ("2027-01-31", "2027-02-27")),
        ("2027-01-31", "2027-02-28", ("2027-02-28", "2027-03-30")),
        ("2027-01-31", "2027-03-31", ("2027-03-31", "2027-04-29")),
        ("2028-01-31", "2028-02-29", ("2028-02-29", "2028-03-30")),
        ("2028-02-29", "2029-02-28", ("2029-02-28", "2029-03-28")),
        ("2026-12-31", "2027-01-30", ("2026-12-31", "2027-01-30")),
        ("2026-12-31", "2027-01-31", ("2027-01-31", "2027-02-27")),
    ],
)
def test_a_month_begins_on_the_day_somebody_joined_or_on_the_last_there_is(joined, day, month):
    allowance = joined_at(at_noon(date.fromisoformat(joined)))

    found = allowance.month(at_noon(date.fromisoformat(day)))

    assert (found.first.isoformat(), found.last.isoformat()) == month


def test_the_day_is_the_practices_and_not_utcs():
    """Joined at eleven at night, which is the next day in UTC."""
    allowance = joined_at(datetime(2026, 11, 24, 4, tzinfo=UTC))
    _, midnight = day_bounds(date(2026, 12, 22), ALBANY)

    assert allowance.month(midnight - timedelta(seconds=1)).first == date(2026, 11, 23)
    assert allowance.month(midnight).first == date(2026, 12, 23)


@given(
    joined=INSTANTS,
    days=st.integers(0, 3000),
    name=st.sampled_from(ZONES),
)
def test_every_instant_is_in_one_month_and_months_follow_each_other(joined, days, name):
    zone = ZoneInfo(name)
    allowance = joined_at(joined, zone)
    at = joined + timedelta(days=days)

    month = allowance.month(at)

    assert month.first <= local_day(at, zone) <= month.last
    assert 28 <= (month.last - month.first).days + 1 <= 31
    first_day = local_day(joined, zone).day
    assert month.first.day == first_day or (month.first + timedelta(days=1)).day == 1
    begins, _ = day_bounds(month.first, zone)
    _, ends = day_bounds(month.last, zone)
    # Each second up to midnight is in this month, and midnight is the next one's.
    assert allowance.month(ends - timedelta(seconds=1)) == month
    assert allowance.month(ends).first == month.last + timedelta(days=1)
    assert allowance.month(max(begins, joined)) == month


@given(
    joined=INSTANTS,
    hours=st.lists(st.integers(0, 24 * 120), max_size=12),
    asked=st.integers(0, 24 * 120),
)
def test_what_is_left_is_the_plan_less_what_is_in_that_month(joined, hours, asked):
    taken = [joined + timedelta(hours=number) for number in hours]
    allowance = joined_at(joined, taken=taken)
    at = joined + timedelta(hours=asked)

    same_month = [one for one in taken if allowance.month(one) == allowance.month(at)]

    assert allowance.left(at) == max(VISITS - len(same_month), 0)
    assert (allowance.refusal(at) is None) is (len(same_month) < VISITS)


@pytest.mark.parametrize("day", ["2027-03-14", "2026-11-01"])
def test_the_days_the_clocks_change_on_are_days_like_others(day):
    """An hour that never comes, or comes twice, is in the month of its day."""
    changed = date.fromisoformat(day)
    begins, ends = day_bounds(changed, ALBANY)
    allowance = joined_at(begins - timedelta(days=40))
    hours = (ends - begins) // timedelta(hours=1)
    assert hours in (23, 25)

    months = {allowance.month(begins + timedelta(hours=hour)) for hour in range(hours)}

    assert len(months) == 1


def test_an_end_that_is_known_closes_what_is_after_it():
    start = at_noon(date(2026, 11, 23))
    ends = start + timedelta(days=10)
    allowance = joined_at(start, ended_at=ends)

    assert allowance.closed(ends - timedelta(seconds=1)) is None
    assert "ends before that day" in str(allowance.closed(ends))
    assert (allowance.covers(ends - timedelta(seconds=1)), allowance.covers(ends)) == (True, False)
