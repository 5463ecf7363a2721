from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booking_service.clock import day_bounds
from booking_service.models.practice import Practice
from booking_service.models.schedule import MINUTES_A_DAY
from booking_service.models.timetable import Absence, Shift, is_offered, offered, window

NEW_YORK = "America/New_York"
CLOCKS_FORWARD = date(2027, 3, 14)
CLOCKS_BACK = date(2026, 11, 1)
# Days around the clock changes of every zone, and ordinary ones.
ZONES = {
    NEW_YORK: [CLOCKS_FORWARD, CLOCKS_BACK],
    "Europe/Berlin": [date(2027, 3, 28), date(2026, 10, 25)],
    "Pacific/Chatham": [date(2026, 9, 27), date(2027, 4, 4)],
    "Australia/Lord_Howe": [date(2026, 10, 4), date(2027, 4, 4)],
    "Asia/Kolkata": [],
    "America/Havana": [date(2027, 3, 14), date(2026, 11, 1)],  # at midnight
}


def make_practice(timezone=NEW_YORK, visit=45, grid=20, lead=120, horizon=28) -> Practice:
    return Practice(
        timezone=timezone,
        visit_minutes=visit,
        grid_minutes=grid,
        lead_minutes=lead,
        horizon_days=horizon,
    )


def every_day(opens: str, closes: str) -> list[Shift]:
    return [Shift(weekday, minute_of(opens), minute_of(closes)) for weekday in range(7)]


