"""The same races through the real web server."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import requests

from booking_service.db import db
from booking_service.models import Booking, BookingStatus
from tests.factories import free_slot
from tests.processes import Service


@pytest.fixture
def web(app, environment, var):
    """The web as production runs it, on the tests' database and Stripe."""
    service = Service({**environment, "STRIPE_TIMEOUT_SECONDS": "20"}, var)
    service.start_web()
    yield service
    service.stop("web")


def test_of_forty_people_who_book_one_time_one_gets_it(web, seeded, stripe):
    slot = free_slot()
    db.session.rollback()
    start = Barrier(40)

    def book(number: int) -> requests.Response:
        person = {
            "name": "Dana Whitfield",
            "email": f"dana{number}@example.com",
            "phone": f"518 555 01{number:02}",
        }
        start.wait()
        return requests.post(
            f"{web.url}/api/v1/bookings",
            json={
                "practitioner_id": str(slot.practitioner_id),
                "starts_at": slot.starts_at.isoformat(),
                "patient": person,
                "accept_terms_version": 1,
            },
            timeout=60,
        )

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(book, range(40)))

    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 39}
    refusals = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(problem["code"], len(problem["alternatives"])) for problem in refusals} == {
        ("slot_taken", 3)
    }
    assert [booking.status for booking in db.session.query(Booking)] == [BookingStatus.HELD]
    [page] = stripe.listed("checkout/sessions")
    assert page["status"] == "open"
