from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking_service.db import db
from booking_service.models import Plan
from tests import factories
from tests.api.conftest import Caller, fields, problem

MONDAY = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # noon in Albany


def test_the_offer_tells_price_terms_and_promise(anybody):
    offer = anybody.get("/offer").get_json()

    assert (offer["price_cents"], offer["currency"], offer["terms_version"]) == (3900, "usd", 1)
    assert offer["includes"] == ["Exam", "Consultation", "Total-spinal adjustment"]
    assert offer["promise"].startswith("Refunded in full if you become a member")
    assert offer["terms_url"] == "http://127.0.0.1:8000/terms/1"
    assert set(offer) == {
        "price_cents",
        "currency",
        "includes",
        "promise",
        "terms_version",
        "terms_url",
    }


def test_slots_are_listed_by_day_of_the_practice(anybody, travel):
    travel(MONDAY)

    answer = anybody.get("/slots", **{"from": "2026-11-23", "days": 2}).get_json()

    assert answer["timezone"] == "America/New_York"
    assert [day["date"] for day in answer["days"]] == ["2026-11-23", "2026-11-24"]
    first = answer["days"][0]["slots"][0]
    assert (first["starts_at"], first["ends_at"]) == (
        "2026-11-23T17:00:00+00:00",
        "2026-11-23T17:45:00+00:00",
    )
    assert first["practitioner"]["name"] == "Dr. Maya Okafor"
    # From noon, and over the whole next day, each of three practitioners every 20 minutes.
    assert [len(day["slots"]) for day in answer["days"]] == [3 * 36, 3 * 72]


def test_slots_start_today_and_span_two_weeks_unless_asked_otherwise(anybody, travel):
    travel(MONDAY)

    days = anybody.get("/slots").get_json()["days"]

    assert (days[0]["date"], len(days)) == ("2026-11-23", 14)


def test_slots_of_one_practitioner(anybody, travel):
    travel(MONDAY)
    [_, reyes, _] = {
        slot["practitioner"]["name"]: slot["practitioner"]["id"]
        for slot in anybody.get("/slots", days=1).get_json()["days"][0]["slots"]
    }.values()

    [day] = anybody.get("/slots", days=1, practitioner=reyes).get_json()["days"]

    assert {slot["practitioner"]["id"] for slot in day["slots"]} == {reyes}


def test_a_held_time_is_gone_at_once(anybody):
    slot = factories.free_slot()

    factories.hold(slot)

    day = slot.starts_at.astimezone(ZoneInfo("America/New_York")).date().isoformat()
    [answer] = anybody.get("/slots", **{"from": day, "days": 1}).get_json()["days"]
    taken = slot.starts_at.isoformat()
    same_time = [s["practitioner"]["name"] for s in answer["slots"] if s["starts_at"] == taken]
    assert same_time == ["Dr. Tom Reyes", "Dr. Lena Park"]


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ({"days": "0"}, [("days", "out_of_range")]),
        ({"days": "63"}, [("days", "out_of_range")]),
        ({"days": "1.5"}, [("days", "not_a_whole_number")]),
        ({"days": "9" * 5000}, [("days", "not_a_whole_number")]),
        ({"from": "tomorrow"}, [("from", "not_a_date")]),
        ({"from": "1700000000"}, [("from", "not_a_date")]),
        ({"from": "9999-12-31"}, [("from", "out_of_range")]),
        ({"from": "0001-01-01"}, [("from", "out_of_range")]),
        ({"from": "2026-02-30"}, [("from", "not_a_date")]),
        ({"practitioner": "me"}, [("practitioner", "not_an_id")]),
        ({"practitoner": "x"}, [("practitoner", "unknown_field")]),
        ({"days": ["1", "2"]}, [("days", "repeated")]),
        (
            {"days": "x", "from": "x"},
            [("from", "not_a_date"), ("days", "not_a_whole_number")],
        ),
    ],
)
def test_a_query_that_makes_no_sense_is_refused_by_field(client, query, refused):
    assert fields(Caller(client).get("/slots", **query)) == refused


def test_an_unknown_practitioner_has_no_times(anybody):
    days = anybody.get("/slots", practitioner="0" * 32, days=1).get_json()["days"]

    assert [day["slots"] for day in days] == [[]]


def test_plans_on_sale_are_listed_in_the_practices_order(anybody):
    db.session.query(Plan).filter_by(name="Corrective").update({"is_on_sale": False})
    db.session.commit()

    plans = anybody.get("/plans").get_json()

    assert [(p["name"], p["price_cents"], p["visits_a_month"]) for p in plans["items"]] == [
        ("Wellness", 7900, 2),
        ("Family", 22900, 6),
    ]
    assert (plans["count"], plans["next_cursor"]) == (2, None)


def test_before_the_practice_is_set_up_nothing_is_offered(client):
    assert problem(client.get("/api/v1/offer")) == (404, "not_found")


def test_an_unknown_call_and_a_wrong_method_are_problems_too(client):
    assert problem(client.get("/api/v1/nowhere")) == (404, "not_found")
    assert problem(client.delete("/api/v1/offer")) == (405, "method_not_allowed")


def test_the_last_bookable_day_is_the_horizon(anybody, travel):
    travel(MONDAY)

    days = anybody.get("/slots", days=30).get_json()["days"]

    last = (MONDAY + timedelta(days=28)).date().isoformat()
    assert [day["date"] for day in days if day["slots"]][-1] == last
