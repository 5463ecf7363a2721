"""Spanish for whoever reads it, English for whoever does not, and the same language to the end."""

import gzip
import re

import pytest
from flask import current_app
from icalendar import Calendar
from sqlalchemy import select, update

from booking_service.db import db
from booking_service.languages import Language
from booking_service.models import Offer, Patient, Practice, TermsAcceptance
from tests import factories
from tests.web.phone import DANA, Phone, at_review, hold_path

PUBLIC = ("/", "/first-visit", "/book", "/terms", "/privacy")
SPANISH = {"Accept-Language": "es-MX,es;q=0.9,en;q=0.8"}


@pytest.fixture
def phone(client, seeded) -> Phone:
    return Phone(client)


@pytest.fixture
def other_phone(app, seeded) -> Phone:
    """A browser that has never been here."""
    return Phone(app.test_client())


def language_of(phone: Phone) -> str:
    [tag] = re.findall(r'<html lang="([^"]*)">', phone.html)
    return tag


def read(app, path: str, **headers: str):
    """Ask as a browser that has never been here, and is set to a language."""
    with app.app_context():
        return app.test_client().get(path, headers=headers)


@pytest.mark.parametrize("path", PUBLIC)
def test_a_page_can_be_asked_for_in_spanish(phone, path):
    phone.open(f"{path}?lang=es")

    assert (phone.answer.status_code, language_of(phone)) == (200, "es-US")


def test_the_language_asked_for_is_kept(phone):
    phone.open("/?lang=es")

    assert phone.open("/book").heading == "Elija una hora para su primera visita"
    assert phone.open("/book?lang=en").heading == "Pick a time for your first visit"
    assert language_of(phone.open("/terms")) == "en-US"


@pytest.mark.parametrize("lang", ["fr", "", "es-MX", "../es", "ES", "e" * 5000])
def test_a_language_we_do_not_speak_changes_nothing(phone, lang):
    phone.open("/?lang=es")

    assert language_of(phone.open(f"/book?lang={lang}")) == "es-US"


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("es", "es-US"),
        ("es-MX,es;q=0.9,en;q=0.8", "es-US"),
        ("en;q=0.5, es-419;q=0.9", "es-US"),
        ("en-GB", "en-US"),
        ("es;q=0, en;q=0.1", "en-US"),
        ("fr,de;q=0.9", "en-US"),
        ("\x7f;;q=x", "en-US"),
    ],
)
def test_without_a_word_the_browser_decides(app, seeded, wanted, language):
    answer = read(app, "/book", **{"Accept-Language": wanted})

    assert f'<html lang="{language}">' in answer.text


def test_what_is_asked_for_outweighs_the_browser(app, seeded):
    assert '<html lang="en-US">' in read(app, "/book?lang=en", **SPANISH).text


def test_caches_keep_the_languages_apart(app, seeded):
    answer = read(app, "/book", **SPANISH)

    assert {"Accept-Language", "Cookie"} <= set(answer.vary)
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_link_to_the_other_language_stays_on_the_page(phone):
    phone.open("/book?part=evening&src=blog-neck")

    [link] = re.findall(
        r'<a class="tongue" href="([^"]*)" lang="es" hreflang="es">Español</a>', phone.html
    )
    assert link == "?part=evening&amp;src=blog-neck&amp;lang=es"
    phone.open("/book" + link.replace("&amp;", "&"))
    [back] = re.findall(
        r'<a class="tongue" href="([^"]*)" lang="en" hreflang="en">English</a>', phone.html
    )
    assert back == "?part=evening&amp;src=blog-neck&amp;lang=en"


def test_an_answer_to_a_form_has_no_link_that_would_lose_it(phone):
    phone.open("/book").tap()

    phone.press("Continue", name="", phone="", email="")

    assert phone.answer.status_code == 422
    assert 'class="tongue"' not in phone.html


@pytest.mark.parametrize("path", PUBLIC)
def test_search_engines_find_both_languages(phone, path):
    page = f"http://127.0.0.1:8000{path}"

    found = re.findall(
        r'<link rel="alternate" hreflang="([^"]*)" href="([^"]*)">', phone.open(path).html
    )

    assert dict(found) == {"en": f"{page}?lang=en", "es": f"{page}?lang=es", "x-default": page}


def test_personal_pages_have_no_address_for_search_engines(phone):
    assert 'rel="alternate"' not in at_review(phone).html


def test_the_offer_and_the_way_in_are_said_in_spanish(phone):
    phone.open("/?lang=es")

    assert phone.heading == "Su primera visita por $39"
    assert "Ajuste de toda la columna" in phone.words
    assert "Se reembolsa por completo si usted se hace miembro" in phone.words
    assert "Estacionamiento detrás del edificio" in phone.words
    assert "Hora de la clínica: Este (ET)" in phone.words


def test_the_terms_are_those_of_the_language_and_still_need_counsel(phone):
    phone.open("/terms?lang=es")

    assert phone.heading == "Términos de la primera visita y del reembolso"
    assert "Los asesores legales de la clínica deben revisarlo" in phone.words
    assert '<div class="text" lang="es">' in phone.html


