"""Every mail to somebody who booked in Spanish is in Spanish, from the subject to the calendar."""

import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
from flask import render_template
from flask_babel import force_locale
from icalendar import Calendar

from booking_service.db import transaction
from booking_service.languages import Language
from booking_service.local.ports import wait_until
from booking_service.models import (
    Actor,
    Booking,
    BookingStatus,
    Payment,
    PaymentTender,
    SettlementMethod,
)
from booking_service.queries import patient_pages
from booking_service.services import (
    bookings,
    checkout,
    choices,
    newcomers,
    promises,
    reminders,
    visit_links,
    visit_steps,
    waitlist,
)
from booking_service.services import refunds as refunding
from tests.factories import (
    PRIYA,
    at_stripe,
    booking,
    change,
    converted,
    free_slot,
    paid,
    refunds,
    slot_in,
)

pytestmark = pytest.mark.usefixtures("noon", "seeded")

ENGLISH = re.compile(
    r"\b(the|you|your|and|with|back|at|on|of|is|was|hello|visit|now|clinic)\b", re.IGNORECASE
)
# Names and addresses, which no language changes.
KEPT = re.compile(r"https?://\S+|<[^>]*>|\S+@\S+|Mill Street, Suite 2|Visa|Plan|Alder Chiropractic")
HEALTH = re.compile(r"(?i)salud|tratamiento|examen|columna|ajuste|dolor|quiro|dr\.|doctor")
IN_SPANISH = {"language": Language.ES}


def checked(letter) -> str:
    """What a mail says, once nothing in it is English."""
    html = re.sub(r"<head>.*?</head>", "", letter.html, flags=re.DOTALL)
    assert '<html lang="es-US">' in letter.html
    for form in (letter.subject, letter.text, html):
        assert ENGLISH.findall(KEPT.sub(" ", form)) == []
    assert not HEALTH.search(letter.subject)
    if letter.calendar:
        [event] = Calendar.from_ical(letter.calendar).walk("VEVENT")
        assert event["SUMMARY"] == "Primera visita"
        assert event["DESCRIPTION"].startswith("Su código es FV-")
    return " ".join(letter.text.split())


def test_a_confirmation(stripe, work, mail):
    visit = paid(stripe, **IN_SPANISH)
    work()

    [letter] = mail.letters
    text = checked(letter)
    assert letter.subject == "Su visita está reservada: lun, 23 nov, 12:00\xa0p.\u202fm."
    assert "lunes 23 de noviembre a las 12:00 p. m. (hora de la clínica, ET)" in text
    assert "Sus $39.00 vuelven a la tarjeta Visa 4242 si usted se hace miembro" in text
    assert f"Código: {booking(visit.booking_id).code}" in text
    assert "Estacionamiento detrás del edificio" in text


@pytest.mark.parametrize(
    ("actor", "money"),
    [
        (Actor.patient(), "Sus $39.00 no se devuelven"),
        (PRIYA, "Sus $39.00 vuelven a la tarjeta Visa 4242."),
    ],
    ids=["kept", "returned"],
)
def test_a_cancellation(stripe, work, mail, actor, money):
    visit = paid(stripe, slot=free_slot(5), **IN_SPANISH)
    work()
    mail.letters.clear()

    bookings.cancel(visit.booking_id, actor)
    work()

    assert money in checked(mail.letters[0])
    assert mail.letters[0].subject.startswith("Cancelada: lun, 23 nov, ")


def test_a_move(stripe, work, mail):
    visit = paid(stripe, slot=free_slot(5), **IN_SPANISH)
    work()
    slot = free_slot(300)
    bookings.reschedule(visit.booking_id, slot.practitioner_id, slot.starts_at, PRIYA)
    work()

    assert "No hay que pagar otra vez" in checked(mail.letters[-1])
    assert mail.letters[-1].subject.startswith("Nueva hora: ")


def test_a_lost_time_and_its_money(stripe, work, mail, gateway):
    slot = free_slot()
    late = at_stripe(slot, **IN_SPANISH)
    change(Booking, late.booking_id, status=BookingStatus.EXPIRED)
    paid(stripe, slot=slot, name="Robin Hale", email="robin@example.com")
    stripe.pay(late.stripe_checkout_session_id)
    checkout.confirm(late.stripe_checkout_session_id, gateway)
    work()

    letter = next(one for one in mail.letters if one.to == "dana@example.com")
    assert "vuelven solos a la tarjeta Visa 4242 el martes 24 de noviembre" in checked(letter)
    choices.send_back(late.booking_id)
    work()
    assert "pero la visita no se reservó." in checked(mail.letters[-1])


