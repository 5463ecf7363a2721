from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from booking_service.errors import BookingServiceError, Invalid, NotAllowed, NotFound
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    Practice,
    Promise,
    PromiseStatus,
)
from booking_service.services import visit_steps
from tests.factories import PRIYA, all_of, booking, change, free_slot, hold, paid

NOBODY_COMES = timedelta(minutes=10)  # so long after its start a visit is missed, not before
STEPS = {
    "arrive": visit_steps.arrive,
    "begin": visit_steps.begin_treatment,
    "complete": visit_steps.complete,
    "no_show": visit_steps.mark_no_show,
}

# What each step answers from each status; one that was pressed before changes nothing.
TABLE = """
             arrive       begin         complete     no_show
held         not_allowed  not_allowed   not_allowed  not_allowed
confirmed    arrived      not_arrived   not_arrived  no_show
arrived      arrived      in_treatment  completed    not_allowed
in_treatment not_allowed  in_treatment  completed    not_allowed
completed    not_allowed  not_allowed   completed    not_allowed
no_show      not_allowed  not_allowed   not_allowed  no_show
cancelled    not_allowed  not_allowed   not_allowed  not_allowed
expired      not_allowed  not_allowed   not_allowed  not_allowed
"""


def answer(step, booking_id) -> str:
    """The status after a step, or why it was refused."""
    try:
        step(booking_id, PRIYA)
    except BookingServiceError as refused:
        return refused.code
    return booking(booking_id).status.value


def put(booking_id, status, **facts) -> None:
    """Put a visit to a status, without the times of steps that do not fit it."""
    times = ("arrived_at", "treatment_began_at", "completed_at", "no_show_at")
    change(Booking, booking_id, status=status, **dict.fromkeys(times), **facts)


def by_staff(booking_id) -> list[str]:
    """What was noted of a visit, in order."""
    rows = sorted(all_of(AuditRow), key=lambda row: row.at)
    about = [row for row in rows if row.subject_id == booking_id]
    return [row.action for row in about if row.actor_kind is PRIYA.kind]


def test_every_step_from_every_status(seeded, noon, stripe):
    visit = paid(stripe)
    change(Booking, visit.booking_id, starts_at=noon - NOBODY_COMES)
    answers = {}

    for status in BookingStatus:
        answers[status.value] = []
        for step in STEPS.values():
            put(visit.booking_id, status)
            answers[status.value].append(answer(step, visit.booking_id))

    header, *rows = (line.split() for line in TABLE.strip().splitlines())
    assert header == list(STEPS)
    assert answers == {status: codes for status, *codes in rows}


def test_pressing_twice_is_one_step_noted_once(seeded, noon, travel, stripe):
    visit = paid(stripe)
    for minutes, step in enumerate((STEPS["arrive"], STEPS["begin"], STEPS["complete"])):
        for _ in range(2):
            travel(noon + timedelta(minutes=minutes))
            step(visit.booking_id, PRIYA)
            travel(noon + timedelta(minutes=minutes, seconds=30))

    seen = booking(visit.booking_id)
    assert (seen.arrived_at, seen.treatment_began_at, seen.completed_at) == (
        noon,
        noon + timedelta(minutes=1),
        noon + timedelta(minutes=2),
    )
    assert by_staff(visit.booking_id) == [
        "booking.arrived",
        "booking.in_treatment",
        "booking.completed",
    ]


def test_a_no_show_keeps_the_money_and_is_noted(seeded, noon, stripe):
    visit = paid(stripe)
    change(Booking, visit.booking_id, starts_at=noon - NOBODY_COMES)

    visit_steps.mark_no_show(visit.booking_id, PRIYA)

    assert booking(visit.booking_id).no_show_at == noon
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.LAPSED]
    assert by_staff(visit.booking_id) == ["booking.no_show"]


def test_a_no_show_is_noted_when_the_practices_minutes_are_over_and_not_before(
    seeded, noon, travel, stripe
):
    visit = paid(stripe)
    starts_at = booking(visit.booking_id).starts_at
    minutes = timedelta(minutes=25)
    [practice] = all_of(Practice)
    change(Practice, practice.id, no_show_after_minutes=25)
    travel(starts_at + minutes - timedelta(seconds=1))

    words = "^The patient may still come. No-show can be noted from 12:25 PM on.$"
    with pytest.raises(NotAllowed, match=words):
        visit_steps.mark_no_show(visit.booking_id, PRIYA)
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]
    assert answer(visit_steps.arrive, visit.booking_id) == "arrived"

    put(visit.booking_id, BookingStatus.CONFIRMED)
    travel(starts_at + minutes)
    assert answer(visit_steps.mark_no_show, visit.booking_id) == "no_show"


def test_a_refused_step_leaves_nothing_behind(seeded, noon, stripe):
    visit = paid(stripe)
    before = len(all_of(AuditRow))

    with pytest.raises(NotAllowed):
        visit_steps.complete(visit.booking_id, PRIYA)

    assert len(all_of(AuditRow)) == before
    assert [promise.status for promise in all_of(Promise)] == [PromiseStatus.OPEN]


