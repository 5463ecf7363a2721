"""Cancelling, moving, and walk-ins by programs."""

from datetime import timedelta

import pytest
from flask import current_app

from booking_service.links import Purpose
from booking_service.models import Booking, BookingStatus, PaymentTender
from tests import factories
from tests.api.conftest import fields, problem
from tests.factories import booking, change, free_slot, payment_of


@pytest.fixture
def visit(seeded, noon, stripe):
    """A paid visit three days from now."""
    made = factories.paid(stripe)
    starts_at = noon + timedelta(days=3)
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=45)}
    change(Booking, made.booking_id, **times)
    made.starts_at = starts_at
    return made


def call(booking_id, step: str) -> str:
    token = current_app.extensions["links"].token(Purpose.VISIT, booking_id)
    return f"/bookings/{booking_id}/{step}?token={token}"


def another(nth: int = 30) -> dict:
    slot = free_slot(nth)
    return {
        "practitioner_id": str(slot.practitioner_id),
        "starts_at": slot.starts_at.isoformat(),
    }


def test_a_visit_is_cancelled_with_its_token_and_the_answer_shows_the_money(anybody, visit):
    answers = [anybody.post(call(visit.booking_id, "cancel")) for _ in range(2)]

    for answer in answers:
        body = answer.get_json()
        assert (answer.status_code, body["status"]) == (200, "cancelled")
        assert body["promise"] == {"status": "void"}
        assert [(r["reason"], r["amount_cents"]) for r in body["refunds"]] == [
            ("cancellation", 3900)
        ]


def test_after_the_cut_off_the_answer_shows_that_the_money_is_kept(anybody, visit, travel):
    travel(visit.starts_at - timedelta(hours=24))

    body = anybody.post(call(visit.booking_id, "cancel")).get_json()

    assert (body["status"], body["promise"]) == ("cancelled", {"status": "lapsed"})
    assert body["refunds"] == []


def test_a_visit_that_has_begun_is_too_late(anybody, visit, travel):
    travel(visit.starts_at)

    for step, body in (("cancel", None), ("reschedule", another())):
        answer = anybody.post(call(visit.booking_id, step), body)
        assert problem(answer) == (409, "too_late")


def test_a_hold_is_let_go(anybody, seeded, noon, stripe):
    payment = factories.at_stripe()

    answer = anybody.post(call(payment.booking_id, "cancel"))

    assert (answer.status_code, answer.get_json()["status"]) == (200, "expired")
    assert [page["status"] for page in stripe.listed("checkout/sessions")] == ["expired"]


def test_paid_while_cancelling_goes_back(anybody, seeded, noon, stripe):
    payment = factories.at_stripe(free_slot(400))
    stripe.pay(payment.stripe_checkout_session_id)

    body = anybody.post(call(payment.booking_id, "cancel")).get_json()

    assert (body["status"], body["payment"]["status"]) == ("cancelled", "paid")
    assert [refund["reason"] for refund in body["refunds"]] == ["cancellation"]


def test_a_visit_is_moved_with_its_token(anybody, visit, stripe):
    to = another()

    answer = anybody.post(call(visit.booking_id, "reschedule"), to)

    body = answer.get_json()
    assert (answer.status_code, body["starts_at"]) == (200, to["starts_at"])
    assert (body["status"], body["promise"]["status"]) == ("confirmed", "open")
    assert len(stripe.listed("payment_intents")) == 1


def test_a_taken_time_comes_with_others(anybody, visit):
    to = another()
    factories.hold(free_slot(30))

    answer = anybody.post(call(visit.booking_id, "reschedule"), to)

    assert problem(answer) == (409, "slot_taken")
    assert answer.get_json()["alternatives"]
    assert booking(visit.booking_id).starts_at == visit.starts_at


def test_the_third_move_and_a_time_that_is_not_offered_are_refused(anybody, visit, noon):
    change(Booking, visit.booking_id, moves=2)
    path = call(visit.booking_id, "reschedule")

    assert problem(anybody.post(path, another())) == (409, "not_allowed")
    change(Booking, visit.booking_id, moves=0)
    past = another() | {"starts_at": (noon - timedelta(hours=1)).isoformat()}
    assert fields(anybody.post(path, past)) == [("starts_at", "not_offered")]


