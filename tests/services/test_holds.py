from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import IntegrityError

from booking_service.db import transaction
from booking_service.errors import GatewayUnavailable, HoldEnded, Invalid, SlotTaken
from booking_service.languages import Language
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    Payment,
    PaymentStatus,
    Practitioner,
    TimeOff,
)
from booking_service.queries import availability
from booking_service.services import checkout, demo, holds, orders, patients
from tests.factories import (
    HALF_AN_HOUR,
    all_of,
    at_stripe,
    booking,
    change,
    details,
    free_slot,
    hold,
    payment_of,
)

ALBANY = ZoneInfo("America/New_York")
SESSIONS = "/v1/checkout/sessions"


@pytest.fixture
def okafor(noon, app, settings) -> Practitioner:
    """A doctor with a week of ordinary hours, who is away on Wednesday from 10 to 11."""
    demo.seed(settings.secret_key, is_live=False)
    doctor = next(p for p in availability.practitioners() if p.name == "Dr. Maya Okafor")
    with transaction() as session:
        away = {"starts_at": local("25T10:00"), "ends_at": local("25T11:00"), "reason": "Course"}
        session.add(TimeOff(practitioner_id=doctor.id, **away))
    return doctor


def local(text: str) -> datetime:
    """An instant by the practice's wall clock: `24T08:00` is in November 2026."""
    month = "" if text.count("-") else "11-"
    return datetime.fromisoformat(f"2026-{month}{text}").replace(tzinfo=ALBANY).astimezone(UTC)


def fields(practitioner_id, starts_at) -> list[str]:
    """Which fields are refused; none when the time is held."""
    try:
        holds.place(practitioner_id, starts_at, HALF_AN_HOUR, None)
    except Invalid as refused:
        return [error.field for error in refused.errors]
    return []


def test_a_time_that_is_not_offered_is_refused_and_leaves_no_row(okafor):
    not_offered = {
        "past": "23T09:00",
        "too soon": "23T13:50",
        "beyond the horizon": "12-22T08:00",
        "off the grid": "24T08:10",
        "before hours": "24T07:40",
        "over lunch": "24T11:40",
        "during time off": "25T10:20",
        "into time off": "25T09:20",
        "closed": "26T10:00",
    }

    refused = {why: fields(okafor.id, local(at)) for why, at in not_offered.items()}

    assert refused == {why: ["starts_at"] for why in not_offered}
    assert all_of(Booking) == []


def test_the_first_and_the_last_offered_times_are_held(okafor):
    starts = ["23T14:10", "12-21T08:00", "24T08:00", "24T11:20", "25T09:00", "25T11:00"]

    assert [fields(okafor.id, local(at)) for at in starts] == [[]] * len(starts)


def test_only_a_doctor_who_can_be_booked_is_held(okafor):
    change(Practitioner, okafor.id, is_bookable=False)

    asked = [okafor.id, uuid4()]

    assert [fields(id_, local("24T08:00")) for id_ in asked] == [["practitioner_id"]] * 2
    assert all_of(Booking) == []


def test_a_hold_lasts_as_long_as_was_asked_and_is_noted(seeded, noon):
    slot = free_slot()

    held = booking(holds.place(slot.practitioner_id, slot.starts_at, HALF_AN_HOUR, "article-7"))

    assert (held.status, held.source, held.patient_id) == (BookingStatus.HELD, "article-7", None)
    assert (held.starts_at, held.ends_at) == (slot.starts_at, slot.ends_at)
    assert held.hold_expires_at == noon + HALF_AN_HOUR
    assert [(row.action, row.subject_id) for row in all_of(AuditRow)][-1] == (
        "booking.hold",
        held.id,
    )


def test_a_taken_time_is_not_held_twice(seeded, noon):
    slot = free_slot()
    first = hold(slot)

    with pytest.raises(SlotTaken) as taken:
        hold(slot)

    assert (taken.value.practitioner_id, taken.value.starts_at) == (
        slot.practitioner_id,
        slot.starts_at,
    )
    assert [row.id for row in all_of(Booking)] == [first]


def test_another_refusal_of_the_database_is_not_called_a_taken_time(seeded, noon, monkeypatch):
    monkeypatch.setattr("booking_service.models.bookings.secrets.choice", lambda letters: "7")
    hold(free_slot())

    with pytest.raises(IntegrityError, match="uq_bookings_code"):
        hold(free_slot(5))


