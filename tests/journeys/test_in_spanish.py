"""Somebody who reads Spanish, from the offer to the mail, and on to another phone."""

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.test_in_a_browser import WIDE, looks_right, pay, sign_in

pytestmark = pytest.mark.browser

ENGLISH = re.compile(
    r"\b(the|your|you|and|with|please|card|choose|times?|visit|refund)\b", re.IGNORECASE
)
# Names, and what the language link is called.
KEPT = re.compile(r"English|Mill Street|Visa|\S+@\S+")


def reads_well(page: Page) -> None:
    """Spanish to the eye and to a screen reader, and as good to look at as the English page."""
    assert page.locator("html").get_attribute("lang") == "es-US"
    spoken = page.evaluate(
        "[...document.querySelectorAll('[aria-label]')].map(part => part.ariaLabel).join(' ')"
    )
    said = f"{page.title()} {page.locator('body').inner_text()} {spoken}"
    assert ENGLISH.findall(KEPT.sub(" ", said)) == []
    looks_right(page)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone that is set to English. Its console may complain of refused forms only."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert [text for text in complaints if "422" not in text] == []


def test_a_whole_booking_in_spanish(
    demo: SimpleNamespace, page: Page, browser: Browser, inbox
) -> None:
    page.goto(f"{demo.web}/?src=blog-neck")
    page.get_by_role("link", name="Español").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Su primera visita por $39")
    assert "src=blog-neck" in page.url
    reads_well(page)
    page.get_by_role("link", name="Ver todas las horas").click()
    reads_well(page)
    page.get_by_role("radio", name="Tarde").check()
    expect(page.locator("#said")).to_have_text(re.compile(r"^\d+ horas? del [^ ]+ \d+ de "))
    page.locator("button.slot").first.click()

    reads_well(page)
    page.get_by_role("button", name="Continuar").click()
    expect(page.get_by_role("alert")).to_contain_text("Escriba su nombre completo")
    reads_well(page)
    page.get_by_label("Nombre completo").fill("José Luis Fernández-Villanueva")
    page.get_by_label("Teléfono celular").fill("518 555 0178")
    page.get_by_label("Correo electrónico").fill("jose.luis@example.com")
    page.get_by_role("button", name="Continuar").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Revise su reserva y pague $39")
    expect(page.locator(".note.hold")).to_contain_text(re.compile(r"\(quedan \d+ min\)\."))
    reads_well(page)
    page.get_by_role("button", name="Continuar y pagar $39.00").click()
    expect(page.get_by_role("alert")).to_contain_text("Marque la casilla para aceptar")
    reads_well(page)
    page.get_by_label("He leído y acepto").check()
    page.get_by_role("button", name="Continuar y pagar $39.00").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Primera visita")
    expect(page.locator(".terms")).to_contain_text("$39.00 vuelven a esta tarjeta")
    pay(page, "jose.luis@example.com")

    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(
        re.compile(r"Su visita está reservada: [^ ]+ \d+ de [^ ]+ a las? ")
    )
    reads_well(page)
    mail = inbox("jose.luis@example.com", 1)[0]
    assert mail["subject"].startswith("Su visita está reservada: ")

    elsewhere = browser.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    borrowed = elsewhere.new_page()
    borrowed.goto(page.url)
    reads_well(borrowed)
    for change in ("move", "cancel"):
        borrowed.goto(f"{page.url}/{change}")
        reads_well(borrowed)
    elsewhere.close()

    desk = browser.new_context(viewport=WIDE, locale="es-US").new_page()
    sign_in(desk, demo, "front_desk")
    desk.get_by_role("link", name=re.compile("José Luis")).first.click()
    expect(desk.get_by_role("button", name="Check in")).to_be_visible()
    expect(desk.locator("body")).to_contain_text("Español")
    assert desk.locator("html").get_attribute("lang") == "en-US"
    desk.context.close()


@pytest.mark.parametrize("path", ["/terms", "/privacy"])
def test_what_one_agrees_to_can_be_read_in_spanish(demo, page, path):
    page.goto(f"{demo.web}{path}?lang=es")

    reads_well(page)


def test_a_spanish_booking_needs_no_javascript(demo, browser):
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 320, "height": 640}, locale="es-MX"
    )
    page = context.new_page()
    page.goto(demo.web)
    page.get_by_role("link", name="Ver todas las horas").click()
    page.locator("button.slot").first.click()
    page.get_by_label("Nombre completo").fill("Rosa Núñez")
    page.get_by_label("Teléfono celular").fill("518 555 0145")
    page.get_by_label("Correo electrónico").fill("rosa.n@example.com")
    page.get_by_role("button", name="Continuar").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Revise su reserva y pague $39")
    context.close()