def test_without_the_token_there_is_no_booking(anybody, visit):
    other = current_app.extensions["links"].token(Purpose.HOLD, visit.booking_id)
    for step, body in (("cancel", None), ("reschedule", another())):
        path = f"/bookings/{visit.booking_id}/{step}?token={other}"
        assert problem(anybody.post(path, body)) == (404, "not_found")
        assert problem(anybody.post(path.partition("?")[0], body)) == (422, "invalid")
    assert booking(visit.booking_id).status is BookingStatus.CONFIRMED


def test_a_step_may_say_when_it_was(desk, seeded, noon, stripe):
    visit = factories.paid(stripe)
    earlier = noon - timedelta(minutes=20)
    path = f"/bookings/{visit.booking_id}"

    arrived = desk.post(f"{path}/arrive", {"at": earlier.isoformat()})
    began = desk.post(f"{path}/begin-treatment")

    assert (arrived.status_code, began.status_code) == (200, 200)
    kept = booking(visit.booking_id)
    assert (kept.arrived_at, kept.arrived_noted_at) == (earlier, noon)
    assert (kept.treatment_began_at, kept.treatment_noted_at) == (noon, None)


def test_a_step_still_to_come_is_refused(desk, seeded, noon, stripe):
    visit = factories.paid(stripe)
    later = (noon + timedelta(minutes=1)).isoformat()

    answer = desk.post(f"/bookings/{visit.booking_id}/arrive", {"at": later})

    assert fields(answer) == [("at", "in_future")]


def walk_in(**changes) -> dict:
    return {
        "practitioner_id": str(free_slot().practitioner_id),
        "patient": {
            "name": "Dana Whitfield",
            "email": "dana@example.com",
            "phone": "518 555 0178",
        },
        "payment": {"tender": "cash", "reference": "R-17"},
        "accept_terms_version": 1,
    } | changes


def test_a_walk_in_is_booked_paid_and_confirmed_at_once(desk, seeded, noon):
    answer = desk.post("/walk-ins", walk_in())

    body = answer.get_json()
    assert (answer.status_code, body["status"]) == (201, "confirmed")
    assert body["starts_at"] == noon.isoformat()
    assert body["payment"] == {"status": "paid", "amount_cents": 3900}
    assert body["promise"] == {"status": "open"}
    assert payment_of(body["id"]).tender is PaymentTender.CASH
    assert desk.post(f"/bookings/{body['id']}/arrive").get_json()["status"] == "arrived"


def test_a_walk_in_at_a_taken_time_comes_with_others(desk, seeded, noon):
    body = walk_in()
    factories.hold(free_slot())

    answer = desk.post("/walk-ins", body)

    assert problem(answer) == (409, "slot_taken")
    assert answer.get_json()["alternatives"]


def test_what_is_wrong_with_a_walk_in_is_said_by_field(desk, seeded, noon):
    card = {"tender": "card", "reference": "R-17"}
    blank = {"tender": "cash", "reference": " "}
    nobody = {"name": "", "email": "dana@example.com", "phone": "518 555 0178"}
    tomorrow = (noon + timedelta(days=1)).isoformat()

    assert fields(desk.post("/walk-ins", walk_in(payment=card)))[0][0] == "payment.tender"
    assert fields(desk.post("/walk-ins", walk_in(payment=blank)))[0][0] == "payment.reference"
    assert fields(desk.post("/walk-ins", walk_in(patient=nobody)))[0][0] == "patient.name"
    assert fields(desk.post("/walk-ins", walk_in(starts_at=tomorrow)))[0][0] == "starts_at"


def test_only_the_desk_takes_walk_ins(anybody, finance, seeded):
    assert problem(anybody.post("/walk-ins", walk_in())) == (401, "unauthenticated")
    assert problem(finance.post("/walk-ins", walk_in())) == (403, "forbidden")
