from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from booking_service import clock
from booking_service.clock import local_day
from booking_service.db import db
from booking_service.models import ActorKind, ApiToken, AuditRow, Booking, Practice
from booking_service.services import staff
from tests import factories
from tests.api.conftest import Caller, fields, problem


@pytest.fixture
def visit(stripe, desk, travel):
    """A confirmed booking at the minute it starts: the desk's clock stands still there."""
    paid = factories.paid(stripe)
    travel(db.session.get(Booking, paid.booking_id).starts_at)
    return paid


@pytest.fixture
def plan_id(anybody) -> str:
    return next(
        p["id"] for p in anybody.get("/plans").get_json()["items"] if p["visits_a_month"] == 4
    )


def practice_zone() -> ZoneInfo:
    return db.session.query(Practice).one().zone


def press(desk: Caller, visit, *steps: str):
    for step in steps:
        answer = desk.post(f"/bookings/{visit.booking_id}/{step}")
    return answer


SAVED_CARD = {"method": "saved_card"}


def test_every_call_needs_the_desks_token(client):
    tokens = {scope: staff.create_token(scope, scope) for scope in ("finance", "front_desk")}
    booking, membership = f"/bookings/{uuid4()}", f"/memberships/{uuid4()}"
    steps = ("arrive", "begin-treatment", "complete", "no-show", "convert")
    calls = [
        ("get", "/desk/day"),
        *(("post", f"{booking}/{step}") for step in steps),
        ("get", membership),
        ("post", f"{membership}/undo"),
    ]

    def answers(token: str | None) -> list[tuple[int, str]]:
        caller = Caller(client, token)
        return [problem(getattr(caller, method)(path)) for method, path in calls]

    assert answers(None) == answers("fv_x") == answers("💥") == [(401, "unauthenticated")] * 8
    assert answers(tokens["finance"]) == [(403, "forbidden")] * 8
    assert {status for status, _ in answers(tokens["front_desk"])} == {404, 415}


def test_a_refused_token_is_told_how_to_come_in(client):
    assert Caller(client).get("/desk/day").headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_token_opens_nothing(desk):
    db.session.query(ApiToken).update({"revoked_at": clock.utc_now()})
    db.session.commit()

    assert problem(desk.get("/desk/day")) == (401, "unauthenticated")


def test_an_administrators_token_opens_the_desk(admin):
    assert admin.get("/desk/day").status_code == 200


def test_the_day_lists_visits_by_practitioner(desk, visit):
    booking = db.session.get(Booking, visit.booking_id)
    day = local_day(booking.starts_at, practice_zone()).isoformat()

    answer = desk.get("/desk/day", date=day).get_json()

    assert (answer["date"], answer["timezone"], answer["count"]) == (day, "America/New_York", 1)
    assert [p["name"] for p in answer["practitioners"]] == [
        "Dr. Maya Okafor",
        "Dr. Tom Reyes",
        "Dr. Lena Park",
    ]
    assert [p["visits"] for p in answer["practitioners"]] == [
        [
            {
                "id": str(visit.booking_id),
                "code": booking.code,
                "status": "confirmed",
                "starts_at": booking.starts_at.isoformat(),
                "ends_at": booking.ends_at.isoformat(),
                "patient": {"name": "Dana Whitfield"},
                "payment": {"status": "paid", "amount_cents": 3900},
                "membership": None,
                "refund": None,
            }
        ],
        [],
        [],
    ]
    assert desk.get("/desk/day").get_json() == answer  # the clock stands in that day


def test_a_visit_goes_from_arrival_to_its_end(desk, visit):
    statuses = [
        press(desk, visit, step).get_json()["status"]
        for step in ("arrive", "begin-treatment", "complete")
    ]

    assert statuses == ["arrived", "in_treatment", "completed"]


def test_pressing_twice_is_one(desk, visit):
    twice = [press(desk, visit, "arrive") for _ in range(2)]

    assert [answer.status_code for answer in twice] == [200, 200]
    assert twice[0].get_json() == twice[1].get_json()
    rows = db.session.query(AuditRow).filter_by(
        subject_id=visit.booking_id, action="booking.arrived"
    )
    assert [(row.actor_kind, row.actor_id) for row in rows] == [
        (ActorKind.TOKEN, db.session.query(ApiToken).filter_by(scope="front_desk").one().id)
    ]


