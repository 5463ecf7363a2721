"""Booking page by page, as somebody on a phone without JavaScript does it."""

import gzip
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from booking_service.app import create_app
from booking_service.db import db
from booking_service.models import (
    Offer,
    Payment,
    Practitioner,
    TermsAcceptance,
)
from tests import factories
from tests.web.phone import (
    DANA,
    Phone,
    at_details,
    at_review,
    bookings,
    hold_path,
    publish,
    statuses,
)


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


def test_the_offer_has_three_times_one_tap_away(phone):
    phone.open("/first-visit?src=blog-neck")

    assert phone.heading == "Your first visit for $39"
    assert len(phone.times()) == 3
    phone.tap(1)
    assert phone.heading == "Who is coming?"
    assert [booking.source for booking in bookings()] == ["blog-neck"]


def test_a_strange_source_is_dropped(phone):
    phone.open("/book?src=<script>").tap()

    assert [booking.source for booking in bookings()] == [None]


def test_a_patient_books_and_pays(phone, stripe):
    at_review(phone)

    assert phone.heading == "Check your booking, then pay $39"
    assert "Dana Whitfield dana@example.com (518) 555-0178" in phone.words
    assert "To pay today $39.00" in phone.words
    assert "checked" not in phone.html

    phone.press("Continue to pay", agree="on")
    payment = db.session.scalars(select(Payment)).one()
    assert phone.path == payment.checkout_url
    assert stripe.pay(payment.stripe_checkout_session_id).status_code == 200
    phone.open(hold_path("done"))
    assert phone.heading.startswith("You're booked: ")
    assert statuses() == ["confirmed"]


def test_what_was_agreed_to_is_kept_with_where_from(phone):
    at_review(phone).press("Continue to pay", agree="on", save_card="on")

    kept = db.session.scalars(select(TermsAcceptance)).one()
    offer = db.session.scalars(select(Offer)).one()
    assert (kept.terms_hash, kept.address) == (offer.terms_hash, "127.0.0.1")
    assert kept.user_agent.startswith("Werkzeug/")
    assert bookings()[0].save_card is True


def test_wrong_details_are_explained_beside_the_field_and_at_the_top(phone):
    at_details(phone).press("Continue", name="Dana", phone="12", email="dana@example.com")

    sentence = "Enter a mobile number with 10 digits, like 518 555 0142"
    assert phone.answer.status_code == 422
    assert "<title>Error: Your details" in phone.html
    assert f'<a href="#phone">{sentence}</a>' in phone.html
    assert re.findall(r'aria-describedby="([^"]*)"\s+aria-invalid="true"', phone.html) == [
        "phone-hint phone-error"
    ]
    assert 'value="Dana"' in phone.html
    assert bookings()[0].patient_id is None


def test_what_the_clock_says_of_a_hold_breaks_into_lines(phone):
    """The longest of its sentences is wider than a phone."""
    [classes] = re.findall(r'<b class="([^"]*)" data-until', at_details(phone).html)

    assert "keep" not in classes.split()


def test_without_the_terms_box_nobody_goes_to_stripe(phone):
    at_review(phone).press("Continue to pay", save_card="on")

    assert phone.answer.status_code == 422
    assert "Tick the box to agree to the terms" in phone.words
    assert re.search(r'id="save_card" name="save_card" checked', phone.html)
    assert db.session.scalars(select(Payment)).all() == []


def test_tapping_the_same_time_twice_is_one_hold(phone):
    value = phone.open("/book").times()[0]
    page = phone.tap().path

    assert phone.open("/book").send_time(value).path == page
    assert statuses() == ["held"]


def test_picking_another_time_moves_the_hold_and_the_details(phone):
    at_review(phone)
    phone.open("/book")
    assert "Go on with this time" in phone.words

    phone.tap(8)

    assert statuses() == ["expired", "held"]
    assert phone.heading == "Check your booking, then pay $39"
    assert len({booking.patient_id for booking in bookings()}) == 1


def test_two_phones_one_time(phone, app):
    other = Phone(app.test_client()).open("/book")
    at_details(phone)

    other.tap()

    assert other.answer.status_code == 409
    assert other.heading == "That time was just booked"
    assert "You haven't been charged. Here are the nearest times." in other.words
    assert len(other.times()) == 3
    other.tap()
    assert (other.heading, statuses()) == ("Who is coming?", ["held", "held"])