def test_a_hold_is_extended_from_now_on_until_it_ended(seeded, noon, travel):
    booking_id = hold()

    travel(noon + HALF_AN_HOUR - timedelta(seconds=1))
    holds.extend(booking_id, HALF_AN_HOUR)
    ends = noon + 2 * HALF_AN_HOUR - timedelta(seconds=1)
    assert booking(booking_id).hold_expires_at == ends

    travel(ends)
    with pytest.raises(HoldEnded):
        holds.extend(booking_id, HALF_AN_HOUR)
    assert booking(booking_id).hold_expires_at == ends


def test_a_released_hold_frees_its_time(seeded, noon, gateway, stripe):
    slot = free_slot()
    before_details, with_page = hold(slot), at_stripe(free_slot(5), name="Robin Hale")

    holds.release(before_details, gateway)
    holds.release(with_page.booking_id, gateway)
    holds.release(with_page.booking_id, gateway)

    assert [row.status for row in all_of(Booking)] == [BookingStatus.EXPIRED] * 2
    assert payment_of(with_page.booking_id).status is PaymentStatus.EXPIRED
    assert stripe.pay(with_page.stripe_checkout_session_id).status_code == 400
    assert hold(slot) != before_details


def test_a_hold_whose_page_was_never_made_is_released_with_its_payment(
    seeded, noon, gateway, stripe, app
):
    stripe.fault("error_500_before", SESSIONS)
    with pytest.raises(GatewayUnavailable):
        at_stripe()
    [held] = all_of(Booking)

    holds.release(held.id, gateway)

    assert booking(held.id).status is BookingStatus.EXPIRED
    assert payment_of(held.id).status is PaymentStatus.EXPIRED


def test_a_hold_is_let_go_when_its_time_has_passed_and_not_before(
    seeded, noon, travel, gateway, stripe
):
    payment = at_stripe()
    page = f"{SESSIONS}/{payment.stripe_checkout_session_id}"

    travel(noon + HALF_AN_HOUR - timedelta(seconds=1))
    assert holds.sweep(gateway) == 0
    assert stripe.statuses("POST", f"{page}/expire") == []
    assert booking(payment.booking_id).status is BookingStatus.HELD

    travel(noon + HALF_AN_HOUR)
    assert holds.sweep(gateway) == 1
    assert stripe.statuses("POST", f"{page}/expire") == [200]
    assert booking(payment.booking_id).status is BookingStatus.EXPIRED
    assert payment_of(payment.booking_id).status is PaymentStatus.EXPIRED
    assert holds.sweep(gateway) == 0


def test_a_time_is_free_only_after_stripes_page_was_closed(seeded, noon, travel, gateway, stripe):
    stuck, other = at_stripe(free_slot(0)), at_stripe(free_slot(5), name="Robin Hale")
    page = f"{SESSIONS}/{stuck.stripe_checkout_session_id}/expire"
    stripe.fault("drop_before", page)

    travel(noon + HALF_AN_HOUR)
    assert holds.sweep(gateway) == 2
    assert booking(stuck.booking_id).status is BookingStatus.HELD
    assert booking(other.booking_id).status is BookingStatus.EXPIRED

    assert holds.sweep(gateway) == 1
    assert stripe.statuses("POST", page) == [0, 200]
    assert booking(stuck.booking_id).status is BookingStatus.EXPIRED


def test_a_hold_paid_in_the_last_second_is_confirmed(seeded, noon, travel, gateway, stripe):
    payment = at_stripe()
    stripe.pay(payment.stripe_checkout_session_id)

    travel(noon + HALF_AN_HOUR)
    holds.sweep(gateway)

    assert booking(payment.booking_id).status is BookingStatus.CONFIRMED
    assert payment_of(payment.booking_id).status is PaymentStatus.PAID


def test_whoever_comes_back_after_the_hold_ended_is_told(seeded, noon, travel, gateway, app):
    booking_id = hold()
    patients.set_details(booking_id, details(), HALF_AN_HOUR)
    travel(noon + HALF_AN_HOUR)
    consent = orders.Consent(1, Language.EN, "203.0.113.9", "a browser", save_card=False)

    with pytest.raises(HoldEnded):
        checkout.start(booking_id, consent, gateway, app.extensions["links"], HALF_AN_HOUR)
    with pytest.raises(HoldEnded):
        patients.set_details(booking_id, details(), HALF_AN_HOUR)

    assert all_of(Payment) == []