def test_a_new_members_money(stripe, work, mail):
    converted(stripe, **IN_SPANISH)
    work()

    text = checked(mail.letters[-1])
    assert mail.letters[-1].subject == "Le damos la bienvenida. Sus $39.00 ya van de vuelta"
    assert "Corrective, 4 visitas al mes" in text
    assert "Próximo pago: $149.00 dentro de un mes" in text


def test_a_member_without_a_refund(stripe, work, mail):
    visit = converted(stripe, **IN_SPANISH)
    with transaction() as session:
        promises.money_returned(session, visit.payment.id)
    work()

    assert "Su membresía ha comenzado." in checked(mail.letters[-1])


def test_a_second_payment(stripe, work, mail, gateway):
    for payment in (at_stripe(**IN_SPANISH), at_stripe(**IN_SPANISH)):
        stripe.pay(payment.stripe_checkout_session_id)
        checkout.confirm(payment.stripe_checkout_session_id, gateway)
    work()

    assert "Usted pagó dos veces por una visita." in checked(mail.letters[-1])


def test_a_refund_that_bounced(stripe, work, mail, gateway):
    converted(stripe, card="4000000000005126", **IN_SPANISH)
    work()
    [refund] = refunds()
    stripe.advance(60)
    wait_until(lambda: stripe.refunds()[0]["status"] == "failed", "the refund to bounce")
    refunding.apply_news(refund.stripe_refund_id, gateway)
    work()

    assert "El dinero sigue siendo suyo." in checked(mail.letters[-1])
    assert mail.letters[-1].subject == "No pudimos devolver $39.00 a su tarjeta"


@pytest.mark.parametrize("method", SettlementMethod)
@pytest.mark.parametrize("tender", PaymentTender)
def test_money_paid_another_way(method, tender):
    practice = patient_pages.practice()
    facts = {
        "practice": practice,
        "patient": SimpleNamespace(name="Dana Whitfield"),
        "payment": Payment(tender=tender, card_brand="visa", card_last4="4242"),
        "refund": SimpleNamespace(amount_cents=3900),
        "settlement": SimpleNamespace(method=method, reference="R-7"),
        "visit_url": "https://visits.example/v/1",
        "zone": practice.zone,
    }
    with force_locale(Language.ES):
        forms = {
            form: render_template(f"emails/refund_settled_otherwise/{name}", **facts)
            for form, name in (
                ("subject", "subject.txt"),
                ("text", "body.txt"),
                ("html", "body.html"),
            )
        }

    text = checked(SimpleNamespace(**forms, calendar=None))
    assert "Le devolvimos sus $39.00" in text
    assert ("no llegará nada a la tarjeta Visa 4242" in text) is (tender is PaymentTender.CARD)


@pytest.mark.parametrize(
    ("hours", "subject", "sentence"),
    [
        (
            24,
            "Mañana a las 12:00",
            "Su visita es mañana, miércoles 25 de noviembre a las 12:00 p. m.",
        ),
        (2, "Hoy a las 12:00", "Le esperamos hoy a las 12:00 p. m. (hora de la clínica, ET)."),
    ],
)
def test_reminders(stripe, work, mail, travel, hours, subject, sentence):
    visit = paid(stripe, slot=slot_in(48), **IN_SPANISH)
    work()
    mail.letters.clear()
    travel(booking(visit.booking_id).starts_at - timedelta(hours=hours))
    reminders.sweep()
    work()

    [letter] = mail.letters
    assert sentence in checked(letter)
    assert letter.subject.startswith(subject)


def test_a_reminder_by_text_fits_into_one(stripe, work, mail, texts, travel):
    visit = paid(stripe, slot=slot_in(48), texts=True, **IN_SPANISH)
    work()
    travel(booking(visit.booking_id).starts_at - timedelta(hours=2))
    reminders.sweep()
    work()

    [text] = texts.sent
    assert text.body == (
        "Alder: le esperamos hoy a las 12:00 p. m., 214 Mill Street, Suite 2. "
        "Si llega tarde, llame al (518) 555-0142. Responda STOP para terminar"
    )
    assert len(text.body) <= 160
    assert text.body.isascii()


