from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from booking_service.db import db
from booking_service.links import Purpose
from booking_service.models import (
    Booking,
    BookingStatus,
    IdempotentAnswer,
    Patient,
    TermsAcceptance,
)
from tests import factories
from tests.api.conftest import Caller, fields, problem

OTHER = {"name": "Joy Park", "email": "joy@example.com", "phone": "(518) 555-0179"}

WELL_FORMED = {
    "practitioner_id": str(uuid4()),
    "starts_at": "2030-01-01T10:00:00-05:00",
    "patient": OTHER,
    "accept_terms_version": 1,
}


def count(model) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def live() -> int:
    db.session.rollback()
    held = select(func.count()).where(Booking.status == BookingStatus.HELD)
    return db.session.scalar(held)


def test_a_booking_holds_the_time_and_opens_stripes_page(anybody, order, stripe_url):
    body = order(source="article-7", save_card=True, sms_opt_in=True)

    response = anybody.post("/bookings", body)

    made = response.get_json()
    assert response.status_code == 201
    assert (made["status"], made["code"][:3]) == ("held", "FV-")
    assert made["checkout_url"].startswith(stripe_url)
    assert made["manage_url"] == f"http://127.0.0.1:8000/v/{made['token']}"
    booking = db.session.scalars(select(Booking)).one()
    assert (str(booking.id), booking.starts_at.isoformat()) == (made["id"], body["starts_at"])
    assert (booking.source, booking.save_card) == ("article-7", True)
    assert booking.texts_agreed_version == 2
    assert booking.hold_expires_at.isoformat() == made["hold_expires_at"]
    assert set(made) == {
        "id",
        "code",
        "status",
        "hold_expires_at",
        "checkout_url",
        "manage_url",
        "token",
    }


def test_whoever_books_for_somebody_else_is_kept_by_name(anybody, order):
    answer = anybody.post("/bookings", order(booked_by=" Ada  Lovelace"))

    assert answer.status_code == 201
    assert db.session.scalars(select(Booking.booked_by)).all() == ["Ada Lovelace"]


def test_a_booker_without_a_name_is_refused_by_field(anybody, order):
    answer = anybody.post("/bookings", order(booked_by=""))

    assert fields(answer) == [("booked_by", "missing")]


def test_the_hold_lasts_as_long_as_checkout_does(anybody, order):
    before = datetime.now(UTC)

    made = anybody.post("/bookings", order()).get_json()

    lasts = datetime.fromisoformat(made["hold_expires_at"]) - before
    assert timedelta(seconds=1860) <= lasts < timedelta(seconds=1890)


def test_a_booking_is_read_with_its_token(anybody, order):
    body = order()
    made = anybody.post("/bookings", body).get_json()

    booking = anybody.get(f"/bookings/{made['id']}", token=made["token"]).get_json()

    assert booking["practitioner"].pop("name") == "Dr. Maya Okafor"
    assert booking.pop("ends_at") > body["starts_at"]
    assert booking == {
        "id": made["id"],
        "code": made["code"],
        "status": "held",
        "starts_at": body["starts_at"],
        "practitioner": {"id": body["practitioner_id"]},
        "payment": {"status": "open", "amount_cents": 3900},
        "promise": None,
        "refunds": [],
    }


def test_a_paid_booking_is_confirmed_and_its_promise_open(app, anybody, stripe):
    visit = factories.paid(stripe)
    token = app.extensions["links"].token(Purpose.VISIT, visit.booking_id)

    booking = anybody.get(f"/bookings/{visit.booking_id}", token=token).get_json()

    assert booking["status"] == "confirmed"
    assert booking["payment"] == {"status": "paid", "amount_cents": 3900}
    assert booking["promise"] == {"status": "open"}
    assert booking["refunds"] == []


def test_a_booking_is_not_read_without_its_token(anybody, order):
    made = anybody.post("/bookings", order()).get_json()
    path = f"/bookings/{made['id']}"
    altered = ("A" if made["token"][0] != "A" else "B") + made["token"][1:]

    for token in ("nonsense", "💥", "IjEyMyI.x", altered):
        assert problem(anybody.get(path, token=token)) == (404, "not_found")
    assert fields(anybody.get(path)) == [("token", "missing")]
    assert fields(anybody.get(path, token="a" * 501)) == [("token", "too_long")]


def test_another_bookings_token_opens_nothing(anybody, order):
    first = anybody.post("/bookings", order()).get_json()
    second = anybody.post("/bookings", order(patient=OTHER)).get_json()

    answer = anybody.get(f"/bookings/{first['id']}", token=second["token"])

    assert problem(answer) == (404, "not_found")


def test_an_unknown_booking_is_not_found(anybody):
    assert problem(anybody.get(f"/bookings/{uuid4()}", token="x")) == (404, "not_found")
    assert problem(anybody.get("/bookings/17", token="x")) == (404, "not_found")


