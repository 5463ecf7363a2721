"""Nobody finds a time: the pages that ask for an address, and those that the mail leads to."""

import re

import pytest
from flask import current_app

from booking_service.languages import Language
from booking_service.models import (
    AuditRow,
    Booking,
    BookingStatus,
    FreedTime,
    OutboxMessage,
    Patient,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_service.queries import availability
from booking_service.services import bookings, newcomers, waitlist
from tests.factories import (
    PRIYA,
    all_of,
    booking,
    change,
    close_all,
    only_time,
    paid,
    payment_of,
    slot_in,
)
from tests.web.phone import Phone
from tests.web.staff_browser import StaffBrowser, words

pytestmark = pytest.mark.usefixtures("noon")

ASK = "Email me when a time opens"
NOTED = "We'll email you when a time opens"
NIA = "nia@example.com"


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def kept(seeded, stripe, phone):
    """The only time there is was left by somebody, and is kept for a newcomer. Its mail's links."""
    slot = slot_in(26)
    only_time(slot)
    visit = paid(stripe, slot=slot)
    phone.open("/").press(ASK, email=NIA)
    bookings.cancel(visit.booking_id, PRIYA)
    [freed] = all_of(FreedTime)
    waitlist.offer(freed.id)
    [offer] = all_of(WaitlistOffer)
    links = current_app.extensions["links"]
    hold_path = links.review(offer.hold_id).partition("8000")[2]
    return hold_path, links.stop_waiting(offer.entry_id).partition("8000")[2], offer.hold_id


def state() -> list:
    rows = [(e.id, e.email, e.ended_at) for e in all_of(WaitlistEntry)]
    rows += [(o.id, o.ended_at, o.is_taken) for o in all_of(WaitlistOffer)]
    rows += [(b.id, b.status, b.hold_expires_at, b.patient_id) for b in all_of(Booking)]
    return [*rows, len(all_of(AuditRow)), len(all_of(OutboxMessage))]


@pytest.mark.parametrize("path", ["/", "/book"])
def test_where_there_is_no_time_an_address_can_be_left(phone, path):
    close_all()

    phone.open(path).press(ASK, email=" Nia@Example.com ")

    assert not phone.offers(ASK)
    assert phone.path == "/wait/noted"
    assert phone.heading == NOTED
    assert (
        "We'll email you when a time opens and keep it for you for 30 minutes. Nothing is charged."
        in phone.words
    )
    assert "one email a day at most, and 3 in all" in phone.words
    [entry] = all_of(WaitlistEntry)
    assert (entry.email, entry.locale, entry.saw_first_at) == (NIA, Language.EN, None)


def test_the_offer_without_a_time_says_whom_to_call(phone):
    close_all()

    phone.open("/")

    assert (
        "No times in the next 14 days. Call (518) 555-0142 , or get an email when one opens."
        in phone.words
    )


def test_beside_times_that_do_not_suit_there_is_one_quiet_line(phone):
    free = availability.everything()
    phone.open("/book")
    assert "No time that suits? We can email you when one opens." in phone.words
    assert not phone.offers(ASK)

    phone.open("/wait").press(ASK, email=NIA)

    assert phone.heading == NOTED
    [entry] = all_of(WaitlistEntry)
    seen = (entry.saw_first_at, entry.saw_last_at)
    assert seen == (free[0].starts_at, free[-1].starts_at)


def test_where_times_are_offered_the_offer_asks_for_nothing(phone):
    assert not phone.open("/").offers(ASK)


@pytest.mark.parametrize("typed", ["", "nia@", "x" * 250 + "@example.com"])
def test_what_is_no_address_is_explained_at_the_top_and_beside_the_field(phone, typed):
    close_all()
    phone.open("/").press(ASK, email=typed)

    assert phone.answer.status_code == 422
    assert phone.words.count("Enter an email address like name@example.com") == 2
    assert '<a href="#email">' in phone.html
    assert f'value="{typed}"' in phone.html
    assert "<title>Error: " in phone.html
    assert all_of(WaitlistEntry) == []


def test_a_known_address_is_answered_like_any_other(phone, stripe):
    paid(stripe, email="dana@example.com")
    close_all()
    answers = []
    for email in (NIA, NIA, "dana@example.com"):
        phone.open("/").press(ASK, email=email)
        answers.append((phone.answer.status_code, phone.path, phone.words))

    assert len(set(answers)) == 1


def test_a_form_without_its_token_is_refused(phone):
    assert phone.post("/wait", email=NIA).status_code == 400
    assert all_of(WaitlistEntry) == []


def test_the_mail_leads_to_the_details_and_from_there_to_stripe(phone, kept):
    hold_path, _, hold_id = kept

    phone.open(hold_path)

    assert phone.heading == "Who is coming?"
    assert re.search(r"holding Tue, Nov 24, 2:00 PM for you until 12:30 PM", phone.words)
    assert f'value="{NIA}"' in phone.html
    phone.press("Continue", name="Nia Cole", phone="518 555 0178", email=NIA)
    assert phone.heading == "Check your booking, then pay $39"
    phone.press("Continue to pay", agree="on")
    assert phone.path == payment_of(hold_id).checkout_url
    assert booking(hold_id).status is BookingStatus.HELD


def test_another_time_leaves_this_one_to_the_next(phone, kept):
    hold_path, _, hold_id = kept

    phone.open(hold_path).press("Choose another time")

    assert booking(hold_id).status is BookingStatus.EXPIRED
    [offer] = all_of(WaitlistOffer)
    assert (offer.ended_at is None, offer.is_taken) == (False, False)


def test_a_time_that_is_not_kept_any_more_says_so(phone, kept, gateway):
    hold_path, _, _ = kept
    phone.open(hold_path).press("Choose another time")

    phone.open(hold_path)

    assert phone.heading == "We had to let 2:00 PM go"
    assert "You haven't been charged." in phone.words


def test_scanners_that_follow_links_change_nothing(phone, kept):
    hold_path, stop_path, _ = kept
    before = state()

    for path in (hold_path, hold_path.replace("review", "details"), stop_path, "/wait"):
        phone.open(path)
        assert phone.answer.status_code == 200
    assert state() == before


def test_one_button_stops_the_mails(phone, kept):
    _, stop_path, hold_id = kept
    phone.open(stop_path)
    assert phone.heading == "Stop emails about open times?"

    phone.press("Stop these emails")

    assert phone.heading == "We don't email you about open times any more"
    assert not phone.offers("Stop these emails")
    [entry] = all_of(WaitlistEntry)
    assert (entry.email, entry.ended_at is None) == (None, False)
    assert booking(hold_id).status is BookingStatus.HELD
    assert phone.open(stop_path).answer.status_code == 200


def test_a_link_for_something_else_stops_nothing(phone, kept):
    _, stop_path, hold_id = kept
    links = current_app.extensions["links"]
    [entry] = all_of(WaitlistEntry)

    for token in (links.token("hold", entry.id), links.token("wait", hold_id), stop_path[6:-2]):
        assert phone.get(f"/wait/{token}").status_code == 404
    assert entry.ended_at is None


def test_an_address_of_a_page_names_nobody(phone, kept):
    assert NIA not in "".join(kept[:2])
    assert "@" not in phone.path


def test_the_desk_sees_it_as_it_sees_every_hold(app, kept, seeded):
    desk = StaffBrowser(app)
    desk.sign_in(seeded.staff[0])
    _, _, offered = kept

    board = words(desk.get("/desk/2026-11-24"))

    assert "All 0" in board
    assert NIA not in words(desk.get(f"/desk/visit/{offered}"))


def test_in_spanish_from_the_address_to_the_end_of_the_mails(phone, seeded):
    close_all()
    phone.open("/?lang=es").press("Escríbanme cuando haya una hora libre", email="nia@")
    assert "Escriba un correo electrónico como nombre@example.com" in phone.words
    phone.press("Escríbanme cuando haya una hora libre", email=NIA)

    assert phone.heading == "Le escribiremos cuando haya una hora libre"
    assert "se la guardaremos durante 30 minutos. No se cobra nada." in phone.words
    [entry] = all_of(WaitlistEntry)
    assert entry.locale is Language.ES


def test_whoever_asked_in_spanish_books_in_spanish_on_any_phone(phone, kept):
    hold_path, _, hold_id = kept
    [entry] = all_of(WaitlistEntry)
    change(WaitlistEntry, entry.id, locale=Language.ES)

    phone.open(hold_path)
    assert phone.heading == "¿Quién viene?"
    phone.press("Continuar", name="Nia Cole", phone="518 555 0178", email="n.cole@example.com")

    assert phone.heading == "Revise su reserva y pague $39"
    [nia] = [p for p in all_of(Patient) if p.id == booking(hold_id).patient_id]
    assert nia.locale is Language.ES


def test_a_mails_reader_is_spoken_to_in_the_language_they_asked_in(phone):
    newcomers.ask(NIA, Language.ES, None)
    [entry] = all_of(WaitlistEntry)
    path = current_app.extensions["links"].stop_waiting(entry.id).partition("8000")[2]

    phone.open(path).press("No recibir más estos correos")

    assert phone.heading == "Ya no le escribimos sobre horas libres"