# The practice is in Albany: a day of 24 hours, one of 25, one of 23.
DAYS = {
    "Tuesday": ("2026-11-24T05:00", "2026-11-25T05:00", "2026-11-24T17:00"),
    "clocks go back": ("2026-11-01T04:00", "2026-11-02T05:00", "2026-11-01T06:30"),
    "clocks go forward": ("2027-03-14T05:00", "2027-03-15T04:00", "2027-03-14T06:30"),
    "midnight itself": ("2026-11-24T05:00", "2026-11-25T05:00", "2026-11-24T05:00"),
}


@pytest.mark.parametrize("step", ["arrive", "no_show"])
def test_a_visit_is_noted_on_its_local_day_only(seeded, noon, travel, stripe, step):
    visit = paid(stripe)
    second = timedelta(seconds=1)
    answers = {}

    for name, day in DAYS.items():
        starts, ends, at = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in day)
        first = starts
        if step == "no_show":
            at, first = starts, starts + NOBODY_COMES
        tried = []
        for now in (starts - second, first, ends - second, ends):
            times = {"starts_at": at, "ends_at": at + timedelta(minutes=45)}
            put(visit.booking_id, BookingStatus.CONFIRMED, **times)
            travel(now)
            tried.append(answer(STEPS[step], visit.booking_id))
        answers[name] = tried

    done = "arrived" if step == "arrive" else "no_show"
    assert answers == {day: ["not_allowed", done, done, "not_allowed"] for day in DAYS}


def test_the_refusal_names_the_day(seeded, noon, travel, stripe):
    visit = paid(stripe)
    travel(noon + timedelta(days=1))

    words = r"^This visit is on Monday, November 23; it can be noted on that day\. .* goodwill\.$"
    with pytest.raises(NotAllowed, match=words):
        visit_steps.arrive(visit.booking_id, PRIYA)

    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED
    assert booking(visit.booking_id).arrived_at is None


def test_a_time_nobody_has_booked_cannot_be_visited(seeded, noon):
    with pytest.raises(NotAllowed):
        visit_steps.arrive(hold(free_slot()), PRIYA)
    with pytest.raises(NotFound):
        visit_steps.arrive(uuid4(), PRIYA)


def test_treatment_that_nobody_noted_on_the_day_is_for_finance(seeded, noon, travel, stripe):
    visit = paid(stripe)
    visit_steps.arrive(visit.booking_id, PRIYA)
    travel(noon + timedelta(days=1))

    with pytest.raises(NotAllowed, match="only finance can still grant a refund, as goodwill"):
        visit_steps.begin_treatment(visit.booking_id, PRIYA)

    assert booking(visit.booking_id).treatment_began_at is None
    assert [promise.treatment_began_at for promise in all_of(Promise)] == [None]


def test_a_step_noted_later_keeps_when_it_was_and_when_it_was_noted(seeded, noon, travel, stripe):
    visit = paid(stripe)
    arrived, began, noted = (noon + timedelta(minutes=m) for m in (-10, 5, 30))
    travel(noted)

    visit_steps.arrive(visit.booking_id, PRIYA, arrived)
    visit_steps.begin_treatment(visit.booking_id, PRIYA, began)

    seen = booking(visit.booking_id)
    assert (seen.arrived_at, seen.arrived_noted_at) == (arrived, noted)
    assert (seen.treatment_began_at, seen.treatment_noted_at) == (began, noted)
    assert [promise.treatment_began_at for promise in all_of(Promise)] == [began]


def test_a_step_noted_at_once_has_one_time(seeded, noon, stripe):
    visit = paid(stripe)

    visit_steps.arrive(visit.booking_id, PRIYA, noon)
    visit_steps.begin_treatment(visit.booking_id, PRIYA)

    seen = booking(visit.booking_id)
    assert (seen.arrived_at, seen.arrived_noted_at) == (noon, None)
    assert (seen.treatment_began_at, seen.treatment_noted_at) == (noon, None)


# Albany is five hours behind UTC: its Monday begins at 05:00.
WRONG_TIMES = {
    "still to come": (timedelta(seconds=1), "in_future"),
    "the evening before": (-timedelta(hours=12, seconds=1), "another_day"),
}


@pytest.mark.parametrize("when", WRONG_TIMES)
@pytest.mark.parametrize("step", ["arrive", "begin"])
def test_a_step_cannot_be_noted_for(seeded, noon, stripe, step, when):
    visit = paid(stripe)
    shift, code = WRONG_TIMES[when]
    if step == "begin":
        visit_steps.arrive(visit.booking_id, PRIYA)

    with pytest.raises(Invalid) as invalid:
        STEPS[step](visit.booking_id, PRIYA, noon + shift)

    assert [(error.field, error.code) for error in invalid.value.errors] == [("at", code)]


def test_treatment_cannot_begin_before_the_patient_was_here(seeded, noon, stripe):
    visit = paid(stripe)
    visit_steps.arrive(visit.booking_id, PRIYA)

    with pytest.raises(Invalid) as invalid:
        visit_steps.begin_treatment(visit.booking_id, PRIYA, noon - timedelta(seconds=1))

    assert [(e.field, e.code) for e in invalid.value.errors] == [("at", "before_arrival")]
    assert booking(visit.booking_id).status is BookingStatus.ARRIVED