def minute_of(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


def walls(starts: list[datetime], timezone=NEW_YORK) -> list[str]:
    return [start.astimezone(ZoneInfo(timezone)).strftime("%H:%M %z") for start in starts]


def test_visits_start_on_the_grid_from_opening_and_end_by_closing():
    starts = offered(make_practice(), every_day("8:30", "10:00"), [], date(2026, 11, 23))

    assert walls(starts) == ["08:30 -0500", "08:50 -0500", "09:10 -0500"]


def test_only_the_hours_of_that_weekday_count():
    monday = [Shift(0, minute_of("8:00"), minute_of("9:00"))]

    assert offered(make_practice(), monday, [], date(2026, 11, 24)) == []


def test_two_shifts_leave_lunch_free_and_have_a_grid_each():
    day = [*every_day("8:00", "9:05"), *every_day("13:10", "14:00")]

    starts = offered(make_practice(), day, [], date(2026, 11, 23))

    assert walls(starts) == ["08:00 -0500", "08:20 -0500", "13:10 -0500"]


def test_overlapping_shifts_offer_a_time_once():
    day = [*every_day("8:00", "9:05"), *every_day("8:00", "9:25")]

    starts = offered(make_practice(), day, [], date(2026, 11, 23))

    assert walls(starts) == ["08:00 -0500", "08:20 -0500", "08:40 -0500"]


def test_time_off_takes_every_visit_it_touches_and_no_other():
    zone = ZoneInfo(NEW_YORK)
    off = Absence(
        datetime(2026, 11, 23, 9, 5, tzinfo=zone).astimezone(UTC),
        datetime(2026, 11, 23, 9, 40, tzinfo=zone).astimezone(UTC),
    )

    starts = offered(make_practice(), every_day("8:00", "10:30"), [off], date(2026, 11, 23))

    assert walls(starts) == ["08:00 -0500", "08:20 -0500", "09:40 -0500"]


def test_a_day_of_23_hours_has_three_times_fewer_than_one_of_24():
    practice, around_the_clock = make_practice(), every_day("0:00", "24:00")

    counts = [
        len(offered(practice, around_the_clock, [], day))
        for day in (CLOCKS_FORWARD, date(2026, 11, 23), CLOCKS_BACK)
    ]

    assert counts == [69, 72, 75]


def test_an_hour_that_comes_twice_is_offered_twice():
    starts = offered(make_practice(grid=30), every_day("0:30", "3:00"), [], CLOCKS_BACK)

    assert walls(starts) == [
        "00:30 -0400",
        "01:00 -0400",
        "01:30 -0400",
        "01:00 -0500",
        "01:30 -0500",
        "02:00 -0500",
    ]


def test_opening_inside_the_hour_that_comes_twice_works_only_when_the_clock_reads_so():
    starts = offered(make_practice(visit=15, grid=15), every_day("1:30", "2:15"), [], CLOCKS_BACK)

    assert walls(starts) == [
        "01:30 -0400",
        "01:45 -0400",
        "01:30 -0500",
        "01:45 -0500",
        "02:00 -0500",
    ]


def test_a_second_span_keeps_the_grid_of_the_first():
    starts = offered(make_practice(visit=10, grid=25), every_day("1:30", "2:30"), [], CLOCKS_BACK)

    # 1:30, 1:55 (ends at the change, 2:05, so not offered), then 75 and 100 minutes after 1:30.
    assert walls(starts) == ["01:30 -0400", "01:45 -0500", "02:10 -0500"]


def test_opening_inside_the_hour_that_never_comes_is_when_the_clocks_have_changed():
    starts = offered(make_practice(grid=30), every_day("2:30", "4:15"), [], CLOCKS_FORWARD)

    assert walls(starts) == ["03:00 -0400", "03:30 -0400"]


def test_closing_inside_the_hour_that_never_comes_is_when_the_clocks_change():
    starts = offered(make_practice(grid=30), every_day("0:30", "2:30"), [], CLOCKS_FORWARD)

    assert walls(starts) == ["00:30 -0500", "01:00 -0500"]


def test_a_day_the_calendar_skipped_offers_nothing():
    samoa = make_practice(timezone="Pacific/Apia")

    assert offered(samoa, every_day("0:00", "24:00"), [], date(2011, 12, 30)) == []


def test_the_window_opens_after_the_lead_time_and_closes_with_the_last_day():
    now = datetime(2026, 10, 30, 3, 30, tzinfo=UTC)  # still the 29th in New York

    opens, closes = window(make_practice(lead=90, horizon=3), now)

    assert opens == datetime(2026, 10, 30, 5, 0, tzinfo=UTC)
    assert closes == datetime(2026, 11, 2, 5, 0, tzinfo=UTC)  # the end of November 1st, 25 h long


@pytest.mark.parametrize(
    ("wall", "answer"),
    [
        ("2026-11-23T09:40", False),  # sooner than the lead time
        ("2026-11-23T10:00", True),
        ("2026-11-23T10:10", False),  # off the grid
        ("2026-11-23T12:00", False),  # ends after closing
        ("2026-11-24T08:00", True),
        ("2026-11-25T08:00", False),  # after the last day
        ("2026-11-22T08:00", False),  # past
    ],
)
def test_an_instant_is_offered_or_not(wall, answer):
    zone = ZoneInfo(NEW_YORK)
    now = datetime(2026, 11, 23, 8, 0, tzinfo=zone).astimezone(UTC)
    starts_at = datetime.fromisoformat(wall).replace(tzinfo=zone).astimezone(UTC)
    practice = make_practice(lead=120, horizon=1)

    assert is_offered(practice, every_day("8:00", "12:30"), [], starts_at, now) is answer


@st.composite
def days(draw):
    timezone = draw(st.sampled_from(sorted(ZONES)))
    some_day = st.dates(date(2026, 1, 1), date(2028, 12, 31))
    special = ZONES[timezone]
    return timezone, draw(st.one_of(st.sampled_from(special), some_day) if special else some_day)


@st.composite
def shifts(draw):
    opens = draw(st.integers(0, MINUTES_A_DAY - 1))
    return opens, draw(st.integers(opens + 1, MINUTES_A_DAY))


absences = st.tuples(st.integers(-300, 1700), st.integers(1, 600))


@given(days(), shifts(), st.integers(5, 120), st.integers(5, 90), st.lists(absences, max_size=3))
@example((NEW_YORK, CLOCKS_BACK), (0, MINUTES_A_DAY), 45, 20, [])
@example((NEW_YORK, CLOCKS_FORWARD), (0, MINUTES_A_DAY), 45, 20, [])
@example(("Australia/Lord_Howe", date(2027, 4, 4)), (90, 400), 20, 20, [])
def test_every_offered_time_keeps_every_rule(where, shift, visit, grid, away):
    timezone, day = where
    zone = ZoneInfo(timezone)
    opens_minute, closes_minute = shift
    day_starts, day_ends = day_bounds(day, zone)
    off = [
        Absence(
            day_starts + timedelta(minutes=begins), day_starts + timedelta(minutes=begins + lasts)
        )
        for begins, lasts in away
    ]
    practice = make_practice(timezone, visit, grid)
    hours = [Shift(day.weekday(), opens_minute, closes_minute)]

    starts = offered(practice, hours, off, day)

    assert starts == sorted(set(starts))
    step = timedelta(minutes=grid)
    minute = timedelta(minutes=1)
    worked = [
        at
        for at in (day_starts + n * minute for n in range((day_ends - day_starts) // minute))
        if opens_minute <= _reading(at, zone) < closes_minute
    ]
    # The rule, said minute by minute instead of by spans: every minute of the visit is worked,
    # none is off, and the first one is a whole number of steps after opening.
    inside = set(worked)
    assert starts == [
        at
        for at in worked
        if (at - worked[0]) % step == timedelta(0)
        and all(at + n * minute in inside for n in range(visit))
        and not any(o.starts_at < at + visit * minute and at < o.ends_at for o in off)
    ]
    assert all(at.tzinfo is UTC and at.astimezone(zone).date() == day for at in starts)


def _reading(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.hour * 60 + local.minute


def test_around_the_clock_means_at_any_time_before_midnight_too():
    """A visit may begin in one day and end in the next, when work goes on."""
    day = date(2026, 11, 23)

    starts = offered(make_practice(), every_day("0:00", "24:00"), [], day)

    assert starts[-1] == datetime(2026, 11, 24, 4, 40, tzinfo=UTC)  # 11:40 PM
    assert len(starts) == 72


def test_what_is_away_after_midnight_counts():
    midnight = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
    away = [Absence(midnight, midnight + timedelta(hours=1))]

    starts = offered(make_practice(), every_day("0:00", "24:00"), away, date(2026, 11, 23))

    assert starts[-1] == datetime(2026, 11, 24, 4, 0, tzinfo=UTC)  # 11:00 PM