def test_a_patient_arrives_on_the_visits_day_only(desk, visit, travel):
    travel(clock.utc_now() + timedelta(days=1))

    answer = press(desk, visit, "arrive")

    assert problem(answer) == (409, "not_allowed")
    assert "can be noted on that day" in answer.get_json()["detail"]


def test_steps_have_an_order(desk, visit):
    assert problem(press(desk, visit, "begin-treatment")) == (409, "not_arrived")
    assert problem(press(desk, visit, "complete")) == (409, "not_arrived")
    press(desk, visit, "arrive")
    assert problem(press(desk, visit, "no-show")) == (409, "not_allowed")


def test_who_does_not_come_loses_the_promise_ten_minutes_after_the_start(desk, visit, travel):
    early = press(desk, visit, "no-show")
    assert problem(early) == (409, "not_allowed")
    assert "No-show can be noted from" in early.get_json()["detail"]
    travel(clock.utc_now() + timedelta(minutes=10))

    answer = press(desk, visit, "no-show").get_json()

    assert (answer["status"], answer["promise"]) == ("no_show", {"status": "lapsed"})


def test_an_unknown_visit_is_not_found(desk):
    assert problem(desk.post(f"/bookings/{uuid4()}/arrive")) == (404, "not_found")
    assert problem(desk.get(f"/memberships/{uuid4()}")) == (404, "not_found")
    assert problem(desk.post(f"/memberships/{uuid4()}/undo")) == (404, "not_found")


def test_converting_decides_once(desk, visit, plan_id):
    press(desk, visit, "arrive", "begin-treatment")
    path, body = (
        f"/bookings/{visit.booking_id}/convert",
        {"plan_id": plan_id, "payment": SAVED_CARD},
    )

    first, second = desk.post(path, body), desk.post(path, body)

    made = first.get_json()
    assert (first.status_code, second.status_code) == (201, 200)
    assert made == second.get_json()
    membership = made["membership"]
    undo_until = clock.utc_now() + timedelta(seconds=10)
    assert made == {
        "membership": {
            "id": membership["id"],
            "status": "pending",
            "undo_until": undo_until.isoformat(),
            "payment": {"status": "scheduled", "amount_cents": 14900, "decline_code": None},
        },
        "refund": None,
        "checkout_url": None,
    }
    assert desk.get(f"/memberships/{membership['id']}").get_json() == made


def test_a_page_for_the_patients_phone_is_answered_at_once_and_again(desk, visit, plan_id, stripe):
    press(desk, visit, "arrive", "begin-treatment")
    path, body = (
        f"/bookings/{visit.booking_id}/convert",
        {"plan_id": plan_id, "payment": {"method": "checkout_link"}},
    )

    first, second = desk.post(path, body), desk.post(path, body)

    [page] = [one for one in stripe.listed("checkout/sessions") if one["mode"] == "subscription"]
    made = first.get_json()
    assert (first.status_code, second.status_code) == (201, 200)
    assert made["checkout_url"] == page["url"]
    assert made["membership"]["payment"]["status"] == "scheduled"
    assert second.get_json() == made
    assert desk.get(f"/memberships/{made['membership']['id']}").get_json() == made


def test_while_stripe_does_not_answer_the_page_is_asked_for_again(desk, visit, plan_id, stripe):
    press(desk, visit, "arrive", "begin-treatment")
    path, body = (
        f"/bookings/{visit.booking_id}/convert",
        {"plan_id": plan_id, "payment": {"method": "checkout_link"}},
    )
    stripe.fault("drop_before", "/v1/checkout/sessions")

    first, second = desk.post(path, body, key="press-1"), desk.post(path, body, key="press-1")

    assert problem(first) == (503, "stripe_unavailable")
    assert second.status_code == 200, second.get_json()
    assert second.get_json()["checkout_url"].startswith(stripe.url)


def test_undoing_closes_the_patients_page(desk, visit, plan_id, stripe):
    press(desk, visit, "arrive", "begin-treatment")
    body = {"plan_id": plan_id, "payment": {"method": "checkout_link"}}
    made = desk.post(f"/bookings/{visit.booking_id}/convert", body).get_json()["membership"]

    undone = desk.post(f"/memberships/{made['id']}/undo").get_json()

    [page] = [one for one in stripe.listed("checkout/sessions") if one["mode"] == "subscription"]
    assert (undone["membership"]["status"], page["status"]) == ("undone", "expired")