@pytest.mark.parametrize("slot", ["", "x@y", "\x00", f"{UUID(int=7)}@2026-13-01T0:0Z", "9" * 9000])
def test_a_time_that_is_none_of_ours_holds_nothing(phone, slot):
    phone.open("/book").send_time(slot)

    assert (phone.answer.status_code, phone.heading) == (422, "That time can't be booked")
    assert "You haven't been charged." in phone.words
    assert bookings() == []


def test_a_past_time_can_not_be_booked(phone):
    slot = factories.free_slot()
    past = f"{slot.practitioner_id}@{slot.starts_at - timedelta(days=9):%Y-%m-%dT%H:%MZ}"

    phone.open("/book").send_time(past)

    assert (phone.answer.status_code, bookings()) == (422, [])


def test_a_form_without_its_token_is_refused(phone):
    answer = phone.post("/book", slot="x")

    assert answer.status_code == 400
    assert "<h1>That didn" in answer.text


def test_looking_at_pages_changes_nothing(phone):
    at_review(phone)
    before = [(b.status, b.hold_expires_at) for b in bookings()]

    for page in ("details", "review"):
        phone.open(hold_path(page))
    for page in ("more", "release", "again"):
        assert phone.get(hold_path(page)).status_code == 405

    assert [(b.status, b.hold_expires_at) for b in bookings()] == before


def test_a_link_that_was_altered_opens_nothing(phone):
    at_review(phone)
    broken = hold_path("review").replace("/book/", "/book/x")

    assert phone.open(broken).answer.status_code == 404
    assert "Dana" not in phone.html


def test_filters_narrow_the_list_and_stay_in_its_links(phone):
    doctor = db.session.scalars(select(Practitioner).where(Practitioner.name.like("%Park"))).one()
    phone.open(f"/book?part=evening&doctor={doctor.id}&src=blog")

    values = re.findall(r'value="([0-9a-f-]{36})@[^"]*"', phone.html)
    assert set(values) == {str(doctor.id)}
    assert re.findall(r'role="group" aria-label="(\w+),', phone.html) == ["Evening"] * 7
    more = re.search(r'href="(/book[^"]*from=[^"]*)">Show more days', phone.html)[1]
    assert all(part in more for part in ("part=evening", f"doctor={doctor.id}", "src=blog"))


@pytest.mark.parametrize("query", ["part=noon", "doctor=x", "from=9999-99-99", "from=1999-01-01"])
def test_an_odd_filter_is_left_out(phone, query):
    phone.open(f"/book?{query}")

    assert phone.answer.status_code == 200
    assert "Soonest times" in phone.words


def test_old_terms_stay_readable(phone):
    publish(price_cents=4500)

    assert "new bookings have newer terms" in phone.open("/terms/1").words
    assert "Version 2" in phone.open("/terms").words
    assert phone.open("/terms/3").answer.status_code == 404


def test_a_page_for_everything_that_goes_wrong_says_where_the_money_is(phone):
    phone.open("/nope")

    assert phone.answer.status_code == 404
    assert "If you paid, you'll get an email." in phone.words
    assert "(518) 555-0142" in phone.html


def test_too_much_is_refused_with_a_page(phone):
    at_details(phone)

    phone.press("Continue", **DANA | {"name": "x" * 300_000})

    assert (phone.answer.status_code, phone.heading) == (413, "That was too much to send")


def test_without_a_database_the_error_page_still_stands(settings):
    broken = create_app(replace(settings, database_url="postgresql+psycopg://x@127.0.0.1:1/x"))

    answer = broken.test_client().get("/book")

    assert answer.status_code == 503
    assert "We can’t do that right now" in answer.text


def test_personal_pages_are_kept_out_of_caches_and_search(phone):
    at_review(phone)

    assert '<meta name="robots" content="noindex">' in phone.html
    assert phone.answer.headers["Cache-Control"] == "no-store"
    assert phone.answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/book", "/terms", "/privacy"])
def test_no_page_has_inline_style_or_script(phone, path):
    phone.open(path)

    assert re.findall(r"<style|<script>| style=| on\w+=", phone.html) == []


def test_a_patient_page_stays_under_its_budget(phone, app):
    page = len(gzip.compress(phone.open("/book").answer.data))
    files = (
        "tokens.css",
        "book.css",
        "book.js",
        "icons.svg",
        "fonts/figtree-latin-wght-normal.woff2",
    )
    sizes = {
        name: len(gzip.compress((Path(app.static_folder) / name).read_bytes())) for name in files
    }

    assert (Path(app.static_folder) / "book.js").stat().st_size <= 3 * 1024
    assert page + sum(sizes.values()) <= 75 * 1024