def test_a_taken_time_is_refused_with_the_nearest_alternatives(anybody, order):
    body = order()
    anybody.post("/bookings", body)

    answer = anybody.post("/bookings", {**body, "patient": OTHER})

    assert problem(answer) == (409, "slot_taken")
    alternatives = answer.get_json()["alternatives"]
    assert [set(slot) for slot in alternatives] == [{"starts_at", "ends_at", "practitioner"}] * 3
    # The same time with the other two, and the next time with the same one.
    assert [slot["starts_at"] for slot in alternatives[:2]] == [body["starts_at"]] * 2
    assert alternatives[2]["practitioner"]["id"] == body["practitioner_id"]
    first = alternatives[0]
    body["practitioner_id"], body["starts_at"] = first["practitioner"]["id"], first["starts_at"]
    assert anybody.post("/bookings", {**body, "patient": OTHER}).status_code == 201


def test_a_taken_time_is_said_to_be_taken_even_under_other_terms(anybody, order):
    body = order()
    anybody.post("/bookings", body)

    answer = anybody.post("/bookings", {**body, "patient": OTHER, "accept_terms_version": 2})

    assert problem(answer) == (409, "slot_taken")


def test_of_many_patients_one_gets_the_time(app, client, order):
    body = order()
    start = Barrier(4)

    def click(number: int) -> str:
        caller = Caller(app.test_client())
        patient = {**OTHER, "email": f"joy{number}@example.com"}
        start.wait()
        answer = caller.post("/bookings", {**body, "patient": patient}).get_json()
        return answer.get("code") if "type" in answer else answer["status"]

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(click, range(4)))

    assert outcomes == ["held", "slot_taken", "slot_taken", "slot_taken"]


def test_the_offer_is_for_a_first_visit(anybody, order, stripe):
    factories.paid(stripe, name="Dana Whitfield", email="dana@example.com")

    answer = anybody.post("/bookings", order())

    assert problem(answer) == (409, "not_a_new_patient")
    assert live() == 0


def test_other_terms_than_those_on_sale_are_refused_and_hold_nothing(anybody, order):
    assert problem(anybody.post("/bookings", order(accept_terms_version=2))) == (
        409,
        "terms_changed",
    )
    assert (live(), count(TermsAcceptance)) == (0, 0)


def test_without_stripe_nothing_is_held(anybody, order, stripe):
    stripe.fault("drop_before", "/v1/checkout/sessions")

    answer = anybody.post("/bookings", order())

    assert problem(answer) == (503, "stripe_unavailable")
    assert live() == 0
    stripe.heal()
    assert anybody.post("/bookings", order()).status_code == 201


@pytest.mark.parametrize("locale", ["en", "es"])
def test_the_language_of_a_booking_is_kept(anybody, order, stripe, locale):
    assert anybody.post("/bookings", order(locale=locale)).status_code == 201

    patient = db.session.scalars(select(Patient)).one()
    kept = db.session.scalars(select(TermsAcceptance)).one()
    [page] = stripe.listed("checkout/sessions")
    assert patient.locale == kept.language == page["locale"] == locale


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"practitioner_id": "Okafor"}, [("practitioner_id", "not_an_id")]),
        ({"practitioner_id": None}, [("practitioner_id", "not_an_id")]),
        ({"starts_at": "2030-01-01T10:00:00"}, [("starts_at", "no_offset")]),
        ({"starts_at": "tomorrow"}, [("starts_at", "not_an_instant")]),
        ({"starts_at": 1795430400}, [("starts_at", "not_an_instant")]),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, [("starts_at", "out_of_range")]),
        ({"starts_at": "9999-12-31T23:59:59-14:00"}, [("starts_at", "out_of_range")]),
        ({"accept_terms_version": "1"}, [("accept_terms_version", "not_a_whole_number")]),
        ({"accept_terms_version": True}, [("accept_terms_version", "not_a_whole_number")]),
        ({"accept_terms_version": 1.5}, [("accept_terms_version", "not_a_whole_number")]),
        ({"accept_terms_version": 2**63}, [("accept_terms_version", "out_of_range")]),
        ({"save_card": "yes"}, [("save_card", "not_true_or_false")]),
        ({"source": "a\x00b"}, [("source", "control_character")]),
        ({"source": "a" * 101}, [("source", "too_long")]),
        ({"locale": "../../etc"}, [("locale", "unknown_choice")]),
        ({"locale": "en-US"}, [("locale", "unknown_choice")]),
        ({"status": "confirmed"}, [("status", "unknown_field")]),
        ({"amount_cents": 1}, [("amount_cents", "unknown_field")]),
        ({"patient": "Dana"}, [("patient", "not_an_object")]),
        ({"patient": []}, [("patient", "not_an_object")]),
        (
            {"patient": {"name": "Dana", "email": "dana@example.com"}},
            [("patient.phone", "missing")],
        ),
        (
            {"patient": {**OTHER, "is_member": True}},
            [("patient.is_member", "unknown_field")],
        ),
        (
            {"patient": {"name": "", "email": "no", "phone": "1"}},
            [
                ("patient.name", "missing"),
                ("patient.email", "not_an_email"),
                ("patient.phone", "not_a_phone"),
            ],
        ),
        ({"patient": {**OTHER, "name": "a\x00b"}}, [("patient.name", "not_a_name")]),
        ({"patient": {**OTHER, "name": "Joy\r\nBcc: x"}}, [("patient.name", "not_a_name")]),
        ({"patient": {**OTHER, "email": "a\x00@example.com"}}, [("patient.email", "not_an_email")]),
        ({"patient": {**OTHER, "phone": "\x00" * 10}}, [("patient.phone", "not_a_phone")]),
        ({"patient": {**OTHER, "name": "x" * 100_000}}, [("patient.name", "too_long")]),
    ],
)
def test_a_body_that_makes_no_sense_is_refused_by_field(client, changes, refused):
    assert fields(Caller(client).post("/bookings", {**WELL_FORMED, **changes})) == refused
    assert (count(Booking), count(Patient)) == (0, 0)


