"""Nothing is free: an address is left, a visit is cancelled, and the mail leads to a paid visit."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest
from flask import current_app
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from booking_service.app import create_app
from booking_service.db import db
from booking_service.languages import Language
from booking_service.local.ports import free_port
from booking_service.models import BookingStatus, WaitlistEntry, WaitlistOffer
from booking_service.services import bookings, newcomers
from tests.factories import PRIYA, all_of, booking, only_time, slot_in, visit_of
from tests.journeys.test_in_a_browser import looks_right, pay
from tests.journeys.test_in_spanish import reads_well

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("noon", "seeded")]

NIA = "nia@example.com"
LINK = re.compile(r"http://127\.0\.0\.1:\d+(/\S+)")


@pytest.fixture
def web(app, settings) -> Iterator[str]:
    """The same service for a browser, in this process: its clock is the test's."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    served = create_app(replace(settings, public_base_url=url))
    server = make_server("127.0.0.1", port, served, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    with served.app_context():
        db.engine.dispose()
    served.extensions["ready_answers"].close()


@pytest.fixture
def only(stripe):
    """The visit that has the only time there is."""
    slot = slot_in(26)
    only_time(slot)
    return visit_of("Robin Hale", stripe, slot=slot)


@pytest.fixture
def links(work, mail):
    """Do what is due, and return where the mail to an address leads: its time, and its end."""

    def of(email: str) -> SimpleNamespace:
        work()
        letter = next(letter for letter in mail.letters if letter.to == email)
        held, stop = LINK.findall(letter.text)
        assert held in letter.html
        return SimpleNamespace(held=held, stop=stop, letter=letter)

    return of


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(words))


def test_a_time_opens_for_somebody_who_found_none(web, page, only, links):
    page.goto(web)
    expect(page.get_by_text("No times in the next 14 days.")).to_be_visible()
    looks_right(page)
    page.get_by_label("Email").fill(NIA)
    page.get_by_role("button", name="Email me when a time opens").click()
    heading(page, "We’ll email you when a time opens")
    looks_right(page)

    bookings.cancel(only.booking_id, PRIYA)
    found = links(NIA)
    page.goto(f"{web}{found.stop}")
    looks_right(page)
    page.goto(f"{web}{found.held}")
    heading(page, "Who is coming?")
    expect(page.locator(".note.hold")).to_contain_text("Tue, Nov 24, 2:00 PM")
    expect(page.get_by_label("Email")).to_have_value(NIA)
    looks_right(page)
    page.get_by_label("Full name").fill("Nia Cole")
    page.get_by_label("Mobile phone").fill("518 555 0178")
    page.get_by_role("button", name="Continue").click()
    heading(page, r"then pay \$39")
    page.get_by_label("I’ve read and agree").check()
    page.get_by_role("button", name="Continue to pay $39.00").click()
    pay(page, NIA)

    heading(page, "You’re booked: Tuesday, November 24 at 2:00 PM")
    [offer] = all_of(WaitlistOffer)
    assert (offer.is_taken, booking(offer.hold_id).status) == (True, BookingStatus.CONFIRMED)
    assert [(entry.email, entry.ended_at is None) for entry in all_of(WaitlistEntry)] == [
        (None, False)
    ]


@pytest.mark.parametrize("path", ["/book", "/wait"])
def test_without_javascript_and_in_spanish_the_mails_begin_and_end(
    web, browser: Browser, only, links, path
):
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 640}, locale="es-MX"
    )
    page = context.new_page()
    page.goto(f"{web}{path}")
    page.get_by_label("Correo electrónico").fill("nia@")
    page.get_by_role("button", name="Escríbanme").click()
    expect(page.get_by_role("alert")).to_contain_text("Escriba un correo electrónico como")
    page.get_by_label("Correo electrónico").fill(NIA)
    page.get_by_role("button", name="Escríbanme").click()
    heading(page, "Le escribiremos cuando haya una hora libre")

    bookings.cancel(only.booking_id, PRIYA)
    found = links(NIA)
    page.goto(f"{web}{found.held}")
    heading(page, "¿Quién viene?")
    page.goto(f"{web}{found.stop}")
    page.get_by_role("button", name="No recibir más estos correos").click()
    heading(page, "Ya no le escribimos sobre horas libres")
    assert [entry.email for entry in all_of(WaitlistEntry)] == [None]
    context.close()


@pytest.mark.parametrize("path", ["/", "/book", "/wait", "/wait/noted", "/wait/{token}"])
def test_each_page_of_waiting_reads_well_in_spanish(web, page, only, path):
    newcomers.ask(NIA, Language.ES, None)
    [entry] = all_of(WaitlistEntry)
    token = current_app.extensions["links"].token("wait", entry.id)
    page.goto(f"{web}{path.format(token=token)}?lang=es")

    reads_well(page)
