from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from booking_service.clock import day_bounds
from booking_service.db import db
from booking_service.errors import NotAllowed
from booking_service.models import (
    ApiToken,
    Offer,
    Plan,
    Practice,
    Practitioner,
    StaffMember,
    TimeOff,
    WorkingHours,
)
from booking_service.queries import availability
from booking_service.services import demo, staff

SECRET = "a secret key of at least thirty-two bytes"
ALBANY = ZoneInfo("America/New_York")


def seed(**more) -> demo.Seeded:
    return demo.seed(SECRET, is_live=False, **more)


def count(model) -> int:
    return db.session.scalar(select(func.count()).select_from(model))


def test_the_demo_can_be_entered_with_what_it_prints(app):
    seeded = seed()

    assert [(entry["email"], entry["role"]) for entry in seeded.staff] == [
        ("priya@alder.example", "front_desk"),
        ("ana@alder.example", "finance"),
        ("owner@alder.example", "admin"),
    ]
    for entry in seeded.staff:
        assert staff.sign_in(entry["email"], entry["password"])
        assert entry["totp_secret"] is None
    assert {
        scope: staff.token_bearer(token).scope.value for scope, token in seeded.api_tokens.items()
    } == {"front_desk": "front_desk", "finance": "finance", "admin": "admin"}


def test_a_second_run_changes_nothing_and_prints_the_same(app):
    first = seed()
    tables = (Practice, Practitioner, WorkingHours, TimeOff, Offer, Plan, StaffMember, ApiToken)
    before = [count(table) for table in tables]

    assert seed() == first
    assert [count(table) for table in tables] == before == [1, 3, 25, 1, 1, 3, 3, 3]


def test_another_installation_has_other_passwords(app):
    first = seed()

    second = demo.seed(SECRET[::-1], is_live=False)

    secrets = [entry["password"] for entry in first.staff + second.staff]
    tokens = [*first.api_tokens.values(), *second.api_tokens.values()]
    assert len(set(secrets + tokens)) == 12


def test_what_staff_changed_stays(app):
    seed()
    practice = db.session.scalars(select(Practice)).one()
    practice.horizon_days, practice.lead_minutes = 14, 60
    db.session.execute(TimeOff.__table__.delete())
    db.session.commit()

    seed()

    practice = db.session.scalars(select(Practice)).one()
    assert (practice.horizon_days, practice.lead_minutes, count(TimeOff)) == (14, 60, 0)


def test_somebody_shut_out_stays_out(app):
    seed()
    member = db.session.scalars(select(StaffMember).where(StaffMember.role == "finance")).one()
    member.disabled_at = datetime(2026, 11, 23, tzinfo=UTC)
    db.session.commit()

    assert len(seed().staff) == 3
    assert db.session.get(StaffMember, member.id).disabled_at is not None


def test_a_live_stripe_key_is_refused(app):
    with pytest.raises(NotAllowed, match="live"):
        demo.seed(SECRET, is_live=True)

    assert count(Practice) == 0


@pytest.mark.parametrize(
    ("today", "closed"),
    [
        ("2026-11-22", date(2026, 11, 26)),
        ("2026-11-26", date(2026, 11, 26)),
        ("2026-11-27", date(2027, 11, 25)),
        ("2028-01-01", date(2028, 11, 23)),
    ],
)
def test_the_practice_is_closed_for_the_next_thanksgiving(app, travel, today, closed):
    travel(datetime.fromisoformat(f"{today}T12:00").replace(tzinfo=ALBANY).astimezone(UTC))

    seed()

    off = db.session.scalars(select(TimeOff)).one()
    assert off.starts_at == day_bounds(closed, ALBANY)[0]
    assert [day.closed for day in availability.free_days(closed, 3)] == [
        "Closed for Thanksgiving",
        "Closed for Thanksgiving",
        None,
    ]


def test_patients_can_book_over_the_days_that_were_asked_for(app, travel):
    travel(datetime(2027, 1, 4, 12, 0, tzinfo=UTC))

    seed(days=7)

    days = availability.free_days(date(2027, 1, 4), 9)
    assert [bool(day.slots) for day in days] == [True] * 6 + [False, True, False]


def test_around_the_clock_a_visit_can_start_within_the_grid(app, travel):
    seed()
    travel(datetime(2026, 11, 26, 8, 1, tzinfo=UTC))  # in the night of Thanksgiving

    seed(all_hours=True)

    assert [slot.starts_at for slot in availability.soonest(3)] == [
        datetime(2026, 11, 26, 8, 20, tzinfo=UTC)
    ] * 3
    assert count(WorkingHours) == 21