def test_a_time_that_is_not_offered_is_refused(anybody, order):
    nobody, long_ago = str(uuid4()), "2020-01-01T10:00:00+00:00"

    assert fields(anybody.post("/bookings", order(practitioner_id=nobody))) == [
        ("practitioner_id", "unknown")
    ]
    assert fields(anybody.post("/bookings", order(starts_at=long_ago))) == [
        ("starts_at", "not_offered")
    ]
    assert count(Booking) == 0


def test_every_wrong_field_is_named_at_once(client):
    assert fields(Caller(client).post("/bookings", {"patient": {}, "starts_at": 3})) == [
        ("practitioner_id", "missing"),
        ("starts_at", "not_an_instant"),
        ("patient.name", "missing"),
        ("patient.email", "missing"),
        ("patient.phone", "missing"),
        ("accept_terms_version", "missing"),
    ]


def test_thousands_of_wrong_fields_are_cut_short(client):
    extra = {f"field_{number}": 1 for number in range(5000)}

    assert len(fields(Caller(client).post("/bookings", {**WELL_FORMED, **extra}))) == 20


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN',
        b'{"patient": {"name": "\\ud800"}}',
        b"[" * 100_000,
        b'{"starts_at": ' + b"9" * 5000 + b",",
    ],
)
def test_what_is_not_json_is_refused(client, body):
    answer = client.post("/api/v1/bookings", data=body, content_type="application/json")

    assert problem(answer) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"null", b"3", b'"text"', b"true"])
def test_json_that_is_no_object_is_refused(client, body):
    answer = client.post("/api/v1/bookings", data=body, content_type="application/json")

    assert fields(answer) == [("body", "not_an_object")]


def test_a_megabyte_is_too_large(client):
    patient = {**OTHER, "name": "x" * 1_000_000}

    answer = Caller(client).post("/bookings", {**WELL_FORMED, "patient": patient})

    assert problem(answer)[0] == 413


def test_a_form_is_not_json(client):
    answer = client.post("/api/v1/bookings", data={"starts_at": "now"})

    assert problem(answer) == (415, "unsupported_media_type")


def test_the_same_key_and_body_get_the_first_answer_again(anybody, order):
    body = order()
    first = anybody.post("/bookings", body, key="k-1")

    again = anybody.post("/bookings", dict(reversed(body.items())), key="k-1")

    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(Booking) == 1


def test_a_refusal_is_an_answer_too(anybody, order):
    body = order()
    made = anybody.post("/bookings", body).get_json()
    first = anybody.post("/bookings", {**body, "patient": OTHER}, key="k-1")
    booking = db.session.get(Booking, made["id"])
    booking.status = BookingStatus.EXPIRED
    db.session.commit()

    again = anybody.post("/bookings", {**body, "patient": OTHER}, key="k-1")

    assert problem(again) == (409, "slot_taken")
    assert again.get_json() == first.get_json()


def test_the_same_key_with_another_body_is_refused(anybody, order):
    body = order()
    anybody.post("/bookings", body, key="k-1")

    answer = anybody.post("/bookings", {**body, "patient": OTHER}, key="k-1")

    assert problem(answer) == (409, "idempotency_key_reused")
    assert count(Booking) == 1


def test_what_failed_on_stripes_side_may_be_tried_again_with_the_key(anybody, order, stripe):
    stripe.fault("drop_before", "/v1/checkout/sessions")
    body = order()
    assert anybody.post("/bookings", body, key="k-1").status_code == 503
    stripe.heal()

    assert anybody.post("/bookings", body, key="k-1").status_code == 201
    assert count(IdempotentAnswer) == 1


def test_a_key_that_is_too_long_is_refused(anybody, order):
    answer = anybody.post("/bookings", order(), key="k" * 256)

    assert fields(answer) == [("Idempotency-Key", "length")]
    assert count(Booking) == 0


def test_a_cookie_changes_nothing_and_no_csrf_token_is_needed(app, anybody, order):
    app.config["WTF_CSRF_ENABLED"] = True

    assert anybody.post("/bookings", order()).status_code == 201