def test_a_membership_is_taken_back_within_the_undo_time(desk, visit, plan_id):
    press(desk, visit, "arrive", "begin-treatment")
    body = {"plan_id": plan_id, "payment": {"method": "recorded", "reference": "R-17"}}
    made = desk.post(f"/bookings/{visit.booking_id}/convert", body).get_json()["membership"]

    answers = [desk.post(f"/memberships/{made['id']}/undo") for _ in range(2)]

    assert [a.get_json()["membership"]["status"] for a in answers] == ["undone", "undone"]


def test_afterwards_it_is_too_late_to_undo(desk, visit, plan_id, travel):
    press(desk, visit, "arrive", "begin-treatment")
    body = {"plan_id": plan_id, "payment": SAVED_CARD}
    made = desk.post(f"/bookings/{visit.booking_id}/convert", body).get_json()["membership"]
    travel(clock.utc_now() + timedelta(seconds=10))

    assert problem(desk.post(f"/memberships/{made['id']}/undo")) == (409, "too_late")


def test_the_refund_is_seen_once_the_first_payment_has_settled(desk, visit, plan_id, travel, work):
    press(desk, visit, "arrive", "begin-treatment")
    body = {"plan_id": plan_id, "payment": {"method": "recorded", "reference": "R-17"}}
    made = desk.post(f"/bookings/{visit.booking_id}/convert", body).get_json()["membership"]
    travel(clock.utc_now() + timedelta(seconds=11))

    work()

    answer = desk.get(f"/memberships/{made['id']}").get_json()
    assert (answer["membership"]["status"], answer["membership"]["payment"]["status"]) == (
        "active",
        "paid",
    )
    assert (answer["refund"]["status"], answer["refund"]["amount_cents"]) == ("succeeded", 3900)


def test_converting_needs_arrival_and_treatment_in_this_visit(desk, visit, plan_id):
    path, body = (
        f"/bookings/{visit.booking_id}/convert",
        {"plan_id": plan_id, "payment": SAVED_CARD},
    )

    codes = [problem(desk.post(path, body))]
    for step in ("arrive", "complete"):
        press(desk, visit, step)
        codes.append(problem(desk.post(path, body)))

    assert codes == [
        (409, "not_arrived"),
        (409, "treatment_not_begun"),
        (409, "window_closed"),
    ]


def test_a_conversion_that_makes_no_sense_is_refused_by_field(desk, visit, plan_id):
    press(desk, visit, "arrive", "begin-treatment")
    path = f"/bookings/{visit.booking_id}/convert"

    def refused(plan: object = plan_id, **payment: object) -> list[tuple[str, str]]:
        return fields(desk.post(path, {"plan_id": plan, "payment": payment}))

    assert refused(plan=str(uuid4()), **SAVED_CARD) == [("plan_id", "unknown")]
    assert refused(plan="gold", **SAVED_CARD) == [("plan_id", "not_an_id")]
    assert refused(method="cash") == [("payment.method", "unknown_choice")]
    assert refused(method="recorded") == [("payment.reference", "missing")]
    assert refused(method="recorded", reference="a\x00") == [
        ("payment.reference", "control_character")
    ]
    assert refused(method="recorded", reference="a" * 65) == [("payment.reference", "too_long")]
    assert refused(method="saved_card", amount_cents=1) == [
        ("payment.amount_cents", "unknown_field")
    ]


def test_the_same_key_presses_once(desk, visit, plan_id):
    press(desk, visit, "arrive", "begin-treatment")
    path, body = (
        f"/bookings/{visit.booking_id}/convert",
        {"plan_id": plan_id, "payment": SAVED_CARD},
    )

    first, again = desk.post(path, body, key="k-1"), desk.post(path, body, key="k-1")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()


def test_the_desk_day_of_a_practice_elsewhere_is_that_practices(desk, travel):
    db.session.query(Practice).update({"timezone": "Pacific/Chatham"})
    db.session.commit()

    answer = desk.get("/desk/day").get_json()

    zone = practice_zone()
    assert (answer["timezone"], answer["date"]) == (
        "Pacific/Chatham",
        local_day(clock.utc_now(), zone).isoformat(),
    )