def test_a_missed_visit(noon, stripe, work, mail, travel):
    visit = paid(stripe, **IN_SPANISH)
    work()
    travel(noon + timedelta(minutes=10))
    visit_steps.mark_no_show(visit.booking_id, PRIYA)
    travel(noon + timedelta(days=1))
    work()

    text = checked(mail.letters[-1])
    assert "El lunes 23 de noviembre a las 12:00 p. m. no pudimos verle." in text
    assert "Sus $39.00 no se devuelven, como dicen los términos" in text
    assert mail.letters[-1].subject == "Su visita del lun, 23 nov"


def test_somebody_who_booked_in_english_is_written_to_in_english(stripe, work, mail):
    paid(stripe, slot=free_slot(9), name="Robin Hale", email="robin@example.com", **IN_SPANISH)
    paid(stripe)
    work()

    told = {letter.to: letter.subject.partition(":")[0] for letter in mail.letters}
    assert told == {
        "dana@example.com": "You're booked",
        "robin@example.com": "Su visita está reservada",
    }


@pytest.mark.parametrize(("hours", "is_near"), [(20, True), (26, False)])
def test_an_earlier_time(stripe, work, mail, hours, is_near):
    early = paid(stripe, slot=slot_in(hours), name="Robin Hale", email="robin@example.com")
    visit = paid(stripe, slot=slot_in(72), **IN_SPANISH)
    waitlist.join(visit.booking_id)
    bookings.cancel(early.booking_id, PRIYA)
    work()

    letter = next(one for one in mail.letters if one.subject.startswith("Hay una hora libre"))
    text = checked(letter)
    assert letter.subject.startswith("Hay una hora libre: mar, 24 nov, ")
    assert "Es suya hasta las 12:30 p. m. (ET)." in text
    assert "su visita sigue el jueves 26 de noviembre a las 12:00 p. m. y preguntamos" in text
    assert ("no se devuelven si cancela" in text) == is_near


def test_a_time_for_somebody_without_a_visit(stripe, work, mail):
    early = paid(stripe, slot=slot_in(26), name="Robin Hale", email="robin@example.com")
    newcomers.ask("nia@example.com", Language.ES, None)
    bookings.cancel(early.booking_id, PRIYA)
    work()

    letter = next(one for one in mail.letters if one.to == "nia@example.com")
    text = checked(letter)
    assert letter.subject == "Hay una hora libre: mar, 24 nov, 2:00\xa0p.\u202fm."
    assert text.startswith("Hola: Hay una hora libre: martes 24 de noviembre a las 2:00 p. m.")
    assert "Se la guardamos hasta las 12:30 p. m. (ET)." in text
    assert "Su primera visita cuesta $39.00. Se paga al reservar" in text
    assert "Para no recibir más estos correos: http" in text


def test_the_link_sent_again(stripe, work, mail):
    visit = paid(stripe, **IN_SPANISH)
    work()
    visit_links.send_again(visit.booking_id, PRIYA)
    work()

    text = checked(mail.letters[-1])
    assert mail.letters[-1].subject == "El enlace a su visita del lun, 23 nov"
    assert "No lo comparta: quien lo tiene puede cambiar o cancelar la visita." in text
    assert "Cuándo: lunes 23 de noviembre a las 12:00 p. m. (hora de la clínica, ET)" in text


def test_the_links_of_an_address(stripe, work, mail):
    visit = paid(stripe, **IN_SPANISH)
    work()
    change(Booking, visit.booking_id, status=BookingStatus.CANCELLED)
    visit_links.ask("dana@example.com")
    work()

    text = checked(mail.letters[-1])
    assert mail.letters[-1].subject == "Su visita"
    assert "Lunes 23 de noviembre, 12:00 p. m. (hora de la clínica, ET) (no tendrá lugar)" in text


def test_a_visit_booked_for_somebody_else(stripe, work, mail):
    paid(stripe, booked_by="Ada Lovelace", **IN_SPANISH)
    work()

    text = checked(mail.letters[0])
    assert text.startswith("Hola, Ada Lovelace: ")
    assert "Para: Dana Whitfield Con:" in text
