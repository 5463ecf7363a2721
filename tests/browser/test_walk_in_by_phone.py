"""Somebody without a visit comes in, and pays on their own phone while the desk looks on."""

import pytest
from playwright.sync_api import expect

from booking_service.models import Booking, BookingStatus
from tests.browser.patient import DANA, go_to_stripe, pay
from tests.browser.test_every_screen import sign_in
from tests.factories import all_of

pytestmark = pytest.mark.browser


def test_the_desk_sees_the_phone_pay_and_checks_the_patient_in(live, noon, seeded, phones):
    desk = phones(viewport={"width": 1366, "height": 768}, base_url=live)
    sign_in(desk, seeded, "front_desk")
    desk.keyboard.press("w")
    desk.get_by_label("Dr. Maya Okafor").check()
    desk.get_by_label("From").fill("12:05")
    desk.get_by_label("Full name").fill(DANA.name)
    desk.get_by_label("Mobile phone").fill(DANA.phone)
    desk.get_by_label("Email").fill(DANA.email)
    desk.get_by_label("Their phone").check()
    desk.keyboard.press("Control+Enter")
    expect(desk.get_by_role("heading", name="Dana pays $39.00 on their phone")).to_be_visible()
    address = desk.get_by_label("Let Dana scan it").input_value()

    phone = phones(viewport={"width": 390, "height": 844})
    phone.goto(address)
    go_to_stripe(phone)
    pay(phone)

    desk.get_by_role("button", name="Check in Dana").click()
    expect(desk.get_by_role("heading", name="Dana is here")).to_be_visible()
    assert [one.status for one in all_of(Booking)] == [BookingStatus.ARRIVED]