def test_an_offer_without_spanish_says_which_language_it_is_in(phone):
    spanish = ("includes_es", "promise_es", "terms_es", "terms_hash_es")
    db.session.execute(update(Offer).values(**dict.fromkeys(spanish)))
    db.session.execute(update(Practice).values(directions_es=None))
    db.session.commit()

    phone.open("/terms?lang=es")
    assert '<div class="text" lang="en">' in phone.html
    assert "review by the practice's counsel" in phone.words
    assert "Parking behind the building" in phone.open("/").words


def test_wrong_details_are_explained_in_spanish(phone):
    phone.open("/book?lang=es").tap().press(
        "Continuar", **DANA | {"phone": "12", "name": "x" * 101}
    )

    assert phone.answer.status_code == 422
    assert "<title>Error: Sus datos" in phone.html
    assert "Escriba un número de celular de 10 dígitos, como 518 555 0142" in phone.words
    assert "Escriba un nombre de 100 letras o menos" in phone.words


def test_what_was_read_and_the_language_it_was_read_in_are_kept(phone, app):
    phone.open("/book?lang=es").tap().press("Continuar", **DANA)
    assert phone.heading == "Revise su reserva y pague $39"

    # The other language in another tab does not change what this page showed.
    page = phone.html
    phone.open("/terms?lang=en")
    [hidden] = re.findall(r'name="terms_language" value="([^"]*)"', page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    path = hold_path("review")
    phone.post(path, agree="on", terms_version="1", terms_language=hidden, csrf_token=token)

    kept = db.session.scalars(select(TermsAcceptance)).one()
    offer = db.session.scalars(select(Offer)).one()
    patient = db.session.scalars(select(Patient)).one()
    assert (kept.language, kept.terms_hash) == (Language.ES, offer.terms_hash_es)
    assert patient.locale is Language.ES


def test_changing_ones_mind_before_paying_counts(phone):
    phone.open("/book?lang=es").tap().press("Continuar", **DANA)

    phone.open(hold_path("review") + "?lang=en").press("Continue to pay", agree="on")

    assert db.session.scalars(select(Patient.locale)).one() is Language.EN


def test_the_link_speaks_the_language_of_the_booking_on_any_phone(other_phone, stripe):
    visit = factories.paid(stripe, language=Language.ES)
    link = "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)

    other_phone.open(link)

    assert other_phone.heading.startswith("Su visita está reservada: ")
    assert "Sus $39.00 vuelven a la tarjeta Visa 4242 si usted se hace miembro" in other_phone.words
    [event] = Calendar.from_ical(other_phone.get(f"{link}/visit.ics").data).walk("VEVENT")
    assert event["summary"] == "Primera visita"
    assert other_phone.open(f"{link}?lang=en").heading.startswith("You're booked: ")


def test_a_refusal_is_said_in_spanish(phone, stripe):
    visit = factories.paid(stripe, language=Language.ES)
    link = "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)
    phone.open(f"{link}/move")
    slot = phone.times()[1]
    [label] = re.findall(rf'value="{slot}">([^<]*)<', phone.html)

    phone.press(" ".join(label.split()), slot=slot)

    assert phone.answer.status_code == 409
    assert phone.heading.startswith("Su visita está reservada: ")
    assert "Faltan menos de 24 horas para su visita. Llámenos para cambiarla." in phone.words


@pytest.mark.parametrize("slot", ["x", "3bb1211c-af86-466b-87e6-3528d9c79517@2001-01-01T09:00Z"])
def test_a_time_that_is_none_of_ours_is_refused_in_spanish(phone, stripe, slot):
    visit, _winner = factories.lost_time(stripe, current_app.extensions["gateway"])
    link = "/v/" + current_app.extensions["links"].token("visit", visit.booking_id)
    phone.open(f"{link}?lang=es")
    [label] = re.findall(rf'value="{phone.times()[0]}">([^<]*)<', phone.html)

    phone.press(" ".join(label.split()), slot=slot)

    assert phone.answer.status_code == 422
    assert re.search(r"Elija un[oa] de (las horas|nuestros profesionales)", phone.words)


def test_a_page_that_is_not_there_is_missing_in_spanish(phone):
    phone.open("/nope?lang=es")

    assert (phone.answer.status_code, phone.heading) == (404, "No encontramos esa página")
    assert "Si pagó, recibirá un correo electrónico." in phone.words
    assert phone.open("/v/made-up").words.count("Este enlace no es válido.") == 1


def test_the_path_of_a_missing_page_is_not_repeated_into_a_link(phone):
    phone.open("//elsewhere.example/x?lang=es")

    assert "elsewhere" not in phone.html


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in?lang=es", "/desk", "/finance/refunds"])
def test_staff_pages_stay_english(app, seeded, path):
    client = app.test_client()
    with app.app_context():
        client.get("/?lang=es")
    with app.app_context():
        answer = client.get(path, headers=SPANISH, follow_redirects=True)

    assert '<html lang="en-US">' in answer.text
    assert "Sign in" in answer.text


def test_programs_are_answered_in_english(app, seeded):
    answer = read(app, "/api/v1/bookings/00000000-0000-0000-0000-000000000000?token=x", **SPANISH)

    assert answer.status_code == 404
    assert answer.json["detail"].startswith("This link is not valid.")


def test_a_spanish_page_stays_under_its_budget(phone):
    assert len(gzip.compress(phone.open("/book?lang=es").answer.data)) <= 10 * 1024
